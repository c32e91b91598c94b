"""Layers that move, pick or reduce elements, and those that normalise by the data."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from cnnir.ir.graph import Layer
from cnnir.ops import normal, rearrange, reduce, shape
from cnnir.ops.base import Op
from cnnir.ops.border import Pad
from cnnir.ops.constant import Constant
from cnnir.ops.gated import Glu
from cnnir.ops.matmul import MatMul
from cnnir.ops.resize import Resize
from cnnir.types import TensorType

from .builder import Builder, Node, unsupported

Rule = Callable[[Builder, Layer, Sequence[Node], Sequence[TensorType]], "Node | tuple[Node, ...]"]


def _plain(function: Callable[..., Any], arguments: Callable[[Any, TensorType], Sequence[Any]] = lambda op, t: ()) -> Rule:
    """A function of the data, with arguments made from the op and the type of the data."""

    def write(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> Node:
        return build.call(function, *data, *arguments(layer.op, types[0]))

    return write


def _reshape(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> Node:
    return build.call(torch.reshape, data[0], layer.type.shape)


def _slice(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> Node:
    """PyTorch slices forwards only: what goes backwards is turned round first."""
    assert isinstance(layer.op, shape.Slice)
    spans, value = layer.op.spans(types[0].shape), data[0]
    backwards = [axis for axis, s in enumerate(spans) if s.step < 0]
    if backwards:
        value = build.call(torch.flip, value, backwards)
    lengths = types[0].shape
    ahead = [range(n - 1 - s.start, n - 1 - s[-1] + 1, -s.step) if s.step < 0 else s for s, n in zip(spans, lengths, strict=True)]
    return build.call(operator.getitem, value, tuple(slice(s.start, s.stop, s.step) for s in ahead))


def _split(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> tuple[Node, ...]:
    assert isinstance(layer.op, shape.Split)
    sizes = np.diff(layer.op.edges(types[0].shape)).tolist()
    parts = build.call(torch.split, data[0], sizes, layer.op.axis)
    return tuple(build.call(operator.getitem, parts, i) for i in range(len(sizes)))


def _pad(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> Node:
    op, t = layer.op, types[0]
    assert isinstance(op, Pad)
    widths = op.widths(t.rank)
    pads = [n for pair in reversed(widths) for n in pair]
    if op.mode == "constant":
        return build.call(functional.pad, data[0], pads, value=op.value if t.is_float else int(op.value))
    if any(map(any, widths[:2])) or not 3 <= t.rank <= 5:
        unsupported("PyTorch repeats and mirrors the borders of spatial axes only")
    return build.call(functional.pad, data[0], pads[: 2 * (t.rank - 2)], mode={"edge": "replicate", "reflect": "reflect"}[op.mode])


def _gather(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> Node:
    op = layer.op
    assert isinstance(op, rearrange.Gather)
    axis, length = op.axis % types[0].rank, types[0].shape[op.axis]
    if op.indices is not None:
        places = np.asarray(op.indices, np.int64)
        indices = build.constant(np.where(places < 0, places + length, places).reshape(-1))
    else:
        wide = build.call(torch.Tensor.to, data[1], torch.int64)
        turned = build.call(torch.where, build.call(operator.lt, wide, 0), build.call(operator.add, wide, length), wide)
        indices = build.call(torch.flatten, build.call(torch.clamp, turned, 0, length - 1))
    return build.call(torch.reshape, build.call(torch.index_select, data[0], axis, indices), layer.type.shape)


def _resize(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> Node:
    """PyTorch's own where it lays the grids as we do; else nearest neighbours are picked axis by axis."""
    op, t = layer.op, types[0]
    assert isinstance(op, Resize)
    sizes = op.sizes(t)
    scaled: dict[str, Any] = {"scale_factor": [s for _, s in sizes]} if op.size is None else {"size": [n for n, _ in sizes]}
    linear = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(sizes)]
    modes = {
        ("nearest", "asymmetric", "floor"): {"mode": "nearest"}, ("nearest", "half_pixel", "prefer_ceil"): {"mode": "nearest-exact"},
        **{("linear", c, op.rounding): {"mode": linear, "align_corners": c == "align_corners"} for c in ("half_pixel", "align_corners")},
    }  # fmt: skip
    how = modes.get((op.mode, op.coordinates, op.rounding))
    if how is not None:
        return build.call(functional.interpolate, data[0], **scaled, **how)
    if op.mode != "nearest":
        unsupported("PyTorch has no linear interpolation of such a grid")
    value = data[0]
    for axis, (index, _, _) in enumerate(op.taps(t), start=2):
        value = build.call(torch.index_select, value, axis, build.constant(index.astype(np.int64)))
    return value


