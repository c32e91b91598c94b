"""Windows of a pool, enumerated from its attributes: which elements each holds, and what an average divides by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnnir.ops.pooling import Pooling
from cnnir.types import TensorType

Array = np.ndarray[Any, Any]
KINDS: Mapping[str, str] = {
    **{f"{prefix}{kind}pool": kind for prefix in ("", "adaptive_", "global_") for kind in ("max", "min", "avg")},
    "maxpool_with_places": "max",
}
"""Name of a pool -> what it does with a window; other pools do other things."""
DUAL = {"max": "min", "min": "max"}


def kind_of(pool: Pooling) -> str:
    """`max`, `min`, `avg` or `other`."""
    return KINDS.get(pool.name, "other")


def start_of(pool: Pooling) -> float:
    """What a max or min pool starts from: an infinity, unless it has a number of its own."""
    own: float | None = pool.attributes().get("start")
    return own if own is not None else -math.inf if kind_of(pool) == "max" else math.inf


def is_dual(a: Pooling, b: Pooling) -> bool:
    """Whether two pools have the same windows, one taking the largest and the other the smallest element."""
    plain = not math.isfinite(start_of(a)) and not math.isfinite(start_of(b))
    return plain and DUAL.get(kind_of(a)) == kind_of(b) and same_windows(a, b)


def dual_of(op: Pooling) -> Pooling | None:
    """The pool with the same windows that takes the smallest element where this one takes the largest; None if there is none."""
    kind = kind_of(op)
    wanted = op.name.removesuffix("_with_places").replace(kind, DUAL.get(kind, "?"))
    given = {name: value for name, value in op.attributes().items() if name != "start"}
    return next((other(**given) for other in _subclasses(Pooling) if other.name == wanted), None)


def _subclasses(of: type[Pooling]) -> list[type[Pooling]]:
    return [c for s in of.__subclasses__() for c in (s, *_subclasses(s))]


def same_windows(a: Pooling, b: Pooling) -> bool:
    """Whether two pools look at the same windows of the same data, whatever they do with them."""
    if "other" in (kind_of(a), kind_of(b)):
        return a == b
    plain = [op.name.removesuffix("_with_places").replace(kind_of(op), "?") for op in (a, b)]
    left, right = a.attributes(), b.attributes()
    alike = all(left[k] == right[k] for k in left.keys() & right.keys() - {"start"})
    starts = [start_of(op) for op in (a, b)]
    return plain[0] == plain[1] and alike and (starts[0] == starts[1] or not any(map(math.isfinite, starts)))


def members(pool: Pooling, data: TensorType) -> list[list[list[int]]]:
    """For each spatial axis and each window on it, the places of the input that the window holds."""
    given = pool.attributes()
    if pool.name.startswith("global_"):
        return [[list(range(n))] for n in data.spatial]
    if pool.name.startswith("adaptive_"):
        return [[list(range(i * n // o, -(-(i + 1) * n // o))) for i in range(o)] for n, o in zip(data.spatial, given["out"], strict=True)]
    return [[[t for t in taps if 0 <= t < n] for taps in _taps(given, axis, n)] for axis, n in enumerate(data.spatial)]


def _taps(given: Mapping[str, Any], axis: int, n: int) -> list[Sequence[int]]:
    k, s, d = given["kernel"][axis], given["stride"][axis], given["dilation"][axis]
    begin, end = given["pad"][axis], given["pad"][len(given["pad"]) // 2 + axis]
    count, reach = 0, d * (k - 1)
    while count * s + reach < n + begin + end:  # the window ends inside the padded input
        count += 1
    if given["ceil"]:
        count += (count - 1) * s + reach + 1 < n + begin + end  # one more, which overhangs,
        count -= (count - 1) * s >= n + begin  # unless it begins where only padding is left
    return [range(o * s - begin, o * s - begin + reach + 1, d) for o in range(count)]


def empty_window(pool: Pooling, data: TensorType) -> tuple[int, int] | None:
    """A spatial axis and a window on it that holds nothing, if there is one."""
    for axis, each in enumerate(members(pool, data)):
        for number, inside in enumerate(each):
            if not inside:
                return axis, number
    return None


def divides_by_what_it_sums(pool: Pooling, data: TensorType) -> bool:
    """Whether an average divides every sum by the number of its summands: false where it counts padding, and there is some."""
    given = pool.attributes()
    if not given.get("count_include_pad", False):
        return True
    for axis, n in enumerate(data.spatial):
        pads = (given["pad"][axis], given["pad"][len(given["pad"]) // 2 + axis])
        for taps in _taps(given, axis, n):
            if any(not 0 <= t < n and -pads[0] <= t < n + pads[1] for t in taps):
                return False
    return True


def largest_window(pool: Pooling, data: TensorType) -> int:
    """The most elements that one window holds."""
    return int(np.prod([max(len(inside) for inside in each) for each in members(pool, data)]))
