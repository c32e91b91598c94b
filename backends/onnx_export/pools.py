"""Pools. Windows are compared as numbers, because ceil mode and wide pads mean different things to different readers.

ONNX's pools start from no number of their own: `start` becomes a Max or Min behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnir.ir.graph import Layer
from cnnir.ops.pooling import AdaptivePool, AvgPool, GlobalPool, Pooling, SlidingPool, start_value
from cnnir.ops.window import Windows, axis_pads
from cnnir.types import TensorType

from .builder import Builder, unsupported


@dataclass(frozen=True)
class Axis:
    """How the windows of one axis are told to ONNX."""

    kernel: int
    stride: int
    dilation: int
    begin: int
    end: int
    needed: int
    """The end pad with which floor mode finds as many windows as there are; below 0 where elements are left over."""
    floor: bool
    """Whether floor mode finds as many with the pads as they are."""
    naive: bool
    """Whether plain ceil mode does: ours leaves out a window that would start past the input."""


def write(build: Builder, layer: Layer, data: str, source: TensorType) -> str:
    """Add the nodes of a pool and return the name of its value."""
    op = layer.op
    assert isinstance(op, Pooling)
    pooled = _smallest(build, op, data, source) if op.reduce == "min" else _pool(build, op, data, source)
    if not op.started:
        return pooled
    start = build.scalar(float(op.start_in(source.numpy)), source.dtype)
    return build.node("Max" if op.reduce == "max" else "Min", [pooled, start], source.dtype)


def _smallest(build: Builder, op: Pooling, data: str, source: TensorType) -> str:
    if not source.is_float:
        unsupported("ONNX has no min pool, and integers cannot all be negated")
    largest = _pool(build, op, build.node("Neg", [data], source.dtype), source)
    return build.node("Neg", [largest], source.dtype)


def _pool(build: Builder, op: Pooling, data: str, source: TensorType) -> str:
    averaging = op.reduce == "avg"
    if isinstance(op, GlobalPool):
        return build.node("GlobalAveragePool" if averaging else "GlobalMaxPool", [data], source.dtype)
    if isinstance(op, AdaptivePool):
        axes = [_even(w, op.out[i]) for i, w in enumerate(op.windows(source))]
        if all(a.kernel == 1 and a.stride == 1 for a in axes):
            return build.node("Identity", [data], source.dtype)
        return _node(build, data, source, averaging, axes)
    assert isinstance(op, SlidingPool)
    axes = [_sliding(op, i, w) for i, w in enumerate(op.windows(source))]
    wide = any(a.begin >= a.kernel or a.end >= a.kernel for a in axes)  # runtimes refuse such pads
    counted = isinstance(op, AvgPool) and op.count_include_pad
    if wide or (counted and not all(a.floor for a in axes)):
        return _padded(build, op, data, source, axes)
    if op.ceil and all(a.naive for a in axes):
        return _node(build, data, source, averaging, axes, ceil=True, counted=counted)
    ends = [a.end if a.floor else a.needed for a in axes]
    if any(e < 0 or e >= a.kernel for e, a in zip(ends, axes, strict=True)):
        return _padded(build, op, data, source, axes)
    return _node(build, data, source, averaging, axes, ends=ends, counted=counted)


def _sliding(op: SlidingPool, i: int, windows: Windows) -> Axis:
    begin, end = axis_pads(op.pad, i)
    kernel, stride, dilation = op.kernel[i], op.stride[i], op.dilation[i]
    span = (kernel - 1) * dilation + 1
    room = windows.length + begin + end - span
    needed = (windows.outputs - 1) * stride + span - windows.length - begin
    floor, naive = room // stride + 1 == windows.outputs, -(-room // stride) + 1 == windows.outputs
    return Axis(kernel, stride, dilation, begin, end, needed, floor, naive)


def _even(windows: Windows, outputs: int) -> Axis:
    """Adaptive windows that are all of one size and equally far apart; OpError where they are not."""
    counts = windows.real.sum(axis=1)
    starts = windows.taps[:, 0]
    steps = np.unique(np.diff(starts))
    kernel = int(counts[0])
    if len(np.unique(counts)) > 1 or len(steps) > 1 or 0 in steps:
        unsupported(f"{outputs} windows over {windows.length} elements are uneven or the same, and ONNX has no adaptive pool")
    return Axis(kernel, int(steps[0]) if len(steps) else kernel, 1, 0, 0, 0, True, True)


def _node(
    build: Builder, data: str, source: TensorType, averaging: bool, axes: Sequence[Axis], *,
    ends: Sequence[int] | None = None, ceil: bool = False, counted: bool = False,
) -> str:  # fmt: skip
    """One MaxPool or AveragePool; attributes that stand at ONNX's defaults are left out."""
    pads = [*(a.begin for a in axes), *(ends if ends is not None else (a.end for a in axes))]
    attributes: dict[str, object] = {"kernel_shape": [a.kernel for a in axes], "strides": [a.stride for a in axes]}
    if any(pads):
        attributes["pads"] = pads
    if any(a.dilation > 1 for a in axes):
        attributes["dilations"] = [a.dilation for a in axes]
    if ceil:
        attributes["ceil_mode"] = 1
    if counted:
        attributes["count_include_pad"] = 1
    return build.node("AveragePool" if averaging else "MaxPool", [data], source.dtype, **attributes)


def _padded(build: Builder, op: SlidingPool, data: str, source: TensorType, axes: Sequence[Axis]) -> str:
    """The pool of data that is padded (or cropped) first, so that every window lies inside and nothing is left over.

    An average is corrected afterwards by the number of elements that it should have divided by.
    """
    averaging, dtype = op.reduce == "avg", source.dtype
    start = start_value("avg" if averaging else "max", source.numpy)
    pads = build.integers([0, 0, *(a.begin for a in axes), 0, 0, *(a.needed for a in axes)])
    padded = build.node("Pad", [data, pads, build.scalar(float(start), dtype)], dtype, mode="constant")
    inside = [Axis(a.kernel, a.stride, a.dilation, 0, 0, 0, True, True) for a in axes]
    pooled = _node(build, padded, source, averaging, inside)
    if not averaging:
        return pooled
    factor = np.prod([a.kernel for a in axes]) / op.divisor(source)
    if (factor == 1).all():
        return pooled
    return build.node("Mul", [pooled, build.array(factor.astype(source.numpy), dtype, "divisor")], dtype)
