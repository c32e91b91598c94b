"""Tensor types: `f32[1, 64, 224, 224]`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np

_NUMPY_NAMES = {
    "f16": "float16", "f32": "float32", "f64": "float64", "bf16": "bfloat16",
    "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64",
    "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64", "bool": "bool",
    "f8e4m3": "float8_e4m3fn", "f8e5m2": "float8_e5m2",
}  # fmt: skip
DType = Literal[
    "f16", "f32", "f64", "bf16", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "bool", "f8e4m3", "f8e5m2"
]  # fmt: skip
"""The name of an element type."""
DTYPES: tuple[DType, ...] = get_args(DType)
STORAGE = ("bool", "f8e4m3", "f8e5m2")
"""Element types that are kept, moved and cast, and not computed with."""


MAX_RANK = 64
"""Axes of a tensor at most: NumPy's own limit."""


def broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that shapes broadcast to, at any rank (NumPy's function ends at 32); raises ValueError where they do not."""
    rank = max(map(len, shapes), default=0)
    columns = zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True)
    sizes = [{n for n in column if n != 1} or {1} for column in columns]
    if any(len(size) > 1 for size in sizes):
        raise ValueError(f"{shapes} do not broadcast")
    return tuple(size.pop() for size in sizes)


def numpy_dtype(name: str) -> np.dtype:
    """The NumPy dtype of a cnnir dtype name such as `f32`; raises KeyError for an unknown one."""
    known = _NUMPY_NAMES[name]
    if known.startswith(("bfloat", "float8")):
        import ml_dtypes  # only networks with such types pay for the import

        return np.dtype(getattr(ml_dtypes, known))
    return np.dtype(known)


def dtype_name(dtype: np.dtype) -> str:
    """The cnnir name of a NumPy dtype: `float32` -> `f32`; raises KeyError for one without a name."""
    return {numpy: name for name, numpy in _NUMPY_NAMES.items()}[str(dtype)]


@dataclass(frozen=True)
class TensorType:
    """Element dtype (a name of `DTYPES`) and shape; axis 0 is N and axis 1 is C wherever layers care."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @cached_property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def numpy(self) -> np.dtype:
        """The NumPy dtype of the elements."""
        return numpy_dtype(self.dtype)

    @property
    def bytes(self) -> int:
        """Size of the tensor in bytes."""
        return self.elements * self.numpy.itemsize

    @property
    def is_float(self) -> bool:
        """Whether the elements are floating-point numbers."""
        return self.dtype in ("f16", "f32", "f64", "bf16")

    @property
    def is_whole(self) -> bool:
        """Whether the elements are integers or truth values; 8-bit floats are neither whole nor `is_float`: they only store."""
        return self.dtype == "bool" or self.dtype[0] in "iu"

    @property
    def channels(self) -> int:
        """Size of axis 1, or 1 where there is none."""
        return self.shape[1] if self.rank > 1 else 1

    @property
    def spatial(self) -> tuple[int, ...]:
        """Sizes of the axes after N and C."""
        return self.shape[2:]

    def with_shape(self, shape: tuple[int, ...]) -> TensorType:
        """The same dtype with another shape."""
        return TensorType(self.dtype, shape)

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"
