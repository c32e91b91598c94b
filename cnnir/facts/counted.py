"""Facts of formulas of few numbers, found by trying every one: 256 or 65,536 of them are quickly tried, and nothing is left out.

What is tried is the float code, so that a direction is exact; where library functions, or roundings that are left out, make
more than one value possible (`spread`), it holds up to a bound.

Let the code give a value in [lo, hi] at each number. It falls, then rises, up to the largest hi(x) - max(least lo before x,
least lo behind x): no code exceeds by more what is least on either side. A direction is only said where some values in
[lo, hi] have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cnnir.scalar.expr import Apply, Expr, nodes

from .fact import Affine, Fact, Grade
from .interval import Interval, around
from .lattice import DOWN, UNKNOWN, UP, Direction, valley
from .precision import Precision, Whole
from .spread import Wraps, spread

Array = np.ndarray[Any, Any]
MOST = 1 << 16
"""Numbers that are tried."""
LOOSE = 64
"""Unit roundoffs of the largest value, beyond which a bound says nothing."""


def counted(expr: Expr, domain: Interval, precision: Precision, coefficients: Mapping[str, Interval]) -> Fact | None:
    """Facts of `expr` for x in the domain; None where there are too many numbers in it, or an integer may not hold a result."""
    if not _countable(domain, precision) or any(not c.is_point for c in coefficients.values()):
        return None
    points = _points(domain, precision)
    try:
        found = spread(expr, points, precision.name, {role: c.lo for role, c in coefficients.items()})
    except Wraps:
        return None
    lo, hi = found.lo.astype(np.float64), found.hi.astype(np.float64)
    if np.isnan(lo).any() or np.isnan(hi).any():
        return None
    zeros = _minus_zero(found.lo) + _minus_zero(found.hi)
    values = around([float(lo.min()), float(hi.max()), *zeros])
    if np.array_equal(lo, hi):
        if not _zeros_alike(points, lo):
            return None
        linear = Affine(0.0, values.lo) if values.is_point else None
        return Fact(_direction(points.astype(np.float64), lo), values, Grade.C if _calls(expr) else Grade.E, linear)
    direction, bound = _bounded(lo, hi)
    at_zero = points == 0  # a pool takes either zero for the other
    if at_zero.any():
        bound = max(bound, float(np.max(_above(hi[at_zero].max(), lo[at_zero].min()))))
    most = LOOSE * _unit(found.lo, precision) * values.magnitude
    held = np.isfinite(bound) and bound <= most
    return Fact(direction, values, Grade.U, bound=bound) if held else Fact(UNKNOWN, values, Grade.U, bound=None)


def _calls(expr: Expr) -> bool:
    return any(isinstance(node, Apply) and node.primitive.rounding == "library" for node in nodes(expr))


def _unit(values: Array, precision: Precision) -> float:
    """The unit roundoff of what a formula gives, or of what it reads."""
    return max(precision.unit, float(np.finfo(values.dtype).eps) / 2 if values.dtype.kind == "f" else 0.0)


def _countable(domain: Interval, precision: Precision) -> bool:
    """Whether there are few numbers in the domain."""
    if domain.nan or domain.has_infinity or precision.name == "bool":
        return False
    if precision.numpy.itemsize <= 2:
        return True
    return isinstance(precision, Whole) and domain.hi - domain.lo < MOST


def _bounded(lo: Array, hi: Array) -> tuple[Direction, float]:
    """The narrowest direction that some values have, and how far others may break it."""
    before, behind = np.maximum.accumulate, np.minimum.accumulate
    ways = {
        UP: (before(lo), hi, hi, behind(lo[::-1])[::-1]), DOWN: (before(lo[::-1])[::-1], hi, hi, behind(lo)),
    }  # fmt: skip
    held = [(way, float(np.max(_above(most, least)))) for way, (reached, top, most, least) in ways.items() if bool(np.all(reached <= top))]
    if held:
        return (held[0][0].meet(held[1][0]) if len(held) == 2 else held[0][0]), max(bound for _, bound in held)
    for sign in (1, -1):
        low, high = (lo, hi) if sign > 0 else (-hi, -lo)
        if bool(np.all(low <= _bowl(high))):
            turned = valley()
            return turned if sign > 0 else turned.negated(), float(np.max(_above(high, _bowl(low))))
    return UNKNOWN, np.inf


def _bowl(y: Array) -> Array:
    """The largest function below y that falls, then rises."""
    return np.maximum(np.minimum.accumulate(y), np.minimum.accumulate(y[::-1])[::-1])


def _above(high: Array, low: Array) -> Array:
    return np.where(high == low, 0.0, high - np.where(high == low, 0.0, low))


def _points(domain: Interval, precision: Precision) -> Array:
    if isinstance(precision, Whole):
        return np.arange(int(domain.lo), int(domain.hi) + 1).astype(precision.numpy)
    ends: list[int] = precision.keys(np.array([domain.lo, domain.hi])).tolist()
    first, last = ends
    found = precision.numbers(np.arange(first, last + 1)).astype(precision.numpy)
    return np.insert(found, -first, np.asarray(-0.0, found.dtype)) if domain.minus_zero else found


def _zeros_alike(points: Array, values: Array) -> bool:
    """Whether -0 and +0 give the same."""
    return len({*values[points == 0].tolist()}) <= 1


def _minus_zero(values: Array) -> list[float]:
    return [-0.0] if bool(((values == 0) & np.signbit(values)).any()) else []


def _direction(x: Array, y: Array) -> Direction:
    rises, falls = y[1:] > y[:-1], y[1:] < y[:-1]
    if not falls.any() or not rises.any():
        return (UNKNOWN if falls.any() else UP).meet(UNKNOWN if rises.any() else DOWN)
    first, last = int(np.argmax(rises)), len(rises) - 1 - int(np.argmax(falls[::-1]))
    if last < first:  # falls until x[last + 1], rises from x[first] on
        return valley(float(x[first]), float(x[last + 1]))
    first, last = int(np.argmax(falls)), len(rises) - 1 - int(np.argmax(rises[::-1]))
    return valley(float(x[first]), float(x[last + 1])).negated() if last < first else UNKNOWN
