"""Pad: borders of every kind, and negative ones, which crop."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from cnnir.ops.border import Pad
from cnnir.ops.rearrange import Gather
from cnnir.ops.shape import Slice

from ..context import Context
from ..node import Array, Node, Operand
from ..problems import refuse
from ..registry import Unreadable, reads

LONGEST = 2**31 - 1


@reads("Pad")
def pad(node: Node, context: Context) -> Operand:
    """Pad: widths are an attribute up to opset 10, then an input; since 18 for some axes only."""
    data, mode = context.type(node.data()), node.text("mode", "constant")
    widths = (node.ints("pads") or ()) if node.version < 11 else context.integers(1)
    axes = context.optional_integers(3) if node.version >= 18 else None
    axes = tuple(range(data.rank)) if axes is None else tuple(a % data.rank for a in axes)
    if len(widths) != 2 * len(axes) or any(abs(n) > LONGEST for n in widths):
        raise refuse("C0811", f"`pads` of {node.title} are {list(widths)[:16]}, on {len(axes)} axes", node.span)
    before, after = [0] * data.rank, [0] * data.rank
    for axis, first, last in zip(axes, widths[: len(axes)], widths[len(axes) :], strict=True):
        before[axis], after[axis] = first, last
    if mode == "constant":
        op = Pad(tuple(max(0, n) for n in before), tuple(max(0, n) for n in after), _value(node, context))
        padded = context.emit(op, node.data()) if max((*before, *after), default=0) > 0 else node.data()
        return _cropped(context, padded, before, after)
    if mode not in ("edge", "reflect", "wrap"):
        raise refuse("C0811", f"`mode` of {node.title} is `{mode}`", node.span, help="modes are constant, edge, reflect and wrap")
    narrow = all(max(b, a) < n for b, a, n in zip(before, after, data.shape, strict=True))
    if mode != "wrap" and narrow and min((*before, *after), default=0) >= 0:
        return context.emit(Pad(tuple(before), tuple(after), 0.0, "edge" if mode == "edge" else "reflect"), node.data())
    return _repeated(context, node.data(), before, after, mode)


def _value(node: Node, context: Context) -> float:
    if node.version < 11:
        return node.float("value")
    return 0.0 if node.input(2) is None else float(context.array(2).reshape(-1)[0])


def _cropped(context: Context, value: Operand, before: list[int], after: list[int]) -> Operand:
    axes = tuple(axis for axis, (b, a) in enumerate(zip(before, after, strict=True)) if min(b, a) < 0)
    if not axes:
        return value
    begins = tuple(max(0, -before[a]) for a in axes)
    ends = tuple(context.type(value).shape[a] - max(0, -after[a]) for a in axes)
    if any(b >= e for b, e in zip(begins, ends, strict=True)):
        raise Unreadable("it keeps nothing of an axis")
    return context.emit(Slice(begins, ends, axes), value)


def _repeated(context: Context, value: Operand, before: list[int], after: list[int], mode: str) -> Operand:
    """Borders wider than their inside, wrapped ones, and negative ones among them: every element by its place."""
    for axis, (b, a) in enumerate(zip(before, after, strict=True)):
        if b or a:
            n = context.type(value).shape[axis]
            if n + b + a > 1 << 24:
                raise Unreadable("its border is too wide")
            places: Array = np.pad(np.arange(n), (max(0, b), max(0, a)), cast("Any", mode))
            places = places[max(0, -b) : len(places) - max(0, -a)]
            value = context.emit(Gather(tuple(map(int, places)), axis), value)
    return value
