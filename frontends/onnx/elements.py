"""ONNX's element types and ours."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import TensorProto

from cnnir.types import DType

DTYPES: Mapping[int, DType] = {
    TensorProto.FLOAT: "f32", TensorProto.DOUBLE: "f64", TensorProto.FLOAT16: "f16", TensorProto.BFLOAT16: "bf16",
    TensorProto.INT8: "i8", TensorProto.INT16: "i16", TensorProto.INT32: "i32", TensorProto.INT64: "i64",
    TensorProto.UINT8: "u8", TensorProto.UINT16: "u16", TensorProto.UINT32: "u32", TensorProto.UINT64: "u64",
    TensorProto.BOOL: "bool", TensorProto.FLOAT8E4M3FN: "f8e4m3", TensorProto.FLOAT8E5M2: "f8e5m2",
}  # fmt: skip
"""ONNX element type -> ours."""

NARROW: Mapping[int, tuple[DType, int, int]] = {
    TensorProto.INT4: ("i8", -8, 7), TensorProto.UINT4: ("u8", 0, 15),
    TensorProto.INT2: ("i8", -2, 1), TensorProto.UINT2: ("u8", 0, 3),
}  # fmt: skip
"""Integers of less than a byte: each is kept in a byte of its own; with their least and greatest."""

STORED: Mapping[int, DType] = {**DTYPES, **{element: dtype for element, (dtype, _, _) in NARROW.items()}}
"""ONNX element type -> the type that its elements are kept in."""

ELEMENTS: Mapping[str, int] = {dtype: element for element, dtype in DTYPES.items()}
"""Our element type -> ONNX's."""


def element_name(element: int) -> str:
    """ONNX's name of an element type."""
    try:
        return TensorProto.DataType.Name(element)  # pyright: ignore[reportArgumentType] - any number may stand in a file
    except ValueError:
        return f"element type {element}"
