"""One of two tensors, channel by channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from cnnir.scalar.expr import Expr, Param, Var, apply
from cnnir.types import TensorType

from .base import Parameter
from .elementwise import Elementwise


@dataclass(frozen=True)
class Choose(Elementwise):
    """a in the channels whose mask is positive, b in the others: choose(a, b)."""

    name: ClassVar[str] = "choose"
    inputs: ClassVar[tuple[int, int]] = (2, 2)
    activation: ClassVar[bool] = False
    floating: ClassVar[bool] = False

    def parameters(self, inputs: Sequence[TensorType]) -> Mapping[str, Parameter]:
        both = self.broadcast(inputs)
        return {"mask": Parameter((both.channels,), both.dtype, "around_zero", learned=False)}

    def formula(self) -> Expr:
        return apply("select", Param("mask"), 0, Var(0), Var(1))
