"""Elementwise ops that are one ONNX operator with exactly their meaning. All others are written out by formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnir.ir.graph import Layer
from cnnir.ops import piecewise, smooth
from cnnir.ops.arithmetic import BatchNorm, Dropout
from cnnir.ops.elementwise import Elementwise

from .builder import Builder, accepts


@dataclass(frozen=True)
class Call:
    """One ONNX node: its operator, its attributes, and what it reads after the data."""

    operator: str
    attributes: Mapping[str, float | str] = field(default_factory=dict[str, "float | str"])
    numbers: tuple[float | None, ...] = ()
    """Scalars; None is an absent optional input."""
    roles: tuple[str, ...] = ()
    """Parameters by role."""
    broadcast: bool = False
    """Whether the parameters are shaped to broadcast along axis 1, rather than vectors of one number a channel."""
    least_rank: int = 0
    """Least rank of the data for which the operator is defined."""


def _clip(lo: float, hi: float) -> Call:
    bounds = (lo if lo > -math.inf else None, hi if hi < math.inf else None)
    return Call("Clip", numbers=bounds if any(b is not None for b in bounds) else ())


def _shrink(lambd: float, bias: float) -> Call | None:
    """Below 0 both of ONNX's conditions can hold at once."""
    return Call("Shrink", {"lambd": lambd, "bias": bias}) if lambd >= 0 else None


DIRECT: Mapping[type[Elementwise], Callable[[Any], Call | None]] = {
    Dropout: lambda op: Call("Identity"),
    BatchNorm: lambda op: Call("BatchNormalization", {"epsilon": op.eps}, roles=("scale", "bias", "mean", "variance"), least_rank=2),
    piecewise.Relu: lambda op: Call("Relu"),
    piecewise.Relu6: lambda op: _clip(0, 6),
    piecewise.Leaky: lambda op: Call("LeakyRelu", {"alpha": op.a}),
    piecewise.PRelu: lambda op: None if op.per == "input" else Call("PRelu", roles=("slope",), broadcast=True),
    piecewise.Clip: lambda op: _clip(op.lo, op.hi),
    piecewise.HardTanh: lambda op: _clip(op.lo, op.hi),
    piecewise.HardSigmoid: lambda op: Call("HardSigmoid", {"alpha": op.a, "beta": op.b}),
    piecewise.HardSwish: lambda op: Call("HardSwish"),
    piecewise.Threshold: lambda op: Call("ThresholdedRelu", {"alpha": op.alpha}),
    piecewise.Shrink: lambda op: _shrink(op.lambd, op.bias),
    piecewise.HardShrink: lambda op: _shrink(op.lambd, 0.0),
    piecewise.SoftShrink: lambda op: _shrink(op.lambd, op.lambd),
    smooth.Sigmoid: lambda op: Call("Sigmoid"),
    smooth.Softplus: lambda op: Call("Softplus"),
    smooth.Softsign: lambda op: Call("Softsign"),
    smooth.Elu: lambda op: Call("Elu", {"alpha": op.a}),
    smooth.Selu: lambda op: Call("Selu", {"alpha": op.alpha, "gamma": op.gamma}),
    smooth.Celu: lambda op: Call("Celu", {"alpha": op.a}),
    smooth.Mish: lambda op: Call("Mish"),
    smooth.Gelu: lambda op: Call("Gelu", {"approximate": "none" if op.form == "erf" else "tanh"}),
    smooth.Reciprocal: lambda op: Call("Reciprocal"),
}
"""Op class, exactly (a subclass may mean something else) -> the call, or None where these attributes need the formula."""


def direct(layer: Layer, opset: int) -> Call | None:
    """The one operator that means what the layer means on its dtype, or None.

    ONNX keeps numbers of attributes in float32, which is enough for every dtype but f64.
    """
    op = layer.op
    rule = DIRECT.get(type(op)) if isinstance(op, Elementwise) else None
    call = rule(op) if rule else None
    if call is None or not accepts(call.operator, layer.type.dtype, opset) or layer.type.rank < call.least_rank:
        return None
    numbers = [v for v in call.attributes.values() if not isinstance(v, str)]
    with np.errstate(over="ignore"):  # beyond float32 is another number there, too
        if layer.type.dtype == "f64" and any(float(np.float32(v)) != v for v in numbers):
            return None
    return call


def write(build: Builder, layer: Layer, call: Call, data: str) -> str:
    """Add the call's node."""
    t = layer.type
    inputs = [data, *("" if n is None else build.scalar(n, t.dtype) for n in call.numbers)]
    for role in call.roles:
        shape = build.graph.weights.shape(dict(layer.weights)[role])
        padded = (*shape, *(1,) * (t.rank - 1 - len(shape))) if call.broadcast and shape and t.rank >= 2 else shape
        inputs.append(build.weight(layer, role, padded))
    while inputs[-1] == "":
        inputs.pop()
    return build.node(call.operator, inputs, t.dtype, **call.attributes)
