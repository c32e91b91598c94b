"""The law *cascade*.

    pool2(pool1(x)) = pool(x)          per axis: kernel k1 + (k2 - 1) s1, stride s1 s2, begin pad p1 + s1 p2

for two max pools, or two min pools, of kernels k, strides s, begin pads p and dilation 1.

Proof. The maximum of maxima is the maximum of the union. Window o of pool2 takes the outputs o s2 - p2 + j, j < k2, of
pool1, and output t of that the elements t s1 - p1 + i, i < k1: together o s1 s2 - (p1 + s1 p2) + (j s1 + i). The j s1 + i
are 0 to k1 + (k2 - 1) s1 - 1 without a gap if s1 <= k1 or k2 = 1. That is the window of one pool, except at the border: of
what one pool takes there, two take all only if pool1 drops no element, (M - 1) s1 - p1 + k1 >= n, or pool2 never reaches
past the M outputs of pool1, (O - 1) s2 - p2 + k2 <= M; n elements, O outputs. Windows are products of one interval an axis,
and so are unions of them.

A pool that starts from a number c is max(c, maximum), so both start from the larger number, if no window of pool2 is empty: such
a one never hears of pool1's.

The condition that is checked is the proof's premise itself: the elements of every window through both pools, enumerated, are
those of the one pool, enumerated. So ceil mode (the end pad is chosen such that O windows come out), dilation and global
pools need no rule of their own; a test compares the answer with the closed form. Nothing is computed but comparisons: equal
to the bit, except for which of two zeros arrives.

Two pools of 5 with stride 1 compare 50 times an output, the one pool of 9 that they are 81 times: the kernels fold every
element of every window, padding too. So this is a matter of price, under `place=always` too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np

from cnnir.decisions import Certificate
from cnnir.diagnostics import OpError
from cnnir.facts.fact import Grade
from cnnir.ir.graph import Layer, Use, Value
from cnnir.ir.text import spell
from cnnir.ops.pooling import ExtremePool, GlobalPool, Pooling, SlidingPool
from cnnir.ops.window import MAX_TAPS, Windows, axis_pads
from cnnir.price import Work
from cnnir.types import TensorType

from ..site import Array
from ..surroundings import Surroundings
from .pairs import privately_read
from .rule import LayerLaw, Pair, PairCondition, Refusal
from .work import comparisons


def alike(pair: Pair) -> Refusal | None:
    """Both pools take the largest, or both the smallest."""
    first = first_pool(pair)
    if first.reduce == pair.op.reduce != "avg":
        return None
    reason = f"two max pools or two min pools may be one pool, not `{first.name}` and `{pair.op.name}`"
    return Refusal("alike", reason, pair.pool.name)


def same_windows(pair: Pair) -> Refusal | None:
    """Every window of the one pool holds the elements that both pools look at for that output, and no others."""
    one, data = one_pool(pair), source(pair)
    if one is None:
        uneven = [layer.name for layer in (pair.layer, pair.pool) if not isinstance(layer.op, SlidingPool | GlobalPool)]
        what = f"the windows of `{uneven[0]}` are adaptive, not of one size and stride" if uneven else "no single pool has as many outputs"
        return Refusal("same windows", what, pair.pool.name)
    inner, outer, whole = first_pool(pair).windows(data), pair.op.windows(pair.layer.type), one.windows(data)
    for axis, windows in enumerate(zip(inner, outer, whole, strict=True)):
        odd = odd_one(*windows)
        if odd is not None:
            window, element = odd
            what = f"element {element} of spatial axis {axis} into its window {window}"
            return Refusal("same windows", f"one pool would take {what}, and `{pair.layer.name}` leaves it out", pair.layer.name)
    return None


def zero_sign(pair: Pair) -> Refusal | None:
    """Nothing behind tells -0 from +0, or there is no -0: of a tie either may arrive, depending on the order of comparing."""
    teller = tells_order(pair.around, pair.pool.name, pair.inputs[0])
    if teller is None:
        return None
    return Refusal("zero sign", f"`{teller}` tells -0 from +0, and the pools may give either, depending on the order", teller)


def tells_order(around: Surroundings, pool: str, data: Value) -> str | None:
    """A layer behind `pool` that may tell in which order the elements of `data` were compared: of -0 and +0 the first stays."""
    layer = around.tells_zeros_apart(pool) if around.graph.type(data).is_float else None
    return layer.name if layer is not None and around.ranges[data].minus_zero else None


class Cascade(LayerLaw):
    """Make one pool of two."""

    name: ClassVar[str] = "cascade"
    words: ClassVar[str] = "a pool whose windows make up those of the pool behind it"
    example: ClassVar[str] = """\
