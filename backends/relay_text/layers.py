"""Layers as Relay statements: a rule an op class, for elementwise ones their formula."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cnnir.diagnostics import OpError
from cnnir.ir.graph import Layer
from cnnir.ops.base import Op
from cnnir.ops.border import Pad
from cnnir.ops.constant import Constant
from cnnir.ops.conv_transpose import ConvTranspose
from cnnir.ops.convolution import Conv, Dense
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.pooling import Pooling
from cnnir.ops.rearrange import Tile
from cnnir.ops.reduce import ArgMax, ArgMin, Position, ReduceMax, ReduceMean, ReduceMin, ReduceProd, ReduceSum, Reduction
from cnnir.ops.shape import Reshaping, Slice, Split, Transpose
from cnnir.ops.tensor import Concat, Flatten, Lrn, Softmax
from cnnir.types import TensorType, numpy_dtype

from . import formula, pools
from .writer import Writer

Rule = Callable[[Writer, Layer, Sequence[str], Sequence[TensorType]], str]


def _conv(writer: Writer, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    op, t = layer.op, layer.type
    assert isinstance(op, Conv | ConvTranspose)
    axes, turned = len(op.kernel), isinstance(op, ConvTranspose)
    more = {"output_padding": op.output_pad} if isinstance(op, ConvTranspose) else {}
    value = writer.call(
        f"nn.conv{axes}d{'_transpose' * turned}", [data[0], writer.weight(layer, "weight")], t,
        strides=op.stride, padding=op.pad, dilation=op.dilation, groups=op.groups, channels=op.out, kernel_size=op.kernel, **more,
    )  # fmt: skip
    return writer.call("nn.bias_add", [value, writer.weight(layer, "bias")], t, axis=1) if op.bias else value


def _dense(writer: Writer, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    op, t = layer.op, layer.type
    assert isinstance(op, Dense)
    value = writer.call("nn.dense", [data[0], writer.weight(layer, "weight")], t, units=op.out)
    return writer.call("nn.bias_add", [value, writer.weight(layer, "bias")], t, axis=1) if op.bias else value


def _softmax(writer: Writer, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    assert isinstance(layer.op, Softmax)
    return writer.call("nn.softmax", data, layer.type, axis=layer.op.axis)


def _lrn(writer: Writer, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    op = layer.op
    assert isinstance(op, Lrn)
    if op.size % 2 == 0 or types[0].rank != 4:
        raise OpError("C0720", "it normalises maps over an odd number of channels only")
    return writer.call("nn.lrn", data, layer.type, size=op.size, axis=1, bias=float(op.bias), alpha=float(op.alpha), beta=float(op.beta))


def _reshape(writer: Writer, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    return writer.call("reshape", data, layer.type, newshape=layer.type.shape)


def _flatten(writer: Writer, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    return writer.call("nn.batch_flatten", data, layer.type) if types[0].rank > 1 else _reshape(writer, layer, data, types)


def _transpose(writer: Writer, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    assert isinstance(layer.op, Transpose)
    return writer.call("transpose", data, layer.type, axes=layer.op.order(types[0].rank))


def _concat(writer: Writer, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    assert isinstance(layer.op, Concat)
    return writer.call("concatenate", [writer.tuple(data, types)], layer.type, axis=layer.op.axis)


def _slice(writer: Writer, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    assert isinstance(layer.op, Slice)
    spans = layer.op.spans(types[0].shape)
    if any(span.step < 1 for span in spans):
        raise OpError("C0720", "a slice that goes backwards")
    begin, end, step = [s.start for s in spans], [s[-1] + 1 for s in spans], [s.step for s in spans]
    return writer.call("strided_slice", data, layer.type, begin=begin, end=end, strides=step, axes=range(types[0].rank))


def _pad(writer: Writer, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    op = layer.op
    assert isinstance(op, Pad)
    value = writer.scalar(op.value, types[0].dtype)
    return writer.call("nn.pad", [data[0], value], layer.type, pad_width=op.widths(types[0].rank), pad_mode=op.mode)


def _tile(writer: Writer, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    assert isinstance(layer.op, Tile)
    return writer.call("tile", data, layer.type, reps=layer.op.repeats)


_REDUCTIONS: Mapping[type[Op], str] = {ReduceSum: "sum", ReduceProd: "prod", ReduceMax: "max", ReduceMin: "min", ReduceMean: "mean"}


def _reduction(writer: Writer, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    op = layer.op
    assert isinstance(op, Reduction)
    return writer.call(_REDUCTIONS[type(op)], data, layer.type, axis=op.over(types[0].rank), keepdims=op.keepdims)


def _position(writer: Writer, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    op = layer.op
    assert isinstance(op, Position)
    narrow = TensorType("i32", layer.type.shape)
    value = writer.call(op.name, data, narrow, axis=[op.axis % types[0].rank], keepdims=op.keepdims)
    return writer.call("cast", [value], layer.type, dtype=numpy_dtype(layer.type.dtype).name)


def _constant(writer: Writer, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    return writer.weight(layer, "value")


RULES: Mapping[type[Op], Rule] = {
    Conv: _conv, ConvTranspose: _conv, Dense: _dense, Softmax: _softmax, Lrn: _lrn, Flatten: _flatten, Transpose: _transpose,
    Concat: _concat, Slice: _slice, Pad: _pad, Tile: _tile, ArgMax: _position, ArgMin: _position, Constant: _constant,
    **dict.fromkeys(_REDUCTIONS, _reduction),
}  # fmt: skip
"""Op class, exactly -> how it is written."""


def has_rule(op: Op) -> bool:
    """Whether an op is written as it is; others are written out as the layers that they say they are made of."""
    return type(op) in RULES or isinstance(op, Split | Reshaping) or type(op).expand is Op.expand


def write(writer: Writer, layer: Layer) -> list[str]:
    """Add the statements of a layer and give the names of its outputs; raises OpError where Relay cannot say it."""
    operands = writer.graph.data(layer.name)
    data, types = [writer.values[v] for v in operands], [writer.graph.type(v) for v in operands]
    op = layer.op
    if isinstance(op, Split):
        return _split(writer, op, layer, data, types)
    rule = RULES.get(type(op))
    if rule is None and isinstance(op, Reshaping):
        rule = _reshape
    if rule is None and isinstance(op, Pooling):
        rule = pools.write
    if rule is None and isinstance(op, Elementwise):
        rule = formula.write
    if rule is None:
        raise OpError("C0720", "nothing there is like it")
    return [rule(writer, layer, data, types)]


def _split(writer: Writer, op: Split, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> list[str]:
    edges = op.edges(types[0].shape)
    whole = writer.call("split", data, layer.outputs, indices_or_sections=edges[1:-1], axis=op.axis % types[0].rank)
    return [f"{whole}.{slot}" for slot in range(len(layer.outputs))]
