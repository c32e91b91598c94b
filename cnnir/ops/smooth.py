"""Smooth activations, each by the formula that is compiled: its float behaviour is part of the definition."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from cnnir.diagnostics import OpError
from cnnir.scalar.expr import Expr, X, apply

from .elementwise import Elementwise


def sigmoid(x: Expr) -> Expr:
    """1 / (1 + exp(-x)): monotone in float as written, unlike exp(x) / (1 + exp(x))."""
    return 1 / (1 + apply("exp", -x))


def softplus(x: Expr) -> Expr:
    """log(1 + exp(x)), a primitive: where exp overflows, and where x is all that is left of it, depends on the dtype."""
    return apply("softplus", x)


@dataclass(frozen=True)
class Sigmoid(Elementwise):
    """1 / (1 + exp(-x))."""

    name: ClassVar[str] = "sigmoid"

    def formula(self) -> Expr:
        return sigmoid(X)


@dataclass(frozen=True)
class Softplus(Elementwise):
    """log(1 + exp(x))."""

    name: ClassVar[str] = "softplus"

    def formula(self) -> Expr:
        return softplus(X)


@dataclass(frozen=True)
class Softsign(Elementwise):
    """x / (1 + |x|)."""

    name: ClassVar[str] = "softsign"

    def formula(self) -> Expr:
        return X / (1 + apply("abs", X))


@dataclass(frozen=True)
class LogSigmoid(Elementwise):
    """log(1 / (1 + exp(-x))), as -softplus(-x)."""

    name: ClassVar[str] = "logsigmoid"

    def formula(self) -> Expr:
        return -softplus(-X)


@dataclass(frozen=True)
class Elu(Elementwise):
    """x where x > 0, a (exp(x) - 1) elsewhere."""

    name: ClassVar[str] = "elu"
    a: float = 1.0

    def formula(self) -> Expr:
        return apply("select", X, 0, X, self.a * apply("expm1", X))


@dataclass(frozen=True)
class Selu(Elementwise):
    """gamma (x where x > 0, alpha (exp(x) - 1) elsewhere), with the constants of Klambauer et al. 2017."""

    name: ClassVar[str] = "selu"
    alpha: float = 1.6732632423543772
    gamma: float = 1.0507009873554805

    def formula(self) -> Expr:
        return self.gamma * apply("select", X, 0, X, self.alpha * apply("expm1", X))


@dataclass(frozen=True)
class Celu(Elementwise):
    """max(x, 0) + min(0, a (exp(x / a) - 1))."""

    name: ClassVar[str] = "celu"
    a: float = 1.0

    def __post_init__(self) -> None:
        if self.a == 0:
            raise OpError("C0206", "`celu` needs a different from 0: it divides by it")

    def formula(self) -> Expr:
        return apply("max", X, 0) + apply("min", self.a * apply("expm1", X / self.a), 0)


@dataclass(frozen=True)
class Silu(Elementwise):
    """x / (1 + exp(-x)), by the formula x sigmoid(x)."""

    name: ClassVar[str] = "silu"

    def formula(self) -> Expr:
        return X * sigmoid(X)


@dataclass(frozen=True)
class Mish(Elementwise):
    """x tanh(softplus(x))."""

    name: ClassVar[str] = "mish"

    def formula(self) -> Expr:
        return X * apply("tanh", softplus(X))


@dataclass(frozen=True)
class Gelu(Elementwise):
    """x Phi(x): 0.5 x (1 + erf(x / sqrt 2)), or its tanh approximation."""

    name: ClassVar[str] = "gelu"
    form: Literal["erf", "tanh"] = "erf"

    def formula(self) -> Expr:
        if self.form == "erf":
            return 0.5 * X * (1 + apply("erf", X / math.sqrt(2)))
        cubic = X + 0.044715 * (X * X * X)
        return 0.5 * X * (1 + apply("tanh", math.sqrt(2 / math.pi) * cubic))


@dataclass(frozen=True)
class QuickGelu(Elementwise):
    """x sigmoid(1.702 x)."""

    name: ClassVar[str] = "quickgelu"

    def formula(self) -> Expr:
        return X * sigmoid(1.702 * X)


@dataclass(frozen=True)
class TanhShrink(Elementwise):
    """x - tanh(x)."""

    name: ClassVar[str] = "tanhshrink"

    def formula(self) -> Expr:
        return X - apply("tanh", X)


@dataclass(frozen=True)
class Rsqrt(Elementwise):
    """1 / sqrt(x)."""

    name: ClassVar[str] = "rsqrt"

    def formula(self) -> Expr:
        return 1 / apply("sqrt", X)


@dataclass(frozen=True)
class Reciprocal(Elementwise):
    """1 / x."""

    name: ClassVar[str] = "reciprocal"

    def formula(self) -> Expr:
        return 1 / X


def _of_primitive(primitive: str, title: str) -> type[Elementwise]:
    """An op that is one primitive and nothing else."""

    def formula(_self: Elementwise) -> Expr:
        return apply(primitive, X)

    body: dict[str, Any] = {"name": primitive, "formula": formula, "__doc__": title, "__module__": __name__}
    return dataclass(frozen=True)(type(primitive.capitalize(), (Elementwise,), body))


_FUNCTIONS = [
    "tanh", "exp", "expm1", "log", "log1p", "sqrt", "erf", "square", "sin", "cos", "tan",
    "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh",
]  # fmt: skip


def primitive_op(name: str) -> Elementwise:
    """The layer that is this function and nothing else, such as `exp`."""
    return next(op for op in PRIMITIVE_OPS if op.name == name)()


PRIMITIVE_OPS: tuple[type[Elementwise], ...] = tuple(_of_primitive(n, f"{n}(x).") for n in _FUNCTIONS)
"""One op per function that is a primitive of its own."""
