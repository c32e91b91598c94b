"""Every layer as calls of PyTorch: convolution, dense, softmax, LRN, concat here, the others in the files beside."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from cnnir.diagnostics import OpError
from cnnir.ir.graph import Layer
from cnnir.ops.base import Op
from cnnir.ops.conv_transpose import ConvTranspose
from cnnir.ops.convolution import Conv, Dense
from cnnir.ops.elementwise import Elementwise, align
from cnnir.ops.opaque import Opaque
from cnnir.ops.pooling import Pooling
from cnnir.ops.special_pools import MaxPoolPlaces, PoolPlaces
from cnnir.ops.tensor import Concat, Flatten, Lrn, Softmax
from cnnir.types import TensorType

from . import direct, formula, opaque, pools, shapes
from .builder import Builder, Node, unsupported
from .shapes import Rule

_CONV: Mapping[int, Any] = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_TRANSPOSED: Mapping[int, Any] = {
    1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d,
}  # fmt: skip


def _bias(build: Builder, layer: Layer) -> Node:
    return build.weight(layer, "bias") if "bias" in dict(layer.weights) else None


def _conv(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> Node:
    """PyTorch pads both sides of an axis alike; other borders are put there first."""
    op, value = layer.op, data[0]
    assert isinstance(op, Conv)
    axes = len(op.kernel)
    begins, ends = op.pad[:axes], op.pad[axes:]
    if begins != ends:
        value = build.call(functional.pad, value, [n for pair in reversed(list(zip(begins, ends, strict=True))) for n in pair])
        begins = (0,) * axes
    return build.call(_CONV[axes], value, build.weight(layer, "weight"), _bias(build, layer), op.stride, begins, op.dilation, op.groups)


def _conv_transpose(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> Node:
    """As PyTorch's where the pads are alike; else the whole of it is cut."""
    op = layer.op
    assert isinstance(op, ConvTranspose)
    axes, weight, bias = len(op.kernel), build.weight(layer, "weight"), _bias(build, layer)
    begins, ends = op.pad[:axes], op.pad[axes:]
    small = all(p < max(s, d) for p, s, d in zip(op.output_pad, op.stride, op.dilation, strict=True))
    if begins == ends and small:
        return build.call(_TRANSPOSED[axes], data[0], weight, bias, op.stride, begins, op.output_pad, op.groups, op.dilation)
    if any(op.output_pad):
        unsupported("PyTorch has no such output padding")
    whole = build.call(_TRANSPOSED[axes], data[0], weight, bias, op.stride, 0, 0, op.groups, op.dilation)
    cut = tuple(slice(b, b + n) for b, n in zip(begins, layer.type.spatial, strict=True))
    return build.call(operator.getitem, whole, (slice(None), slice(None), *cut))


def _dense(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> Node:
    return build.call(functional.linear, data[0], build.weight(layer, "weight"), _bias(build, layer))


def _softmax(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> Node:
    assert isinstance(layer.op, Softmax)
    return build.call(functional.softmax, data[0], layer.op.axis)


def _flatten(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> Node:
    return build.call(torch.flatten, data[0], 1) if types[0].rank > 1 else build.call(torch.reshape, data[0], layer.type.shape)


def _concat(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> Node:
    assert isinstance(layer.op, Concat)
    return build.call(torch.cat, list(data), layer.op.axis)


def _lrn(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> Node:
    """Of an even size PyTorch's window leans to the other side."""
    op = layer.op
    assert isinstance(op, Lrn)
    if op.size % 2 == 0 or types[0].rank < 3:
        unsupported("PyTorch normalises over an odd number of neighbours, of maps")
    return build.call(functional.local_response_norm, data[0], op.size, op.alpha, op.beta, op.bias)


RULES: Mapping[type[Op], Rule] = {
    Conv: _conv, ConvTranspose: _conv_transpose, Dense: _dense, Softmax: _softmax, Flatten: _flatten, Concat: _concat, Lrn: _lrn,
    MaxPoolPlaces: pools.places, PoolPlaces: pools.places, Opaque: opaque.call, **shapes.RULES,
}  # fmt: skip
"""Op class, exactly -> how it is written."""


def _elementwise(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> Node:
    """The function that means the same, or the formula. Weights are read where they lie, so that they can be trained."""
    op, rank = layer.op, max((t.rank for t in types), default=0)
    assert isinstance(op, Elementwise)
    found = direct.direct(build, layer, data[0])
    if found is not None:
        return found
    written = op.written(types[0])

    def coefficient(role: str) -> Node:
        if role in written:
            return build.constant(align(np.asarray(written[role]), rank))
        key = dict(layer.weights).get(role)
        if key is None:
            unsupported("its coefficients are computed from its weights")
        shape = build.graph.weights.shape(key)
        target = (*shape, *(1,) * (rank - 1 - len(shape))) if shape and rank > 1 else shape
        return build.weight(layer, role, target)

    value = formula.emit(build, op.formula(), data, coefficient, [t.dtype for t in types])
    return build.call(torch.full, layer.type.shape, value, dtype=build.dtype(layer.type.dtype)) if isinstance(value, int | float) else value


def has_rule(op: Op) -> bool:
    """Whether an op is written as it is; others are written out as the layers that they say they are made of."""
    return type(op) in RULES or type(op).expand is Op.expand


def write(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> tuple[Node, ...]:
    """Add the calls of a layer and return its outputs; raises OpError where PyTorch cannot say it."""
    rule = RULES.get(type(layer.op))
    if rule is not None:
        found = rule(build, layer, data, types)
        return found if isinstance(found, tuple) else (found,)
    if isinstance(layer.op, Pooling):
        return (pools.write(build, layer, data[0], types[0]),)
    if isinstance(layer.op, Elementwise):
        return (_elementwise(build, layer, data, types),)
    raise OpError("C0871", "no function of PyTorch is this layer")