network cascade(x: f32[1, 3, 32, 32]) {
    x -> conv(8, 3, pad=1) -> maxpool(2) -> maxpool(2)
}
"""
    weighed: ClassVar[bool] = True
    conditions: ClassVar[Mapping[str, PairCondition]] = {
        "alike": alike,
        "private": privately_read,
        "same windows": same_windows,
        "zero sign": zero_sign,
    }

    def about(self, layer: Layer) -> bool:
        return isinstance(layer.op, Pooling)

    def certificate(self, pair: Pair) -> Certificate:
        one = one_pool(pair)
        assert one is not None
        return Certificate(self.name, {"both pools": spell(one)}, tuple(self.conditions), Grade.E.name)

    def rewrite(self, pair: Pair) -> list[str]:
        """Before: x -> pool1 -> pool2 -> readers. After: x -> pool -> readers, under the name of pool2."""
        one, graph = one_pool(pair), pair.graph
        assert one is not None
        graph.connect(Use(pair.pool.name, 0), pair.inputs[0])
        graph.revise(pair.pool.name, op=one, made_by=self.name)
        pair.around.removed(pair.layer.name)
        graph.remove(pair.layer.name)
        return [pair.pool.name]

    def work(self, pair: Pair) -> tuple[Work, Work]:
        one, data = one_pool(pair), source(pair)
        assert one is not None
        apart = comparisons(first_pool(pair), data) + comparisons(pair.op, pair.layer.type)
        return Work(pooled=apart), Work(pooled=comparisons(one, data))


def first_pool(pair: Pair) -> Pooling:
    """The pool in front."""
    assert isinstance(pair.layer.op, Pooling)
    return pair.layer.op


def source(pair: Pair) -> TensorType:
    """The type of what the pool in front reads."""
    return pair.graph.type(pair.inputs[0])


def one_pool(pair: Pair) -> Pooling | None:
    """The only pool that can be both, where it has as many outputs."""
    return composed(first_pool(pair), pair.op, source(pair))


def composed(first: Pooling, second: Pooling, data: TensorType) -> Pooling | None:
    """The pool by the closed form, for any dilation and in floor mode; None where no end pad gives as many outputs.

    Adaptive pools have none, nor have windows that are too many to be compared.
    """
    middle = first.infer([data])[0]
    outputs = second.infer([middle])[0].spatial
    sizes = [outer.taps.size * inner.taps.shape[1] for inner, outer in zip(first.windows(data), second.windows(middle), strict=True)]
    if max(sizes) > MAX_TAPS or not (isinstance(first, ExtremePool | GlobalPool) and isinstance(second, ExtremePool | GlobalPool)):
        return None
    if isinstance(first, ExtremePool) and isinstance(second, ExtremePool):
        axes = [_axis(first, second, i, n, outputs[i]) for i, n in enumerate(data.spatial)]
        kernel, stride, begin, end, dilation = zip(*axes, strict=True)
        start = both_starts(first, second)
        one: Pooling = replace(second, kernel=kernel, stride=stride, pad=(*begin, *end), dilation=dilation, ceil=False, start=start)
        if first.started and any(len(w.empty) for w in second.windows(middle)):
            return None
    elif first.started or second.started:
        return None
    else:
        one = second if isinstance(second, GlobalPool) else first
    try:
        return one if one.infer([data])[0].spatial == outputs else None
    except OpError:  # windows of padding alone, or too many
        return None


def both_starts(first: ExtremePool, second: ExtremePool) -> float:
    """What is left of two numbers to start from: the larger one of max pools, the smaller one of min pools."""
    starts = [op.start for op in (first, second) if op.started] or [second.start]
    return max(starts) if second.reduce == "max" else min(starts)


def _axis(first: ExtremePool, second: ExtremePool, i: int, length: int, outputs: int) -> tuple[int, int, int, int, int]:
    """Kernel, stride, begin pad, end pad and dilation of both pools as one."""
    (begin1, end1), (begin2, end2), step = axis_pads(first.pad, i), axis_pads(second.pad, i), first.stride[i]
    offsets = np.add.outer(np.arange(second.kernel[i]) * second.dilation[i] * step, np.arange(first.kernel[i]) * first.dilation[i])
    dilation = int(np.gcd.reduce(offsets, axis=None)) or 1
    last = int(offsets.max())
    stride, begin, end = step * second.stride[i], begin1 + step * begin2, end1 + step * end2
    if (length + begin + end - last - 1) // stride + 1 != outputs:
        end = max(0, (outputs - 1) * stride + last + 1 - length - begin)
    return last // dilation + 1, stride, begin, end, dilation


def odd_one(first: Windows, second: Windows, one: Windows) -> tuple[int, int] | None:
    """A window, and an element that is in it either through both pools or in the one pool, and not in the other way.

    None where all windows are the same: the premise of the proof.
    """
    if second.outputs != one.outputs:
        return 0, 0
    through, whole = elements(first, second), np.where(one.real, one.taps, -1)
    different = np.setxor1d(_numbered(through, one.length), _numbered(whole, one.length), assume_unique=True)
    return divmod(int(different[0]), one.length) if len(different) else None


def _numbered(seen: Array, length: int) -> Array:
    """The pairs (window, element) as numbers, each once, without what is no element."""
    windows = np.broadcast_to(np.arange(len(seen))[:, None], seen.shape)
    found = np.sort((windows * length + seen)[seen >= 0])  # np.unique hashes, ten times slower
    return found[np.diff(found, prepend=-1) > 0]


def elements(first: Windows, second: Windows) -> Array:
    """Of each window of `second`, the elements that it sees through `first`, some more than once; -1 for none."""
    reached = np.where(first.real, first.taps, -1)[np.where(second.real, second.taps, 0)]
    return np.where(second.real[..., None], reached, -1).reshape(second.outputs, -1)
