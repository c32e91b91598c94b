"""Activations: each is a layer of ours, with ONNX's defaults."""

from __future__ import annotations

import math

import numpy as np

from cnnir.ops.arithmetic import Mul
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.piecewise import Clip, HardSigmoid, HardSwish, Leaky, PRelu, Relu, Shrink, Threshold
from cnnir.ops.smooth import Celu, Elu, Gelu, Mish, Selu, Sigmoid, Silu, Softplus, Softsign

from ..context import Context
from ..node import Known, Node, Operand
from ..registry import Unreadable, reads
from .arithmetic import extreme, one_a_channel

_SELU = Selu()


def _layer(node: Node) -> Elementwise:
    make = {
        "Relu": Relu,
        "Sigmoid": Sigmoid,
        "Softplus": Softplus,
        "Softsign": Softsign,
        "HardSwish": HardSwish,
        "Mish": Mish,
        "LeakyRelu": lambda: Leaky(node.float("alpha", 0.01)),
        "Elu": lambda: Elu(node.float("alpha", 1.0)),
        "Celu": lambda: Celu(node.float("alpha", 1.0)),
        "Selu": lambda: Selu(node.float("alpha", _SELU.alpha), node.float("gamma", _SELU.gamma)),
        "HardSigmoid": lambda: HardSigmoid(node.float("alpha", 0.2), node.float("beta", 0.5)),
        "ThresholdedRelu": lambda: Threshold(node.float("alpha", 1.0)),
        "Shrink": lambda: Shrink(node.float("lambd", 0.5), node.float("bias", 0.0)),
        "Gelu": lambda: Gelu("tanh" if node.text("approximate", "none") == "tanh" else "erf"),
    }
    return make[node.op]()


@reads(
    "Relu", "Sigmoid", "Softplus", "Softsign", "HardSwish", "Mish", "LeakyRelu", "Elu", "Celu", "Selu", "HardSigmoid",
    "ThresholdedRelu", "Shrink", "Gelu",
)  # fmt: skip
def activation(node: Node, context: Context) -> Operand:
    """An activation of one input."""
    return context.emit(_layer(node), node.data())


@reads("Swish")
def swish(node: Node, context: Context) -> Operand:
    """x sigmoid(alpha x)."""
    alpha = node.float("alpha", 1.0)
    if alpha == 1:
        return context.emit(Silu(), node.data())
    return context.emit(Mul(), node.data(), context.emit(Sigmoid(), context.emit(Mul(alpha), node.data())))


@reads("PRelu")
def prelu(node: Node, context: Context) -> Operand:
    """PRelu: one slope a channel or a tensor where that is what the slopes are, else a second input."""
    data, slope = context.type(node.data()), node.data(1)
    shape = context.type(slope).shape
    if isinstance(slope, Known) and data.is_float:
        if math.prod(shape) == 1:
            return context.emit(PRelu("tensor"), node.data(), slope=slope.reshaped(()))
        if one_a_channel(shape, data):
            return context.emit(PRelu("channel"), node.data(), slope=slope.reshaped((data.channels,)))
    return context.emit(PRelu("input"), node.data(), slope)


@reads("Clip")
def clip(node: Node, context: Context) -> Operand:
    """Clip: bounds are attributes up to opset 10, then inputs, any of which may be absent or computed."""
    data = context.type(node.data())
    if node.version < 11:
        least, most = float(np.finfo(np.float32).min), float(np.finfo(np.float32).max)
        return _clipped(context, node.data(), node.float("min", least), node.float("max", most))
    low, high = node.input(1), node.input(2)
    numbers = [_number(bound) for bound in (low, high)]
    if None not in numbers and (low or high):
        bounds = [(-math.inf, math.inf)[k] if bound is None else numbers[k] for k, bound in enumerate((low, high))]
        if data.is_float and bounds[0] is not None and bounds[1] is not None and bounds[0] <= bounds[1]:
            return _clipped(context, node.data(), bounds[0], bounds[1])
    value = node.data()
    for bound, larger in ((low, True), (high, False)):
        value = value if bound is None else extreme(context, value, bound, larger)
    return value


def _clipped(context: Context, data: Operand, low: float, high: float) -> Operand:
    if low > high:
        raise Unreadable(f"its least is {low:g}, above its greatest, {high:g}")
    return context.emit(Clip(low, high), data)


def _number(bound: Operand | None) -> float | None:
    """The number that a bound is; infinity stands for one that is absent, None for one that is not known."""
    if bound is None:
        return math.inf
    return float(bound.array().reshape(-1)[0]) if isinstance(bound, Known) and bound.type.elements == 1 else None
