"""What every rule of the exporter writes into: nodes, constants and names of one ONNX graph."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

import numpy as np
import onnx
from onnx import TensorProto, defs, helper

from cnnir.diagnostics import CnnirError, Diagnostic, Label, OpError
from cnnir.ir.graph import Graph, Layer, Value
from cnnir.types import numpy_dtype

from .older import NEWEST_FORM, older

Array = np.ndarray[Any, Any]
OPSET = NEWEST_FORM
"""The first with Gelu; its IR version, 9, is read by every onnxruntime since 1.17."""

ELEMENT_TYPES: Mapping[str, int] = {
    "f16": TensorProto.FLOAT16, "f32": TensorProto.FLOAT, "f64": TensorProto.DOUBLE, "bf16": TensorProto.BFLOAT16,
    "i8": TensorProto.INT8, "i16": TensorProto.INT16, "i32": TensorProto.INT32, "i64": TensorProto.INT64,
    "u8": TensorProto.UINT8, "u16": TensorProto.UINT16, "u32": TensorProto.UINT32, "u64": TensorProto.UINT64,
    "bool": TensorProto.BOOL, "f8e4m3": TensorProto.FLOAT8E4M3FN, "f8e5m2": TensorProto.FLOAT8E5M2,
}  # fmt: skip


def unsupported(reason: str) -> NoReturn:
    """Say that a layer has no ONNX counterpart."""
    raise OpError("C0701", reason)


@cache
def accepts(operator: str, dtype: str, opset: int = OPSET) -> bool:
    """Whether an opset has the ONNX operator, for elements of a cnnir dtype."""
    if not defs.has(operator, opset, ""):
        return False
    schema = defs.get_schema(operator, opset)
    result = schema.outputs[0]
    formal = schema.inputs[0] if len(result.types) == 1 else result  # truth values of a comparison, places of an extreme
    name = helper.tensor_dtype_to_string(ELEMENT_TYPES[dtype]).removeprefix("TensorProto.").lower()
    return f"tensor({name})" in formal.types


@dataclass(frozen=True)
class Constant:
    """A tensor of the model that is read only when it is written out.

    One of the file that a network was read from has its `content`, without the numbers if there is an `array` of them, and the
    `field` that they go into.
    """

    dtype: str
    shape: tuple[int, ...]
    array: Callable[[], Array] | None
    content: bytes = b""
    field: str = "raw_data"

    @property
    def size(self) -> int:
        """Bytes of the elements."""
        return math.prod(self.shape) * numpy_dtype(self.dtype).itemsize

    def bytes(self) -> bytes:
        """The elements, little-endian, in row-major order."""
        assert self.array is not None
        values: Any = np.ascontiguousarray(self.array(), numpy_dtype(self.dtype))
        return (values.byteswap() if sys.byteorder == "big" else values).tobytes()


class Builder:
    """Collects the ONNX graph of one network.

    Inputs and outputs keep their names; layers and weights keep theirs where these are free.
    """

    def __init__(self, graph: Graph, opset: int = OPSET) -> None:
        self.graph = graph
        self.opset = opset
        self.domains: dict[str, int] = {"": opset}
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Constant] = {}
        self.names: dict[Value, str] = {}
        self.results: list[tuple[str, Value]] = []
        self.problems: list[Diagnostic] = []
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}
        self._shared: dict[object, str] = {}
        self._layer: Layer | None = None

    # -- names ------------------------------------------------------------------------------------------------------

    def unique(self, stem: str) -> str:
        """A free name, the stem where possible; ONNX reads an empty name as an absent value, so it is never empty."""
        stem = stem.encode("utf-8", "backslashreplace").decode() or "value"
        name, number = stem, self._numbers.get(stem, 1)
        while name in self._taken:
            number += 1
            name = f"{stem}_{number}"
        self._numbers[stem] = number
        self._taken.add(name)
        return name

    # -- constants --------------------------------------------------------------------------------------------------

    def reserve(self, names: Iterable[str]) -> None:
        """Say that names are taken."""
        self._taken.update(names)

    def share(self, weight: str, shape: tuple[int, ...], name: str) -> None:
        """Say that a tensor of this name already is the weight."""
        self._shared["weight", weight, shape] = name

    def scalar(self, value: float, dtype: str) -> str:
        """A tensor of rank 0 that holds a number, rounded to `dtype`; one object a value and dtype."""
        with np.errstate(over="ignore"):  # 1e308 is infinite in float32
            number = np.asarray(value, numpy_dtype(dtype))
        key = ("scalar", dtype, number.tobytes())
        return self._constant(key, f"{value:g}", Constant(dtype, (), lambda: number))

    def array(self, values: Array, dtype: str, stem: str) -> str:
        """A tensor that belongs to one layer."""
        return self._constant(None, stem, Constant(dtype, values.shape, lambda: values))

    def integers(self, values: Sequence[int]) -> str:
        """A vector of i64, such as a shape."""
        key = ("integers", tuple(values))
        return self._constant(key, "shape", Constant("i64", (len(values),), lambda: np.asarray(values, np.int64)))

    def weight(self, layer: Layer, role: str, shape: tuple[int, ...] | None = None) -> str:
        """The layer's weight in a role, optionally in another shape; weights that are shared stay shared."""
        weights, name, dtype = self.graph.weights, dict(layer.weights)[role], layer.type.dtype
        target = weights.shape(name) if shape is None else shape
        return self._constant(("weight", name, target), name, Constant(dtype, target, lambda: np.reshape(weights[name], target)))

    def _constant(self, key: object, stem: str, constant: Constant) -> str:
        if key is not None and key in self._shared:
            return self._shared[key]
        name = self.unique(stem)
        self.constants[name] = constant
        if key is not None:
            self._shared[key] = name
        return name

    # -- nodes ------------------------------------------------------------------------------------------------------

    def node(self, operator: str, inputs: Sequence[str], dtype: str, /, **attributes: Any) -> str:
        """Add a node that works on `dtype` and return the name of its output; raises OpError where the opset has no such."""
        if not accepts(operator, dtype, self.opset):
            unsupported(f"ONNX's {operator} is not defined for {dtype}{'' if self.opset == OPSET else f' in opset {self.opset}'}")
        if self.opset < OPSET:
            operator, inputs, attributes = older(self, operator, inputs, attributes)
        output = self.unique(f"{self._layer.name}/{operator}" if self._layer else operator)
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def begin(self, layer: Layer) -> None:
        """Name the nodes that follow after `layer`."""
        self._layer = layer

    def element(self, dtype: str) -> int:
        """ONNX's number of an element type."""
        return ELEMENT_TYPES[dtype]

    def bind(self, value: Value, name: str) -> None:
        """Say which ONNX value carries a value of the network."""
        self.names[value] = name

    def rename_last(self, name: str) -> str:
        """Give the output of the newest node another (reserved) name."""
        node = self.nodes[-1]
        node.output[0] = node.name = name
        return name

    def refuse(self, layer: Layer, error: OpError) -> None:
        """Remember that a layer cannot be exported."""
        span = layer.origin.span
        labels = (Label(span, error.remark),) if span else ()
        self.problems.append(Diagnostic(error.code, f"layer `{layer.name}` ({layer.op.name}): {error.message}", labels, help=error.help))

    def check(self) -> None:
        """Raise CnnirError naming every layer that was refused."""
        if self.problems:
            raise CnnirError(self.problems)
