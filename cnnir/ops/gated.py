"""Gated units: one half of the channels decides how much of the other passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cnnir.types import TensorType

from .arithmetic import Mul
from .base import Array, Emit, Op, Value, require, require_float
from .shape import Slice, places
from .smooth import Sigmoid


@dataclass(frozen=True)
class Glu(Op):
    """a sigmoid(b), where a and b are the halves of an axis (PyTorch's GLU)."""

    name: ClassVar[str] = "glu"
    axis: int = 1

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require_float(self, inputs)
        shape = list(inputs[0].shape)
        (axis,) = places(self, [self.axis], len(shape))
        require(shape[axis] % 2 == 0, "C0207", f"an axis of {shape[axis]} elements has no halves")
        shape[axis] //= 2
        return (inputs[0].with_shape(tuple(shape)),)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        """In float64, rounded once."""
        a, b = np.split(inputs[0].astype(np.float64), 2, axis=self.axis)
        with np.errstate(all="ignore"):
            return ((a / (1 + np.exp(-b))).astype(inputs[0].dtype),)

    def expand(self, emit: Emit, data: Sequence[Value], types: Sequence[TensorType]) -> tuple[Value, ...]:
        half = types[0].shape[self.axis] // 2
        a, b = (emit(Slice((k * half,), ((k + 1) * half,), (self.axis,)), data[0]) for k in (0, 1))
        return (emit(Mul(), a, emit(Sigmoid(), b)),)
