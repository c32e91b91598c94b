"""Elementwise ops that are one function of PyTorch, with its gradient. All others are written out by formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional

from cnnir.ir.graph import Layer
from cnnir.ops import piecewise, smooth
from cnnir.ops.arithmetic import BatchNorm, Dropout
from cnnir.ops.elementwise import Elementwise

from .builder import Builder, Node
from .modes import BatchNorm as BatchNormMode
from .modes import Dropout as DropoutMode

Direct = Callable[[Builder, Layer, Node, Any], "Node | None"]
"""From the layer, its data and its op to a node, or None where these attributes need the formula."""


def _function(function: Callable[..., Any], arguments: Callable[[Any], tuple[Any, ...] | None] = lambda op: ()) -> Direct:
    def write(build: Builder, layer: Layer, data: Node, op: Any) -> Node | None:
        given = arguments(op)
        return None if given is None else build.call(function, data, *given)

    return write


def _clip(build: Builder, layer: Layer, data: Node, op: Any) -> Node:
    number = float if layer.type.is_float else int
    bounds = {k: number(v) for k, v in (("min", op.lo), ("max", op.hi)) if math.isfinite(v)}
    return build.call(torch.clamp, data, **bounds) if bounds else data


def _gelu(build: Builder, layer: Layer, data: Node, op: Any) -> Node:
    return build.call(functional.gelu, data, approximate="none" if op.form == "erf" else "tanh")


def _prelu(build: Builder, layer: Layer, data: Node, op: Any) -> Node | None:
    if op.per not in ("channel", "tensor") or layer.type.rank < 2:
        return None
    return build.call(functional.prelu, data, build.weight(layer, "slope", None if op.per == "channel" else (1,)))


def _batch_norm(build: Builder, layer: Layer, data: Node, op: BatchNorm) -> Node | None:
    """With the count of batches that PyTorch keeps beside running statistics, where the network came with one."""
    if layer.type.rank < 2:
        return None
    weights = [build.weight(layer, role) for role in ("mean", "variance", "scale", "bias")]
    mean = dict(layer.weights)["mean"]
    batches = f"{mean.removesuffix('running_mean')}num_batches_tracked"
    counted = mean.endswith("running_mean") and batches in build.graph.weights
    return build.mode(BatchNormMode(op.eps), data, *weights, *([build.attribute(batches)] if counted else []))


def _dropout(build: Builder, layer: Layer, data: Node, op: Dropout) -> Node:
    return build.mode(DropoutMode(op.rate), data)


DIRECT: Mapping[type[Elementwise], Direct] = {
    BatchNorm: _batch_norm,
    Dropout: _dropout,
    piecewise.Relu: _function(functional.relu),
    piecewise.Relu6: _function(functional.relu6),
    piecewise.Leaky: _function(functional.leaky_relu, lambda op: (op.a,)),
    piecewise.PRelu: _prelu,
    piecewise.Clip: _clip,
    piecewise.HardTanh: _function(functional.hardtanh, lambda op: (op.lo, op.hi)),
    piecewise.HardSigmoid: _function(functional.hardsigmoid, lambda op: () if (op.a, op.b) == (1 / 6, 0.5) else None),
    piecewise.HardSwish: _function(functional.hardswish),
    piecewise.Threshold: _function(functional.threshold, lambda op: (op.alpha, 0.0)),
    piecewise.HardShrink: _function(functional.hardshrink, lambda op: (op.lambd,) if op.lambd >= 0 else None),
    piecewise.SoftShrink: _function(functional.softshrink, lambda op: (op.lambd,) if op.lambd >= 0 else None),
    smooth.Sigmoid: _function(torch.sigmoid),
    smooth.Softplus: _function(functional.softplus),
    smooth.Softsign: _function(functional.softsign),
    smooth.LogSigmoid: _function(functional.logsigmoid),
    smooth.Elu: _function(functional.elu, lambda op: (op.a,)),
    smooth.Selu: _function(functional.selu, lambda op: () if op == smooth.Selu() else None),
    smooth.Celu: _function(functional.celu, lambda op: (op.a,)),
    smooth.Silu: _function(functional.silu),
    smooth.Mish: _function(functional.mish),
    smooth.Gelu: _gelu,
    smooth.TanhShrink: _function(functional.tanhshrink),
    smooth.Rsqrt: _function(torch.rsqrt),
    smooth.Reciprocal: _function(torch.reciprocal),
}
"""Op class, exactly (a subclass may mean something else) -> the function."""
_WHOLE_TOO = (piecewise.Relu, piecewise.Relu6, piecewise.Clip, piecewise.HardTanh, Dropout)
"""Ops that also work on integers."""


def direct(build: Builder, layer: Layer, data: Node) -> Node | None:
    """The one call that means what the layer means, or None."""
    rule = DIRECT.get(type(layer.op)) if isinstance(layer.op, Elementwise) else None
    if rule is None or not (layer.type.is_float or isinstance(layer.op, _WHOLE_TOO)):
        return None
    return rule(build, layer, data, layer.op)
