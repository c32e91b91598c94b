"""Layers that are not elementwise: convolution, dense, pools, softmax, LRN, flatten, concat."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from cnnir.diagnostics import OpError
from cnnir.ir.graph import Layer
from cnnir.ops.base import Op
from cnnir.ops.convolution import Conv, Dense
from cnnir.ops.elementwise import Elementwise, align
from cnnir.ops.pooling import Pooling
from cnnir.ops.tensor import Concat, Flatten, Lrn, Softmax
from cnnir.scalar.expr import Param, Var, leaves
from cnnir.types import TensorType, broadcast

from . import direct, formula, pools, shapes
from .builder import Array, Builder
from .older import along

Rule = Callable[[Builder, Layer, Sequence[str], Sequence[TensorType]], str]


def _conv(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    op = layer.op
    assert isinstance(op, Conv)
    inputs = [data[0], build.weight(layer, "weight"), *([build.weight(layer, "bias")] if op.bias else [])]
    return build.node(
        "Conv", inputs, types[0].dtype,
        kernel_shape=op.kernel, strides=op.stride, pads=op.pad, dilations=op.dilation, group=op.groups,
    )  # fmt: skip


def _dense(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    op = layer.op
    assert isinstance(op, Dense)
    inputs = [data[0], build.weight(layer, "weight"), *([build.weight(layer, "bias")] if op.bias else [])]
    return build.node("Gemm", inputs, types[0].dtype, transB=1)


def _softmax(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    assert isinstance(layer.op, Softmax)
    return along(build, "Softmax", data[0], types[0], layer.op.axis)


def _flatten(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    return build.node("Flatten", data, types[0].dtype, axis=1)


def _concat(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    assert isinstance(layer.op, Concat)
    return build.node("Concat", data, types[0].dtype, axis=layer.op.axis)


def _lrn(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    """ONNX's LRN has our window, but runtimes have it for images in f32 and odd sizes only; else it is written out."""
    op, t = layer.op, types[0]
    assert isinstance(op, Lrn)
    if t.rank == 4 and t.dtype == "f32" and op.size % 2:
        return build.node("LRN", data, t.dtype, size=op.size, alpha=op.alpha, beta=op.beta, bias=op.bias)
    before = (op.size - 1) // 2
    squares = build.node("Mul", [data[0], data[0]], t.dtype)
    planes = build.node("Reshape", [squares, build.integers([t.shape[0], 1, t.channels, math.prod(t.spatial)])], t.dtype)
    means = build.node(
        "AveragePool", [planes], t.dtype, kernel_shape=[op.size, 1], pads=[before, 0, op.size - 1 - before, 0], count_include_pad=1
    )
    means = build.node("Reshape", [means, build.integers(t.shape)], t.dtype)
    scaled = build.node("Mul", [means, build.scalar(op.alpha, t.dtype)], t.dtype)
    base = build.node("Add", [scaled, build.scalar(op.bias, t.dtype)], t.dtype)
    power = build.node("Pow", [base, build.scalar(op.beta, t.dtype)], t.dtype)
    return build.node("Div", [data[0], power], t.dtype)


STRUCTURAL: Mapping[type[Op], Rule] = {
    Conv: _conv, Dense: _dense, Softmax: _softmax, Lrn: _lrn, Flatten: _flatten, Concat: _concat,
}  # fmt: skip
"""Op class, exactly -> how it is written."""


def _elementwise(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    """The operator that means the same, or the formula."""
    op, t = layer.op, layer.type
    assert isinstance(op, Elementwise)
    call = direct.direct(layer, build.opset)
    if call is not None:
        return direct.write(build, layer, call, data[0])
    rank = max(i.rank for i in types)
    body = op.formula()
    coefficients: dict[str, Array] = {}
    names: dict[str, str] = {}
    if any(isinstance(leaf, Param) for leaf in leaves(body)):
        parameters = build.graph.parameters(layer.name)
        for role, given in op.coefficients(parameters).items():
            shaped = coefficients[role] = align(np.asarray(given), rank)
            if given is parameters.get(role):  # under the weight's own name, which other layers may share
                names[role] = build.weight(layer, role, shaped.shape)
            else:
                names[role] = build.array(shaped, t.dtype, f"{layer.name}.{role}")

    value = formula.emit(build, body, data, names.__getitem__, [i.dtype for i in types])
    shapes = [types[leaf.index].shape for leaf in leaves(body) if isinstance(leaf, Var)]
    shapes += [coefficients[leaf.role].shape for leaf in leaves(body) if isinstance(leaf, Param)]
    if broadcast(*shapes) != t.shape:  # the formula does not read all its inputs
        value = build.node("Expand", [value, build.integers(t.shape)], t.dtype)
    return value


def has_rule(op: Op) -> bool:
    """Whether an op is written as it is; others are written out as the layers that they say they are made of."""
    return type(op) in STRUCTURAL or type(op) in shapes.RULES or type(op).expand is Op.expand


def write(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    """Add the nodes of a layer and return the name of its value; raises OpError where ONNX cannot say it."""
    rule = STRUCTURAL.get(type(layer.op)) or shapes.RULES.get(type(layer.op))
    if rule is not None:
        return rule(build, layer, data, types)
    if isinstance(layer.op, Pooling):
        return pools.write(build, layer, data[0], types[0])
    if isinstance(layer.op, Elementwise):
        return _elementwise(build, layer, data, types)
    raise OpError("C0701", "the ONNX exporter does not know this op")
