"""A node as its reader sees it: attributes with their types checked, inputs that are values or known arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from onnx import AttributeProto, NodeProto, TensorProto

from cnnir.diagnostics import Span
from cnnir.ir.graph import Value
from cnnir.ir.weights import Computed, Held, WeightSource
from cnnir.types import TensorType, dtype_name

from .problems import refuse

Array = np.ndarray[Any, Any]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Known:
    """A tensor that is the same in every run: an initializer, a constant, or what was computed of them. Read when asked for.

    `narrow` is ONNX's element type where elements are kept in a wider one.
    """

    name: str
    type: TensorType
    source: WeightSource
    narrow: int = 0

    def array(self) -> Array:
        """The elements."""
        return np.asarray(self.source.array())

    def turned(self, what: str, shape: Sequence[int], make: Callable[[Array], Array], dtype: str | None = None) -> Known:
        """Another array made of this one when it is asked for; `what` goes into its name."""
        kind = TensorType(dtype or self.type.dtype, tuple(shape))
        source = Computed(kind.shape, kind.numpy, lambda: np.ascontiguousarray(make(self.array()), kind.numpy))
        return Known(f"{self.name}.{what}", kind, source)

    def reshaped(self, shape: Sequence[int]) -> Known:
        """The same elements with another shape."""
        if tuple(shape) == self.type.shape:
            return self
        wanted = tuple(shape)
        return self.turned("x".join(map(str, wanted)) or "scalar", wanted, lambda a: a.reshape(wanted))


def known(name: str, array: Array) -> Known:
    """An array as a known tensor; raises KeyError for a dtype that we have no name for."""
    return Known(name, TensorType(dtype_name(array.dtype), array.shape), Held(array))


Operand = Value | Known


@dataclass(frozen=True, eq=False)
class Node:
    """One node: its proto, its inputs by slot (None where absent), the names of its outputs, and where it is written.

    `version` is the opset version in which the operator got the meaning it has here; `opset` is that of the model.
    """

    proto: NodeProto
    inputs: Sequence[Operand | None]
    outputs: Sequence[str]
    span: Span
    version: int
    opset: int
    attributes: Mapping[str, AttributeProto]

    @property
    def op(self) -> str:
        """The operator."""
        return self.proto.op_type

    @property
    def title(self) -> str:
        """What diagnostics call it."""
        return f"`{self.proto.name}` ({self.op})" if self.proto.name else f"the {self.op} that makes `{(*self.outputs, '')[0]}`"

    def has(self, name: str) -> bool:
        """Whether an attribute is there."""
        return name in self.attributes

    def _get(self, name: str, kind: int, what: str) -> AttributeProto | None:
        found = self.attributes.get(name)
        if found is not None and found.type != kind:
            raise refuse("C0811", f"attribute `{name}` of {self.title} must be {what}", self.span)
        return found

    def int(self, name: str, default: int = 0) -> int:
        """A whole number."""
        found = self._get(name, AttributeProto.INT, "a whole number")
        return default if found is None else found.i

    def float(self, name: str, default: float = 0.0) -> float:
        """A number."""
        found = self._get(name, AttributeProto.FLOAT, "a number")
        if found is not None and math.isnan(found.f):
            raise refuse("C0206", f"attribute `{name}` of {self.title} is not a number", self.span)
        return default if found is None else found.f

    def text(self, name: str, default: str = "") -> str:
        """A word."""
        found = self._get(name, AttributeProto.STRING, "a string")
        return default if found is None else found.s.decode("utf-8", "replace")

    def ints(self, name: str) -> tuple[int, ...] | None:
        """Whole numbers, or None."""
        found = self._get(name, AttributeProto.INTS, "a list of whole numbers")
        return None if found is None else tuple(found.ints)

    def floats(self, name: str) -> tuple[float, ...] | None:
        """Numbers, or None."""
        found = self._get(name, AttributeProto.FLOATS, "a list of numbers")
        return None if found is None else tuple(found.floats)

    def tensor(self, name: str) -> TensorProto | None:
        """A tensor, or None."""
        found = self._get(name, AttributeProto.TENSOR, "a tensor")
        return None if found is None else found.t

    def input(self, slot: int) -> Operand | None:
        """The input of a slot; None where it is absent."""
        return self.inputs[slot] if slot < len(self.inputs) else None

    def data(self, slot: int = 0) -> Operand:
        """An input that must be there."""
        found = self.input(slot)
        if found is None:
            raise refuse("C0811", f"{self.title} has no input {slot}", self.span)
        return found

    def wants(self, slot: int) -> bool:
        """Whether an output is asked for."""
        return slot < len(self.outputs) and bool(self.outputs[slot])
