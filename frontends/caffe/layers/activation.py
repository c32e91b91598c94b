"""Elementwise functions without weights, and PReLU."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from cnnir.ir.graph import Value
from cnnir.ops.arithmetic import Add, Dropout, Mul, Power
from cnnir.ops.convert import Cast
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.logic import Greater
from cnnir.ops.piecewise import Abs, Clip, Leaky, PRelu, Relu, Relu6
from cnnir.ops.smooth import Elu, Sigmoid, Silu, Softplus, primitive_op

from ..site import Site
from .registry import layer

_PLAIN: dict[str, Callable[[], Elementwise]] = {
    "AbsVal": Abs, "BNLL": Softplus, "ReLU6": Relu6, "Sigmoid": Sigmoid, "TanH": lambda: primitive_op("tanh"),
}  # fmt: skip


@layer(*_PLAIN)
def plain(site: Site) -> Sequence[Value]:
    """Functions that have no parameter."""
    return [site.emit(_PLAIN[site.layer.type]())]


@layer("ReLU")
def relu(site: Site) -> Sequence[Value]:
    """max(x, 0), or x times `negative_slope` below 0."""
    slope = site.parameter("relu_param").real("negative_slope")
    return [site.emit(Leaky(slope) if slope else Relu())]


@layer("PReLU")
def prelu(site: Site) -> Sequence[Value]:
    """One slope a channel, or one for all."""
    shared = site.parameter("prelu_param").flag("channel_shared")
    op = PRelu("tensor" if shared else "channel")
    return [site.emit(op, weights={"slope": site.numbers(0, op.parameters([site.type])["slope"].shape)})]


@layer("ELU")
def elu(site: Site) -> Sequence[Value]:
    """x, or alpha (exp(x) - 1) below 0."""
    return [site.emit(Elu(site.parameter("elu_param").real("alpha")))]


@layer("Clip")
def clip(site: Site) -> Sequence[Value]:
    """min(max(x, min), max)."""
    said = site.parameter("clip_param")
    if said.real("min") > said.real("max"):
        raise site.refuse("`min` is above `max`", said, "min", "C0206")
    return [site.emit(Clip(said.real("min"), said.real("max")))]


@layer("Swish")
def swish(site: Site) -> Sequence[Value]:
    """x sigmoid(beta x)."""
    beta = site.parameter("swish_param").real("beta")
    if beta == 1:
        return [site.emit(Silu())]
    gate = site.emit(Sigmoid(), _scaled(site, site.data, beta), suffix="sigmoid")
    return [site.emit(Mul(), site.data, gate)]


@layer("Dropout")
def dropout(site: Site) -> Sequence[Value]:
    """The identity at inference."""
    return [site.emit(Dropout(site.parameter("dropout_param").real("dropout_ratio")))]


@layer("Threshold")
def threshold(site: Site) -> Sequence[Value]:
    """1 above the threshold, 0 elsewhere."""
    above = site.emit(Greater(site.parameter("threshold_param").real("threshold")), suffix="greater")
    return [site.emit(Cast(site.type.dtype), above)]  # type: ignore[arg-type]


@layer("Exp")
def exponential(site: Site) -> Sequence[Value]:
    """base^(shift + scale x), as Caffe computes it: exp(ln(base) scale x) times base^shift."""
    said = site.parameter("exp_param")
    log_base = _log_base(site)
    power = site.emit(primitive_op("exp"), _scaled(site, site.data, log_base * said.real("scale")))
    return [_scaled(site, power, math.exp(min(log_base * said.real("shift"), 700)))]


@layer("Log")
def logarithm(site: Site) -> Sequence[Value]:
    """log(shift + scale x) to the base."""
    said = site.parameter("log_param")
    inside = _shifted(site, _scaled(site, site.data, said.real("scale")), said.real("shift"))
    return [_scaled(site, site.emit(primitive_op("log"), inside), 1 / _log_base(site))]


def _log_base(site: Site) -> float:
    """The natural logarithm of `base`, which is e where it is -1."""
    name = {"Exp": "exp_param", "Log": "log_param"}[site.layer.type]
    said = site.parameter(name)
    base = said.real("base")
    if base == -1:
        return 1.0
    if base <= 0 or base == 1:
        raise site.refuse("`base` is above 0 and not 1, or -1, which stands for e", said, "base", "C0206")
    return math.log(base)


@layer("Power")
def power(site: Site) -> Sequence[Value]:
    """(shift + scale x)^power."""
    said = site.parameter("power_param")
    value = _shifted(site, _scaled(site, site.data, said.real("scale")), said.real("shift"))
    exponent = said.real("power")
    if exponent == 2:
        value = site.emit(primitive_op("square"), value)
    elif exponent != 1:
        value = site.emit(Power(exponent), value)
    return [value]


def _scaled(site: Site, value: Value, factor: float) -> Value:
    return value if factor == 1 else site.emit(Mul(factor), value, suffix="scale")


def _shifted(site: Site, value: Value, shift: float) -> Value:
    return value if shift == 0 else site.emit(Add(shift), value, suffix="shift")
