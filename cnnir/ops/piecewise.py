"""Piecewise linear activations: compare and select, exact in floating point (class E of laws.md section 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from cnnir.diagnostics import OpError
from cnnir.scalar.expr import Expr, Operand, Param, Var, X, apply
from cnnir.types import TensorType

from .base import Parameter
from .elementwise import Elementwise


def clamp(x: Expr, low: Operand, high: Operand) -> Expr:
    """min(max(x, low), high)."""
    return apply("min", apply("max", x, low), high)


@dataclass(frozen=True)
class Relu(Elementwise):
    """max(x, 0)."""

    name: ClassVar[str] = "relu"
    floating: ClassVar[bool] = False

    def formula(self) -> Expr:
        return apply("max", X, 0)


@dataclass(frozen=True)
class Relu6(Elementwise):
    """min(max(x, 0), 6)."""

    name: ClassVar[str] = "relu6"
    floating: ClassVar[bool] = False

    def formula(self) -> Expr:
        return clamp(X, 0, 6)


@dataclass(frozen=True)
class Leaky(Elementwise):
    """x where x > 0, a x elsewhere."""

    name: ClassVar[str] = "leaky"
    a: float = 0.01

    def formula(self) -> Expr:
        return apply("select", X, 0, X, self.a * X)


@dataclass(frozen=True)
class PRelu(Elementwise):
    """x where x > 0, slope x elsewhere; one slope per channel, per tensor or per element, or a second input (`per=input`)."""

    name: ClassVar[str] = "prelu"
    inputs: ClassVar[tuple[int, int]] = (1, 2)
    per: Literal["channel", "tensor", "element", "input"] = "channel"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        wanted = 1 + (self.per == "input")
        if len(inputs) != wanted:
            raise OpError(
                "C0201", f"`prelu` with per={self.per} takes {wanted} inputs, got {len(inputs)}", help="write `prelu(x, slope, per=input)`"
            )
        return super().infer(inputs)

    def parameters(self, inputs: Sequence[TensorType]) -> Mapping[str, Parameter]:
        if self.per == "input":
            return {}
        return {"slope": Parameter(coefficient_shape(self.per, inputs[0]), inputs[0].dtype, "slope")}

    def formula(self) -> Expr:
        return apply("select", X, 0, X, (Var(1) if self.per == "input" else Param("slope")) * X)


def coefficient_shape(per: str, t: TensorType) -> tuple[int, ...]:
    """Shape of a coefficient given once `per` tensor, channel or element (batch excluded)."""
    return {"tensor": (), "channel": (t.channels,), "element": t.shape[1:]}[per]


@dataclass(frozen=True)
class Clip(Elementwise):
    """min(max(x, lo), hi)."""

    name: ClassVar[str] = "clip"
    floating: ClassVar[bool] = False
    lo: float
    hi: float

    def __post_init__(self) -> None:
        if not self.lo <= self.hi:
            raise OpError("C0206", f"`{self.name}` needs lo <= hi, got {self.lo:g} and {self.hi:g}")

    def formula(self) -> Expr:
        return clamp(X, self.lo, self.hi)


@dataclass(frozen=True)
class HardTanh(Clip):
    """min(max(x, lo), hi), from -1 to 1 unless said otherwise."""

    name: ClassVar[str] = "hardtanh"
    lo: float = -1.0
    hi: float = 1.0


@dataclass(frozen=True)
class HardSigmoid(Elementwise):
    """min(max(a x + b, 0), 1)."""

    name: ClassVar[str] = "hardsigmoid"
    a: float = 1 / 6
    b: float = 0.5

    def formula(self) -> Expr:
        return clamp(self.a * X + self.b, 0, 1)


@dataclass(frozen=True)
class HardSwish(Elementwise):
    """x min(max(x / 6 + 0.5, 0), 1), by the formula x clip(x + 3, 0, 6) / 6."""

    name: ClassVar[str] = "hardswish"

    def formula(self) -> Expr:
        return X * clamp(X + 3, 0, 6) / 6


@dataclass(frozen=True)
class Threshold(Elementwise):
    """x where x > alpha, 0 elsewhere (ONNX ThresholdedRelu). A negative alpha jumps down to it: not monotone."""

    name: ClassVar[str] = "threshold"
    alpha: float = 1.0

    def formula(self) -> Expr:
        return apply("select", X, self.alpha, X, 0)


@dataclass(frozen=True)
class Shrink(Elementwise):
    """x + bias where x < -lambd, x - bias where x > lambd, 0 between (ONNX Shrink)."""

    name: ClassVar[str] = "shrink"
    lambd: float = 0.5
    bias: float = 0.0

    def formula(self) -> Expr:
        below = apply("select", -self.lambd, X, X + self.bias, 0)
        return apply("select", X, self.lambd, X - self.bias, below)


@dataclass(frozen=True)
class HardShrink(Elementwise):
    """x where |x| > lambd, 0 elsewhere."""

    name: ClassVar[str] = "hardshrink"
    lambd: float = 0.5

    def formula(self) -> Expr:
        return apply("select", X, self.lambd, X, apply("select", -self.lambd, X, X, 0))


@dataclass(frozen=True)
class SoftShrink(Elementwise):
    """x moved towards zero by lambd, and 0 where |x| <= lambd."""

    name: ClassVar[str] = "softshrink"
    lambd: float = 0.5

    def formula(self) -> Expr:
        return apply("select", X, self.lambd, X - self.lambd, apply("select", -self.lambd, X, X + self.lambd, 0))


@dataclass(frozen=True)
class Abs(Elementwise):
    """|x|."""

    name: ClassVar[str] = "abs"
    floating: ClassVar[bool] = False

    def formula(self) -> Expr:
        return apply("abs", X)


@dataclass(frozen=True)
class Sign(Elementwise):
    """-1, 0 or 1."""

    name: ClassVar[str] = "sign"
    floating: ClassVar[bool] = False

    def formula(self) -> Expr:
        return apply("sign", X)
