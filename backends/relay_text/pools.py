"""Pools. Relay's ceil mode has another number of windows than ours: pads say where the last ones end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnir.diagnostics import OpError
from cnnir.ir.graph import Layer
from cnnir.ops.pooling import AdaptivePool, AvgPool, GlobalPool, Pooling, SlidingPool
from cnnir.ops.window import Windows, axis_pads
from cnnir.types import TensorType

from .writer import Writer


def write(writer: Writer, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    """The statements of a pool: a min pool is the max pool of the negative, a start of its own comes last."""
    op, t = layer.op, layer.type
    assert isinstance(op, Pooling)
    if op.reduce not in ("max", "min", "avg"):
        raise OpError("C0720", "it has max, min and average pools only")
    least = op.reduce == "min"
    value = writer.call("negative", data, types[0]) if least else data[0]
    value = _pool(writer, op, value, types[0], t)
    value = writer.call("negative", [value], t) if least else value
    if op.started:
        start = writer.scalar(float(op.start_in(types[0].numpy)), t.dtype)
        return writer.call("minimum" if least else "maximum", [value, start], t)
    return value


def _pool(writer: Writer, op: Pooling, value: str, source: TensorType, t: TensorType) -> str:
    word, axes = "avg" if op.reduce == "avg" else "max", len(source.spatial)
    if isinstance(op, GlobalPool):
        return writer.call("mean" if word == "avg" else "max", [value], t, axis=range(2, 2 + axes), keepdims=True)
    if isinstance(op, AdaptivePool):
        return writer.call(f"nn.adaptive_{word}_pool{axes}d", [value], t, output_size=op.out)
    assert isinstance(op, SlidingPool)
    begins, ends = [list(each) for each in zip(*(_pads(op, i, w) for i, w in enumerate(op.windows(source))), strict=True)]
    counted = isinstance(op, AvgPool) and op.count_include_pad
    if counted and ends != [axis_pads(op.pad, i)[1] for i in range(axes)]:
        raise OpError("C0720", "its averages cannot count some padding and not all of it")
    if max(op.dilation) > 1 and word == "avg":
        raise OpError("C0720", "its average pools have no dilation that counts")
    more = {"count_include_pad": True} if counted else {}
    return writer.call(
        f"nn.{word}_pool{axes}d", [value], t,
        pool_size=op.kernel, strides=op.stride, dilation=op.dilation, padding=[*begins, *ends], **more,
    )  # fmt: skip


def _pads(op: SlidingPool, axis: int, windows: Windows) -> tuple[int, int]:
    """Pads with which rounding down finds our windows."""
    begin, end = axis_pads(op.pad, axis)
    span = (op.kernel[axis] - 1) * op.dilation[axis] + 1
    if (windows.length + begin + end - span) // op.stride[axis] + 1 == windows.outputs:
        return begin, end
    return begin, int(np.max(windows.taps)) + 1 - windows.length
