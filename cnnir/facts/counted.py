"""Facts of formulas of small types, found by trying every number: 256 or 65,536 of them are quickly tried, and nothing is left out.

The float code itself is tried, so that a direction is exact. Library functions are not among the steps: what compiled code
calls may differ from what is tried here. Nor is bf16, of which compiled code rounds some steps less often.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cnnir.scalar.evaluate import evaluate
from cnnir.scalar.expr import Apply, Expr, nodes

from .fact import Fact
from .interval import Interval, around
from .lattice import DOWN, UNKNOWN, UP, Direction, valley
from .precision import Precision, Whole

Array = np.ndarray[Any, Any]


def counted(expr: Expr, domain: Interval, precision: Precision, coefficients: Mapping[str, Interval]) -> Fact | None:
    """Facts of `expr` for x in the domain; None where x is of a larger type, or the code is not known to the bit."""
    if not _countable(expr, domain, precision) or any(not c.is_point for c in coefficients.values()):
        return None
    points = _points(domain, precision)
    with np.errstate(all="ignore"):
        values = evaluate(expr, [points], {role: np.asarray(c.lo) for role, c in coefficients.items()}).astype(np.float64)
    if np.isnan(values).any() or not _zeros_alike(points, values):
        return None
    return Fact(_direction(points.astype(np.float64), values), around([*np.unique(values).tolist(), *_minus_zero(values)]))


def _countable(expr: Expr, domain: Interval, precision: Precision) -> bool:
    small = precision.numpy.itemsize <= 2 and precision.name not in ("bf16", "bool") and not domain.nan and not domain.has_infinity
    steps = [node.primitive for node in nodes(expr) if isinstance(node, Apply)]
    return small and all(p.rounding != "library" and p.to != "bf16" for p in steps)


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
