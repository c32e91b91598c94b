"""A tensor that is the same in every run: for operands that are no layer's parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cnnir.types import TensorType

from .base import Array, Op, Parameter

if TYPE_CHECKING:
    from cnnir.facts.interval import Interval
    from cnnir.facts.precision import Precision


@dataclass(frozen=True)
class Constant(Op):
    """The parameter `value`, of this type."""

    name: ClassVar[str] = "constant"
    inputs: ClassVar[tuple[int, int]] = (0, 0)
    type: TensorType

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        return (self.type,)

    def parameters(self, inputs: Sequence[TensorType]) -> Mapping[str, Parameter]:
        return {"value": Parameter(self.type.shape, self.type.dtype, "around_zero")}

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        return (np.asarray(parameters["value"]),)

    def output_range(
        self,
        inputs: Sequence[Interval],
        types: Sequence[TensorType],
        parameters: Callable[[], Mapping[str, Array]],
        precision: Precision,
    ) -> Interval:
        """Of the real elements."""
        from cnnir.facts.interval import around  # facts are about ops, so ops come first

        return around(np.ravel(np.asarray(parameters()["value"], np.float64)).tolist())
