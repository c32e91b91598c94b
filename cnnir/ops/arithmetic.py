"""Arithmetic between tensors, or between a tensor and a number, and the affine layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np

from cnnir.scalar.expr import Expr, Param, Var, X, apply
from cnnir.types import TensorType

from .base import Array, Parameter, require
from .elementwise import Elementwise
from .piecewise import coefficient_shape


@dataclass(frozen=True)
class Binary(Elementwise):
    """A primitive of two operands: two tensors, or one tensor and `constant` (on the left where `reverse`)."""

    inputs: ClassVar[tuple[int, int]] = (1, 2)
    activation: ClassVar[bool] = False
    floating: ClassVar[bool] = False
    constant: float | None = None
    reverse: bool = field(default=False, metadata={"written": False})  # a language says it by the order of operands

    def __post_init__(self) -> None:
        require(self.constant is not None or not self.reverse, "C0206", f"`{self.name}` of two tensors has them in their order")

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        operands = len(inputs) + (self.constant is not None)
        require(operands == 2, "C0201", f"`{self.name}` takes two operands, got {operands}")
        return super().infer(inputs)

    def formula(self) -> Expr:
        if self.constant is None:
            return apply(self.name, Var(0), Var(1))
        return apply(self.name, self.constant, X) if self.reverse else apply(self.name, X, self.constant)


@dataclass(frozen=True)
class Add(Binary):
    """a + b."""

    name: ClassVar[str] = "add"


@dataclass(frozen=True)
class Sub(Binary):
    """a - b."""

    name: ClassVar[str] = "sub"


@dataclass(frozen=True)
class Mul(Binary):
    """a b."""

    name: ClassVar[str] = "mul"


@dataclass(frozen=True)
class Div(Binary):
    """a / b."""

    name: ClassVar[str] = "div"
    floating: ClassVar[bool] = True


@dataclass(frozen=True)
class Minimum(Binary):
    """The smaller of a and b."""

    name: ClassVar[str] = "min"


@dataclass(frozen=True)
class Maximum(Binary):
    """The larger of a and b."""

    name: ClassVar[str] = "max"


@dataclass(frozen=True)
class Power(Binary):
    """a to the power of b; NaN for a negative a and a b that is not whole."""

    name: ClassVar[str] = "pow"
    floating: ClassVar[bool] = True


@dataclass(frozen=True)
class Modulo(Binary):
    """What is left of a divided by b, with the sign of b (ONNX Mod of integers); 0 where an integer b is 0."""

    name: ClassVar[str] = "mod"


@dataclass(frozen=True)
class FloatModulo(Binary):
    """What is left of a divided by b, with the sign of a (C's fmod)."""

    name: ClassVar[str] = "fmod"
    floating: ClassVar[bool] = True


@dataclass(frozen=True)
class Neg(Elementwise):
    """-x."""

    name: ClassVar[str] = "neg"
    activation: ClassVar[bool] = False
    floating: ClassVar[bool] = False

    def formula(self) -> Expr:
        return apply("neg", X)


@dataclass(frozen=True)
class Floor(Elementwise):
    """The largest integer not above x."""

    name: ClassVar[str] = "floor"

    def formula(self) -> Expr:
        return apply("floor", X)


@dataclass(frozen=True)
class Ceil(Elementwise):
    """The smallest integer not below x."""

    name: ClassVar[str] = "ceil"

    def formula(self) -> Expr:
        return apply("ceil", X)


@dataclass(frozen=True)
class Round(Elementwise):
    """The nearest integer, halves to even."""

    name: ClassVar[str] = "round"

    def formula(self) -> Expr:
        return apply("round", X)


@dataclass(frozen=True)
class Dropout(Elementwise):
    """x: dropout is the identity at inference. `rate` is kept so that the network prints as it was written."""

    name: ClassVar[str] = "dropout"
    steady: ClassVar[bool] = False
    activation: ClassVar[bool] = False
    floating: ClassVar[bool] = False
    rate: float = 0.5

    def formula(self) -> Expr:
        return X


@dataclass(frozen=True)
class Bias(Elementwise):
    """x + bias; one number per channel, per tensor or per element."""

    name: ClassVar[str] = "bias"
    activation: ClassVar[bool] = False
    floating: ClassVar[bool] = False
    per: Literal["channel", "tensor", "element"] = "channel"

    def parameters(self, inputs: Sequence[TensorType]) -> Mapping[str, Parameter]:
        return {"bias": Parameter(coefficient_shape(self.per, inputs[0]), inputs[0].dtype, "around_zero")}

    def formula(self) -> Expr:
        return X + Param("bias")


@dataclass(frozen=True)
class Scale(Elementwise):
    """x times a factor; one number per channel, per tensor or per element."""

    name: ClassVar[str] = "scale"
    activation: ClassVar[bool] = False
    floating: ClassVar[bool] = False
    per: Literal["channel", "tensor", "element"] = "channel"

    def parameters(self, inputs: Sequence[TensorType]) -> Mapping[str, Parameter]:
        return {"factor": Parameter(coefficient_shape(self.per, inputs[0]), inputs[0].dtype, "around_zero")}

    def formula(self) -> Expr:
        return X * Param("factor")


@dataclass(frozen=True)
class BatchNorm(Elementwise):
    """(x - mean) / sqrt(variance + eps) * scale + bias, per channel, as one multiplication and one addition.

    The multiplier scale / sqrt(variance + eps) and the shift bias - mean multiplier are computed in float64 and
    rounded once.
    """

    name: ClassVar[str] = "batchnorm"
    steady: ClassVar[bool] = False
    activation: ClassVar[bool] = False
    eps: float = 1e-5

    def parameters(self, inputs: Sequence[TensorType]) -> Mapping[str, Parameter]:
        shape, dtype = (inputs[0].channels,), inputs[0].dtype
        near_one, near_zero = Parameter(shape, dtype, "around_one"), Parameter(shape, dtype, "around_zero")
        statistics = {"mean": replace(near_zero, learned=False), "variance": replace(near_one, learned=False)}
        return {"scale": near_one, "bias": near_zero, **statistics}

    def coefficients(self, parameters: Mapping[str, Array]) -> Mapping[str, Array]:
        scale, bias, mean, variance = (np.asarray(parameters[r], np.float64) for r in ("scale", "bias", "mean", "variance"))
        with np.errstate(all="ignore"):
            multiplier = scale / np.sqrt(variance + self.eps)
            shift = bias - mean * multiplier
        dtype = parameters["scale"].dtype
        return {"multiplier": multiplier.astype(dtype), "shift": shift.astype(dtype)}

    def formula(self) -> Expr:
        return X * Param("multiplier") + Param("shift")
