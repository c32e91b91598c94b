"""Comparisons, logic between truth values, and choosing by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cnnir.diagnostics import OpError
from cnnir.scalar.expr import Expr, Var, apply
from cnnir.types import TensorType

from .arithmetic import Binary
from .base import require
from .elementwise import Elementwise


@dataclass(frozen=True)
class Comparison(Binary):
    """A truth value for each pair of numbers; comparing with NaN is false, but for `not_equal`."""

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        return (TensorType("bool", super().infer(inputs)[0].shape),)


@dataclass(frozen=True)
class Equal(Comparison):
    """a = b."""

    name: ClassVar[str] = "equal"


@dataclass(frozen=True)
class NotEqual(Comparison):
    """a != b."""

    name: ClassVar[str] = "not_equal"


@dataclass(frozen=True)
class Less(Comparison):
    """a < b."""

    name: ClassVar[str] = "less"


@dataclass(frozen=True)
class LessEqual(Comparison):
    """a <= b."""

    name: ClassVar[str] = "less_equal"


@dataclass(frozen=True)
class Greater(Comparison):
    """a > b."""

    name: ClassVar[str] = "greater"


@dataclass(frozen=True)
class GreaterEqual(Comparison):
    """a >= b."""

    name: ClassVar[str] = "greater_equal"


@dataclass(frozen=True)
class Logic(Elementwise):
    """Truth values of truth values."""

    inputs: ClassVar[tuple[int, int]] = (2, 2)
    activation: ClassVar[bool] = False

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        for slot, t in enumerate(inputs):
            if t.dtype != "bool":
                raise OpError("C0205", f"`{self.name}` needs truth values", help="put `cast(bool)` in front of it", slot=slot)
        return (self.broadcast(inputs),)

    def formula(self) -> Expr:
        return apply(self.name, *map(Var, range(self.inputs[0])))


@dataclass(frozen=True)
class And(Logic):
    """Both."""

    name: ClassVar[str] = "and"


@dataclass(frozen=True)
class Or(Logic):
    """One of them, or both."""

    name: ClassVar[str] = "or"


@dataclass(frozen=True)
class Xor(Logic):
    """One of them."""

    name: ClassVar[str] = "xor"


@dataclass(frozen=True)
class Not(Logic):
    """The other truth value."""

    name: ClassVar[str] = "not"
    inputs: ClassVar[tuple[int, int]] = (1, 1)


@dataclass(frozen=True)
class Where(Elementwise):
    """`where(condition, a, b)`: a where the condition is true, b elsewhere. The three are broadcast together."""

    name: ClassVar[str] = "where"
    inputs: ClassVar[tuple[int, int]] = (3, 3)
    activation: ClassVar[bool] = False

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        condition, a, b = inputs
        require(condition.dtype == "bool", "C0205", "`where` chooses by truth values", help="compare, or put `cast(bool)` in front of it")
        require(a.dtype == b.dtype, "C0205", f"`where` chooses between elements of one dtype, got {a} and {b}")
        try:
            return (a.with_shape(np.broadcast_shapes(*(t.shape for t in inputs))),)
        except ValueError:
            shapes = ", ".join(map(str, inputs))
            raise OpError("C0204", f"the inputs of `where` do not fit together: {shapes}", slot=2) from None

    def formula(self) -> Expr:
        return apply("where", Var(0), Var(1), Var(2))
