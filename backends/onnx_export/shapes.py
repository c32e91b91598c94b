"""Layers that move, pick, reduce or convert elements: each is one ONNX operator, or a few."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cnnir.ir.graph import Layer
from cnnir.ops import rearrange, reduce, shape
from cnnir.ops.base import Op
from cnnir.ops.border import Pad
from cnnir.ops.constant import Constant
from cnnir.ops.conv_transpose import ConvTranspose
from cnnir.ops.convert import Affine, Dequantize, Quantize
from cnnir.ops.matmul import MatMul
from cnnir.ops.normal import InstanceNorm, LayerNorm, LogSoftmax
from cnnir.ops.resize import Resize
from cnnir.ops.special_pools import PoolPlaces
from cnnir.types import TensorType, numpy_dtype

from .builder import Builder, unsupported
from .older import along

Rule = Callable[[Builder, Layer, Sequence[str], Sequence[TensorType]], str]


def _plain(operator: str, attributes: Callable[[Any], Mapping[str, Any]] = lambda op: {}, *roles: str) -> Rule:
    """An operator on the data and weights, with attributes made from the op's."""

    def write(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
        inputs = [*data, *(build.weight(layer, role) for role in roles)]
        return build.node(operator, inputs, types[0].dtype, **attributes(layer.op))

    return write


def _with_integers(operator: str, values: Callable[[Any, TensorType, TensorType], Sequence[int]]) -> Rule:
    """An operator whose second input is a constant vector, from the op, the type of its data and that of its result."""

    def write(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
        numbers = values(layer.op, types[0], layer.type)
        return build.node(operator, [data[0], build.integers(numbers)], types[0].dtype)

    return write


def _squeeze(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    """Without axes it drops every axis of one element, in ONNX as here."""
    assert isinstance(layer.op, shape.Squeeze)
    axes = [build.integers(layer.op.axes)] if layer.op.axes else []
    return build.node("Squeeze", [data[0], *axes], types[0].dtype)


def _reduction(operator: str) -> Rule:
    def write(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
        assert isinstance(layer.op, reduce.Reduction)
        axes = build.integers(layer.op.over(types[0].rank))
        return build.node(operator, [data[0], axes], types[0].dtype, keepdims=int(layer.op.keepdims))

    return write


def _cumsum(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    op = layer.op
    assert isinstance(op, reduce.CumSum)
    axis = build.scalar(op.axis, "i64")
    return build.node("CumSum", [data[0], axis], types[0].dtype, exclusive=int(op.exclusive), reverse=int(op.reverse))


def _gather(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    """ONNX refuses indices outside the axis, which we take from its ends."""
    op = layer.op
    assert isinstance(op, rearrange.Gather)
    if op.indices is not None:
        indices = build.array(np.asarray(op.indices, np.int64), "i64", f"{layer.name}.indices")
    else:
        length = types[0].shape[op.axis]
        wide = data[1] if types[1].dtype == "i64" else build.node("Cast", [data[1]], "i64", to=build.element("i64"))
        indices = build.node("Clip", [wide, build.scalar(-length, "i64"), build.scalar(length - 1, "i64")], "i64")
    return build.node("Gather", [data[0], indices], types[0].dtype, axis=op.axis)


def _slice(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    assert isinstance(layer.op, shape.Slice)
    spans = layer.op.spans(types[0].shape)
    ends = [s.stop if s.stop >= 0 else -(1 << 62) for s in spans]
    columns = [[s.start for s in spans], ends, list(range(len(spans))), [s.step for s in spans]]
    return build.node("Slice", [data[0], *map(build.integers, columns)], types[0].dtype)


def _pad(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    op, t = layer.op, types[0]
    assert isinstance(op, Pad)
    widths = op.widths(t.rank)
    pads = build.integers([*(b for b, _ in widths), *(a for _, a in widths)])
    value = [build.scalar(op.value, t.dtype)] if op.mode == "constant" else []
    return build.node("Pad", [data[0], pads, *value], t.dtype, mode=op.mode)


def _resize(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    op, t = layer.op, types[0]
    assert isinstance(op, Resize)
    names = {"prefer_floor": "round_prefer_floor", "prefer_ceil": "round_prefer_ceil", "floor": "floor", "ceil": "ceil"}
    sizes = op.sizes(t)
    if op.size is None:
        scales = np.array([1, 1, *(scale for _, scale in sizes)], np.float32)
        inputs = [data[0], "", build.array(scales, "f32", f"{layer.name}.scales")]
    else:
        inputs = [data[0], "", "", build.integers([*t.shape[:2], *(length for length, _ in sizes)])]
    return build.node(
        "Resize", inputs, t.dtype,
        mode=op.mode, coordinate_transformation_mode=op.coordinates, nearest_mode=names[op.rounding],
    )  # fmt: skip


def _affine(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    """QuantizeLinear, DequantizeLinear."""
    op, t = layer.op, types[0]
    assert isinstance(op, Affine)
    quantizes = isinstance(op, Quantize)
    real, stored = (t.dtype, layer.type.dtype) if quantizes else (layer.type.dtype, t.dtype)
    if real == "f64":
        unsupported("ONNX quantizes 16 and 32 bit floats only")
    if stored not in (("i8", "u8") if quantizes else ("i8", "u8", "i32")):
        unsupported(f"ONNX has no such layer for {stored} before opset 21")
    zeros = np.broadcast_to(np.asarray(op.zero), np.shape(np.asarray(op.scale))).astype(numpy_dtype(stored))
    scale = build.array(np.asarray(op.scale).astype(numpy_dtype(real)), real, f"{layer.name}.scale")
    inputs = [data[0], scale, build.array(zeros, stored, f"{layer.name}.zero")]
    return build.node("QuantizeLinear" if quantizes else "DequantizeLinear", inputs, layer.type.dtype, axis=op.axis if op.per_axis else 1)


def _conv_transpose(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    op = layer.op
    assert isinstance(op, ConvTranspose)
    inputs = [data[0], build.weight(layer, "weight"), *([build.weight(layer, "bias")] if op.bias else [])]
    return build.node(
        "ConvTranspose", inputs, types[0].dtype,
        kernel_shape=op.kernel, strides=op.stride, pads=op.pad, dilations=op.dilation, group=op.groups, output_padding=op.output_pad,
    )  # fmt: skip


def _places(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    """The second output of MaxPool counts through the whole tensor, ours through one map."""
    op = layer.op
    assert isinstance(op, PoolPlaces)
    if op.ceil:
        unsupported("places of a pool in ceil mode are not exported")
    build.node("MaxPool", data, types[0].dtype, kernel_shape=op.kernel, strides=op.stride, pads=op.pad, dilations=op.dilation)
    places = build.unique(f"{layer.name}/places")
    build.nodes[-1].output.append(places)
    return build.node("Mod", [places, build.scalar(math.prod(types[0].spatial), "i64")], "i64")


def _log_softmax(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    assert isinstance(layer.op, LogSoftmax)
    return along(build, "LogSoftmax", data[0], types[0], layer.op.axis)


def _constant(build: Builder, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    return build.node("Identity", [build.weight(layer, "value")], layer.type.dtype)


def _position(op: reduce.Position) -> Mapping[str, Any]:
    return {"axis": op.axis, "keepdims": int(op.keepdims)}


_REDUCTIONS: Mapping[type[Op], str] = {
    reduce.ReduceSum: "ReduceSum", reduce.ReduceMean: "ReduceMean", reduce.ReduceMax: "ReduceMax", reduce.ReduceMin: "ReduceMin",
    reduce.ReduceProd: "ReduceProd", reduce.ReduceL1: "ReduceL1", reduce.ReduceL2: "ReduceL2", reduce.ReduceLogSum: "ReduceLogSum",
    reduce.ReduceSumSquare: "ReduceSumSquare", reduce.ReduceLogSumExp: "ReduceLogSumExp",
}  # fmt: skip
RULES: Mapping[type[Op], Rule] = {
    **{op: _reduction(operator) for op, operator in _REDUCTIONS.items()},
    reduce.ArgMax: _plain("ArgMax", _position),
    reduce.ArgMin: _plain("ArgMin", _position),
    reduce.CumSum: _cumsum,
    MatMul: _plain("MatMul"),
    rearrange.Gather: _gather,
    rearrange.Expand: _with_integers("Expand", lambda op, data, result: result.shape),
    rearrange.Tile: _with_integers("Tile", lambda op, data, result: op.repeats),
    rearrange.DepthToSpace: _plain("DepthToSpace", lambda op: {"blocksize": op.block, "mode": op.mode.upper()}),
    rearrange.SpaceToDepth: _plain("SpaceToDepth", lambda op: {"blocksize": op.block}),
    shape.Reshape: _with_integers("Reshape", lambda op, data, result: result.shape),
    shape.Squeeze: _squeeze,
    shape.Unsqueeze: _with_integers("Unsqueeze", lambda op, data, result: op.axes),
    shape.Transpose: _plain("Transpose", lambda op: {"perm": [axis % len(op.axes) for axis in op.axes]} if op.axes else {}),
    shape.Slice: _slice,
    Pad: _pad,
    Resize: _resize,
    ConvTranspose: _conv_transpose,
    Constant: _constant,
    PoolPlaces: _places,
    Quantize: _affine,
    Dequantize: _affine,
    InstanceNorm: _plain("InstanceNormalization", lambda op: {"epsilon": op.eps}, "scale", "bias"),
    LayerNorm: _plain("LayerNormalization", lambda op: {"axis": op.axis, "epsilon": op.eps}, "scale", "bias"),
    LogSoftmax: _log_softmax,
}
"""Op class, exactly -> how it is written."""
