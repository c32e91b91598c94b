"""Products of matrices that are both computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cnnir.diagnostics import OpError
from cnnir.types import TensorType

from .base import Array, Op, require_numbers


@dataclass(frozen=True)
class MatMul(Op):
    """The product of the last two axes, the others broadcast, as NumPy's `matmul`: a vector on either side loses its axis."""

    name: ClassVar[str] = "matmul"
    inputs: ClassVar[tuple[int, int]] = (2, 2)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require_numbers(self, inputs)
        a, b = inputs
        if a.dtype != b.dtype:
            raise OpError("C0205", "`matmul` needs inputs of one dtype", slot=1)
        if not (a.rank and b.rank):
            raise OpError("C0202", "`matmul` needs inputs of rank 1 or more", help="use `mul`", slot=0 if not a.rank else 1)
        left, right = a.shape if a.rank > 1 else (1, *a.shape), b.shape if b.rank > 1 else (*b.shape, 1)
        try:
            batch = np.broadcast_shapes(left[:-2], right[:-2])
        except ValueError:
            batch = None
        if batch is None or left[-1] != right[-2]:
            raise OpError("C0204", f"the inputs of `matmul` do not fit together: {a} and {b}", slot=1)
        rows, columns = ([left[-2]] if a.rank > 1 else []), ([right[-1]] if b.rank > 1 else [])
        return (a.with_shape((*batch, *rows, *columns)),)

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        return outputs[0].elements * inputs[0].shape[-1]

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        """Floats summed in float64 and rounded once; integers wrap around."""
        a, b = inputs
        if a.dtype.kind in "iu":
            return (np.asarray(np.matmul(a, b)),)
        with np.errstate(all="ignore"):
            return (np.asarray(np.matmul(a.astype(np.float64), b.astype(np.float64))).astype(a.dtype),)
