"""Activations: each is one layer, whose formula says everything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cnnir.ops import piecewise, smooth
from cnnir.ops.arithmetic import Add, Ceil, Div, Floor, Mul, Neg, Round
from cnnir.ops.base import Op
from cnnir.ops.gated import Glu
from cnnir.ops.logic import Greater, Where

from ..build import Build, Operand, Unsupported
from .table import Number, Rule, cast, known


def _layer(make: Callable[..., Op]) -> Rule:
    """One layer, its attributes from the arguments that stand behind the data."""

    def rule(build: Build, input: Operand, **attributes: Any) -> Operand:
        data = cast(build, input, build.wanted) if build.wanted else input  # the root of integers is a float
        return build.add(make(**attributes), data)

    return rule


def _leaky(negative_slope: Number = 0.01) -> Op:
    return piecewise.Leaky(float(negative_slope))


def _hardtanh(min_val: Number = -1, max_val: Number = 1) -> Op:
    if (min_val, max_val) == (0, 6):
        return piecewise.Relu6()
    return piecewise.HardTanh(float(min_val), float(max_val))


def _rrelu(lower: Number = 1 / 8, upper: Number = 1 / 3, training: bool = False, generator: None = None) -> Op:
    """In use its slope is the mean of what it is drawn from in training."""
    del training, generator
    return piecewise.Leaky((lower + upper) / 2)


def _elu(alpha: Number = 1, scale: Number = 1, input_scale: Number = 1) -> Op:
    selu = smooth.Selu()
    if (alpha, scale, input_scale) == (1.6732632423543772, 1.0507009873554805, 1):
        return selu
    if scale != 1 or input_scale != 1:
        raise Unsupported("ELU with scales")
    return smooth.Elu(float(alpha))


def _celu(alpha: Number = 1) -> Op:
    return smooth.Celu(float(alpha))


def _function(name: str) -> Callable[..., Op]:
    return lambda: smooth.primitive_op(name)


def _hardshrink(lambd: Number = 0.5) -> Op:
    return piecewise.HardShrink(float(lambd))


def _softshrink(lambd: Number = 0.5) -> Op:
    return piecewise.SoftShrink(float(lambd))


def _gelu(approximate: str = "none") -> Op:
    return smooth.Gelu("tanh" if approximate == "tanh" else "erf")


def _threshold(build: Build, input: Operand, threshold: Number, value: Number) -> Operand:
    """x where x > threshold, `value` elsewhere."""
    if value == 0:
        return build.add(piecewise.Threshold(float(threshold)), input)
    other = build.derived(np.asarray(value, build.type(input).numpy))
    return build.add(Where(), build.add(Greater(float(threshold)), input), input, other)


def _softplus(build: Build, input: Operand, beta: Number = 1, threshold: Number = 20) -> Operand:
    """log(1 + exp(beta x)) / beta; where PyTorch goes over to x, the difference is below a rounding of f32."""
    if threshold < 20:
        raise Unsupported("softplus with a threshold below 20")
    if beta == 1:
        return build.add(smooth.Softplus(), input)
    return build.add(Div(float(beta)), build.add(smooth.Softplus(), build.add(Mul(float(beta)), input)))


def _prelu(build: Build, input: Operand, weight: Operand) -> Operand:
    slope = known(weight, "the slope of a PReLU")
    channels = build.type(input).channels
    if slope.values.size == 1 and channels != 1:
        return build.add(piecewise.PRelu("tensor"), input, slope=build.reshaped(slope, ()))
    return build.add(piecewise.PRelu("channel"), input, slope=slope)


def _glu(build: Build, input: Operand, dim: int = -1) -> Operand:
    return build.add(Glu(build.axis(dim, len(build.shape(input)))), input)


def _log_sigmoid_forward(build: Build, input: Operand) -> tuple[Operand, None]:
    """The second result is a buffer for training."""
    return build.add(smooth.LogSigmoid(), input), None


def _erfc(build: Build, input: Operand) -> Operand:
    return build.add(Add(1.0), build.add(Neg(), build.add(smooth.primitive_op("erf"), input)))


_FUNCTIONS = (
    "tanh", "exp", "expm1", "log", "log1p", "sqrt", "erf", "square", "sin", "cos", "tan",
    "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh",
)  # fmt: skip

_LAYERS: Mapping[str, Callable[..., Op]] = {
    **{name: _function(name) for name in _FUNCTIONS},
    "relu": piecewise.Relu, "relu6": piecewise.Relu6, "hardtanh": _hardtanh, "leaky_relu": _leaky, "rrelu": _rrelu, "elu": _elu,
    "selu": smooth.Selu, "celu": _celu, "silu": smooth.Silu, "mish": smooth.Mish, "gelu": _gelu,
    "sigmoid": smooth.Sigmoid, "hardsigmoid": piecewise.HardSigmoid, "hardswish": piecewise.HardSwish, "log_sigmoid": smooth.LogSigmoid,
    "hardshrink": _hardshrink, "softshrink": _softshrink, "rsqrt": smooth.Rsqrt, "reciprocal": smooth.Reciprocal,
    "abs": piecewise.Abs, "sign": piecewise.Sign, "neg": Neg, "floor": Floor, "ceil": Ceil, "round": Round,
}  # fmt: skip

RULES: Mapping[str, Rule] = {
    **{name: _layer(make) for name, make in _LAYERS.items()},
    "threshold": _threshold, "softplus": _softplus, "prelu": _prelu, "_prelu_kernel": _prelu, "glu": _glu,
    "log_sigmoid_forward": _log_sigmoid_forward, "erfc": _erfc, "special_erfc": _erfc,
}  # fmt: skip