def _cumsum(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> Node:
    op = layer.op
    assert isinstance(op, reduce.CumSum)
    value = build.call(torch.flip, data[0], [op.axis]) if op.reverse else data[0]
    total = build.call(torch.cumsum, value, op.axis, dtype=build.dtype(types[0].dtype))
    total = build.call(operator.sub, total, value) if op.exclusive else total
    return build.call(torch.flip, total, [op.axis]) if op.reverse else total


def _sum(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> Node:
    assert isinstance(layer.op, reduce.ReduceSum)
    return build.call(torch.sum, data[0], layer.op.over(types[0].rank), layer.op.keepdims, dtype=build.dtype(types[0].dtype))


def _group_norm(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> Node:
    op = layer.op
    assert isinstance(op, normal.GroupNorm)
    weights = [build.weight(layer, role) for role in ("scale", "bias")]
    return build.call(functional.group_norm, data[0], op.parted(types[0]), *weights, op.eps)


def _layer_norm(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> Node:
    op = layer.op
    assert isinstance(op, normal.LayerNorm)
    weights = [build.weight(layer, role) for role in ("scale", "bias")]
    sizes = types[0].shape[op.over(types[0].rank)[0] :]
    return build.call(functional.layer_norm, data[0], sizes, *weights, op.eps)


def _constant(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> Node:
    return build.weight(layer, "value")


def _over(op: Any, t: TensorType) -> Sequence[Any]:
    return op.over(t.rank), op.keepdims


def _along(op: Any, t: TensorType) -> Sequence[Any]:
    return op.axis, op.keepdims


RULES: Mapping[type[Op], Rule] = {
    shape.Reshape: _reshape, shape.Squeeze: _reshape, shape.Unsqueeze: _reshape, shape.Slice: _slice, shape.Split: _split,
    shape.Transpose: _plain(torch.permute, lambda op, t: (op.order(t.rank),)),
    rearrange.Expand: lambda build, layer, data, types: build.call(torch.broadcast_to, data[0], layer.type.shape),
    rearrange.Tile: _plain(torch.tile, lambda op, t: (op.repeats,)), rearrange.Gather: _gather,
    MatMul: _plain(torch.matmul), Glu: _plain(functional.glu, lambda op, t: (op.axis,)), Pad: _pad, Resize: _resize, Constant: _constant,
    reduce.ReduceSum: _sum, reduce.ReduceMean: _plain(torch.mean, _over), reduce.ReduceMax: _plain(torch.amax, _over),
    reduce.ReduceMin: _plain(torch.amin, _over), reduce.ReduceLogSumExp: _plain(torch.logsumexp, _over),
    reduce.ArgMax: _plain(torch.argmax, _along), reduce.ArgMin: _plain(torch.argmin, _along), reduce.CumSum: _cumsum,
    normal.GroupNorm: _group_norm, normal.InstanceNorm: _group_norm, normal.LayerNorm: _layer_norm,
    normal.LogSoftmax: _plain(functional.log_softmax, lambda op, t: (op.axis,)),
}  # fmt: skip
"""Op class, exactly -> how it is written."""
