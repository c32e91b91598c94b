"""Pools."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cnnir.ops.arithmetic import Mul
from cnnir.ops.pooling import AdaptiveAvgPool, AdaptiveMaxPool, AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool, Pooling
from cnnir.ops.shape import Squeeze
from cnnir.ops.special_pools import MaxPoolPlaces

from ..build import Build, Operand, Unsupported
from .table import Rule, batched, both_sides, spread

Sizes = int | Sequence[int]


def _window(kernel: Sizes, stride: Sizes, axes: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Kernel and stride, which are equal where no stride is given."""
    size = spread(kernel, axes)
    return size, size if stride in ((), []) else spread(stride, axes)


def _whole(build: Build, pool: Pooling, input: Operand, axes: int) -> Operand:
    """A pool of data that may come without an axis of examples."""
    data, single = batched(build, input, axes)
    result = build.add(pool, data)
    return build.add(Squeeze((0,)), result) if single else result


def _max_pool(axes: int, pair: bool = False) -> Rule:
    """A max pool; of a `pair` the second output is the places of the maxima.

    They count through one map of one channel, as ours do; where nothing reads them it is a max pool like any other.
    """

    def rule(
        build: Build,
        input: Operand,
        kernel_size: Sizes,
        stride: Sizes = (),
        padding: Sizes = 0,
        dilation: Sizes = 1,
        ceil_mode: bool = False,
    ) -> Operand | tuple[Operand | None, ...]:
        size, step = _window(kernel_size, stride, axes)
        geometry = (size, step, both_sides(padding, axes), spread(dilation, axes), ceil_mode)
        if not pair or not build.needed[1]:
            result = _whole(build, MaxPool(*geometry), input, axes)
            return (result, None) if pair else result
        if len(build.shape(input)) == axes + 1:
            raise Unsupported("places of a max pool of one example without its axis")
        return build.outputs(MaxPoolPlaces(*geometry), input)

    return rule


def _avg_pool(axes: int) -> Rule:
    def rule(
        build: Build, input: Operand, kernel_size: Sizes, stride: Sizes = (), padding: Sizes = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> Operand:  # fmt: skip
        size, step = _window(kernel_size, stride, axes)
        pads = both_sides(padding, axes)
        if divisor_override is not None and ceil_mode:
            raise Unsupported("an average pool with a divisor of its own in ceil mode")
        counted = any(pads) and (count_include_pad or divisor_override is not None)
        pool = AvgPool(size, step, pads, (1,) * axes, ceil_mode, counted)
        result = _whole(build, pool, input, axes)
        return result if divisor_override is None else build.add(Mul(math.prod(size) / divisor_override), result)

    return rule


def _adaptive_avg_pool(axes: int) -> Rule:
    def rule(build: Build, input: Operand, output_size: Sizes) -> Operand:
        out = spread(output_size, axes)
        return _whole(build, GlobalAvgPool() if max(out) == 1 else AdaptiveAvgPool(out), input, axes)

    return rule


def _adaptive_max_pool(axes: int) -> Rule:
    def rule(build: Build, input: Operand, output_size: Sizes) -> tuple[Operand | None, ...]:
        if build.needed[1]:
            raise Unsupported("places of an adaptive max pool")
        out = spread(output_size, axes)
        return _whole(build, GlobalMaxPool() if max(out) == 1 else AdaptiveMaxPool(out), input, axes), None

    return rule


RULES: Mapping[str, Rule] = {
    **{f"max_pool{n}d": _max_pool(n) for n in (1, 2, 3)},
    **{f"max_pool{n}d_with_indices": _max_pool(n, pair=True) for n in (1, 2, 3)},
    **{f"avg_pool{n}d": _avg_pool(n) for n in (1, 2, 3)},
    **{f"{mark}adaptive_avg_pool{n}d": _adaptive_avg_pool(n) for n in (1, 2, 3) for mark in ("", "_")},
    **{f"adaptive_max_pool{n}d": _adaptive_max_pool(n) for n in (1, 2, 3)},
}
