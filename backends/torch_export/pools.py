"""Pools. What PyTorch's pads and ceil mode cannot say is padded first."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from cnnir.ir.graph import Layer
from cnnir.ops.pooling import AdaptivePool, AvgPool, GlobalPool, Pooling, SlidingPool
from cnnir.ops.special_pools import MaxPoolPlaces, PoolPlaces
from cnnir.ops.window import axis_pads
from cnnir.types import TensorType

from .builder import Builder, Node, unsupported

_MAX: Mapping[int, Any] = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
_AVG: Mapping[int, Any] = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}
_ADAPTIVE: Mapping[tuple[bool, int], Any] = {
    (True, 1): functional.adaptive_avg_pool1d, (True, 2): functional.adaptive_avg_pool2d, (True, 3): functional.adaptive_avg_pool3d,
    (False, 1): functional.adaptive_max_pool1d, (False, 2): functional.adaptive_max_pool2d, (False, 3): functional.adaptive_max_pool3d,
}  # fmt: skip
_PLACES: Mapping[int, Any] = {
    1: functional.max_pool1d_with_indices, 2: functional.max_pool2d_with_indices, 3: functional.max_pool3d_with_indices,
}  # fmt: skip


def write(build: Builder, layer: Layer, data: Node, source: TensorType) -> Node:
    """The node of a pool; raises OpError where PyTorch has none like it."""
    op = layer.op
    assert isinstance(op, Pooling)
    if op.reduce == "min":
        largest = _pool(build, op, build.call(operator.neg, data), source)
        pooled = build.call(operator.neg, largest)
    else:
        pooled = _pool(build, op, data, source)
    if not op.started:
        return pooled
    start = float(op.start_in(source.numpy))
    if start == 0 and op.reduce == "max":
        return build.call(functional.relu, pooled)
    return build.call(torch.clamp, pooled, **{"min" if op.reduce == "max" else "max": start if source.is_float else int(start)})


def _pool(build: Builder, op: Pooling, data: Node, source: TensorType) -> Node:
    axes, averaging = len(source.spatial), op.reduce == "avg"
    if op.reduce not in ("max", "min", "avg"):
        unsupported("PyTorch has no such pool")
    if isinstance(op, GlobalPool):
        return build.call(_ADAPTIVE[averaging, axes], data, (1,) * axes)
    if isinstance(op, AdaptivePool):
        return build.call(_ADAPTIVE[averaging, axes], data, op.out)
    assert isinstance(op, SlidingPool)
    begins, ends = op.pad[:axes], op.pad[axes:]
    plain = begins == ends and all(2 * p <= k for p, k in zip(begins, op.kernel, strict=True))
    if averaging:
        return _average(build, op, data, source, plain)
    if not plain:
        data, begins = _padded(build, op, data, source, _least(source)), (0,) * axes
    return build.call(_MAX[axes], data, op.kernel, op.stride, begins, op.dilation, plain and op.ceil)


def _least(source: TensorType) -> float:
    return -math.inf if source.is_float else int(np.iinfo(source.numpy).min)


def _average(build: Builder, op: SlidingPool, data: Node, source: TensorType, plain: bool) -> Node:
    axes = len(source.spatial)
    if max(op.dilation) > 1:
        unsupported("PyTorch has no dilated average pool")
    counted = isinstance(op, AvgPool) and op.count_include_pad
    if plain:
        return build.call(_AVG[axes], data, op.kernel, op.stride, op.pad[:axes], op.ceil, counted)
    factor = math.prod(op.kernel) / op.divisor(source)
    pooled = build.call(_AVG[axes], _padded(build, op, data, source, 0.0), op.kernel, op.stride)
    return pooled if (factor == 1).all() else build.call(operator.mul, pooled, build.constant(factor.astype(source.numpy)))


def _padded(build: Builder, op: SlidingPool, data: Node, source: TensorType, value: float) -> Node:
    """The data with a border (or less of it) such that all windows lie inside and nothing is left over."""
    widths: list[int] = []
    for i, windows in reversed(list(enumerate(op.windows(source)))):
        begin = axis_pads(op.pad, i)[0]
        span = (windows.outputs - 1) * op.stride[i] + (op.kernel[i] - 1) * op.dilation[i] + 1
        widths += [begin, span - windows.length - begin]
    return build.call(functional.pad, data, widths, value=value)


def places(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> tuple[Node, ...]:
    """A max pool with the places of what it chose, or the places alone."""
    op, axes = layer.op, len(types[0].spatial)
    assert isinstance(op, MaxPoolPlaces | PoolPlaces)
    if op.pad[:axes] != op.pad[axes:] or any(2 * p > k for p, k in zip(op.pad, op.kernel, strict=False)):
        unsupported("PyTorch pads both sides alike, by half a kernel at most")
    both = build.call(_PLACES[axes], data[0], op.kernel, op.stride, op.pad[:axes], op.dilation, op.ceil)
    parts = tuple(build.call(operator.getitem, both, i) for i in (0, 1))
    return parts if isinstance(op, MaxPoolPlaces) else parts[1:]
