"""The oracle: dense sampling of a formula, to contradict what the lattice claims and to find witnesses.

Independent of every rule: all that it shares with them is the formula's NumPy meaning.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnir.scalar.evaluate import evaluate
from cnnir.scalar.expr import Const, Expr, leaves

from .fact import Fact, Grade
from .interval import Interval
from .lattice import Turn
from .precision import Precision

Array = np.ndarray[Any, Any]
ROUNDINGS = 160
"""Unit roundoffs by which float code of class U without a known bound may break its direction, in samples."""


@dataclass(frozen=True)
class Contradiction:
    """A sampled point (or two) where a claim is false."""

    claim: str
    points: tuple[float, ...]
    values: tuple[float, ...]


def samples(expr: Expr, domain: Interval, precision: Precision, around: tuple[float, ...] = ()) -> Array:
    """Points of the domain in order: linear and logarithmic grids, both zeros, denormals, the ends of the range, and
    the neighbours within 3 of every constant of the formula, its negation, and every number in `around`."""
    grids = [np.linspace(-12, 12, 1537), np.linspace(-105, 105, 841)]
    span = min(domain.magnitude, precision.max)
    if span < 12:
        grids.append(np.linspace(domain.lo, domain.hi, 1025))
    powers = np.exp2(np.linspace(math.log2(precision.tiny), math.log2(precision.max) * (1 - 1e-9), 700))
    constants = [leaf.value for leaf in leaves(expr) if isinstance(leaf, Const)]
    points = np.array([0.0, domain.lo, domain.hi, precision.max, *around, *constants])
    points = points[np.isfinite(points)]
    with np.errstate(all="ignore"):
        special = np.concatenate([points, -points]).astype(precision.numpy)
        near = [special]
        for end in (np.inf, -np.inf):
            at = special
            for _ in range(3):
                at = np.nextafter(at, np.asarray(end, precision.numpy))
                near.append(at)
        every = np.concatenate([*(g.astype(precision.numpy) for g in (*grids, powers, -powers)), *near])
    wide = every.astype(np.float64)
    inside = every[np.isfinite(wide) & (wide >= domain.lo) & (wide <= domain.hi)]
    found = np.unique(inside.astype(np.float64) + 0.0).astype(precision.numpy)
    if not domain.minus_zero:
        return found
    place = int(np.searchsorted(found.astype(np.float64), 0.0))
    return np.insert(found, place, np.asarray(-0.0, precision.numpy))


def values_at(expr: Expr, points: Array, coefficients: Mapping[str, float]) -> Array:
    """The formula at the points, as float64."""
    arrays = {role: np.asarray(c, points.dtype) for role, c in coefficients.items()}
    with np.errstate(all="ignore"):
        return evaluate(expr, [points], arrays).astype(np.float64)


def contradiction(
    expr: Expr, fact: Fact, domain: Interval, precision: Precision, coefficients: Mapping[str, float]
) -> Contradiction | None:
    """A sample that refutes the fact, if there is one. Directions of class U are held to their bound."""
    turns = [t for turn in (fact.direction.valley, fact.direction.peak) if turn for t in (turn.until, turn.since)]
    points = samples(expr, domain, precision, tuple(turns))
    values = values_at(expr, points, coefficients)
    where = points.astype(np.float64)
    return _range(where, values, fact) or _direction(where, values, fact, ROUNDINGS * precision.unit)


def _range(points: Array, values: Array, fact: Fact) -> Contradiction | None:
    missing = np.isnan(values)
    outside = ~missing & ((values < fact.range.lo) | (values > fact.range.hi))
    if not fact.range.minus_zero:
        outside |= (values == 0) & np.signbit(values)
    for claim, bad in (("no NaN", missing & (not fact.range.nan)), (f"range {fact.range}", outside)):
        if bad.any():
            first = int(np.argmax(bad))
            return Contradiction(claim, (float(points[first]),), (float(values[first]),))
    return None


def _direction(points: Array, values: Array, fact: Fact, unbounded: float) -> Contradiction | None:
    known = ~np.isnan(values)
    x, y = points[known], values[known]
    slack = 0.0 if fact.grade is not Grade.U else unbounded if fact.bound is None else fact.bound
    for turn, sign in ((fact.direction.valley, 1.0), (fact.direction.peak, -1.0)):
        if turn is not None:
            bad = _not_valley(x, sign * y, turn, slack)
            if bad is not None:
                i, j = bad
                return Contradiction(f"direction {fact.direction}", (float(x[i]), float(x[j])), (float(y[i]), float(y[j])))
    return None


def _not_valley(x: Array, y: Array, turn: Turn, slack: float) -> tuple[int, int] | None:
    """Two places where y does not fall until `until`, does not rise since `since`, or rises and then falls."""
    rising = np.flatnonzero(x >= turn.since)
    found = _drop(y[rising], slack)
    if found is not None:
        return int(rising[found[0]]), int(rising[found[1]])
    falling = np.flatnonzero(x <= turn.until)
    found = _drop(y[falling][::-1], slack)
    if found is not None:
        return int(falling[::-1][found[1]]), int(falling[::-1][found[0]])
    if len(y):
        lowest = int(np.argmin(y))  # a valley rises from its lowest point to either side
        found = _drop(y[lowest:], slack) or _drop(y[: lowest + 1][::-1], slack)
        if found is not None:
            return lowest, lowest
    return None


def _drop(y: Array, slack: float) -> tuple[int, int] | None:
    """Places i < j where y falls by more than the slack from i to j: the deepest fall."""
    if len(y) < 2:
        return None
    highest = np.maximum.accumulate(y)
    with np.errstate(invalid="ignore", over="ignore"):  # from the largest float64 to the smallest is an infinite fall
        fall = np.where(highest == y, 0.0, highest - y)
    j = int(np.argmax(fall))
    if not fall[j] > slack:
        return None
    return int(np.argmax(y[: j + 1])), j


def falling_pair(expr: Expr, domain: Interval, precision: Precision, coefficients: Mapping[str, float]) -> tuple[float, float] | None:
    """Two points a < b of the domain with f(a) > f(b): small round numbers where they will do, the deepest fall first."""
    for points, values in _finite_samples(expr, domain, precision, coefficients):
        found = _drop(values, 0.0)
        if found is not None:
            return float(points[found[0]]), float(points[found[1]])
    return None


def inner_point(expr: Expr, domain: Interval, precision: Precision, coefficients: Mapping[str, float]) -> tuple[float, float, float] | None:
    """Three points a < b < c of the domain with f(b) > f(a) and f(b) > f(c): a function without any is a valley."""
    for points, values in _finite_samples(expr, domain, precision, coefficients):
        if len(values) < 3:
            continue
        left, right = np.minimum.accumulate(values), np.minimum.accumulate(values[::-1])[::-1]
        with np.errstate(over="ignore"):
            height = values - np.maximum(left, right)
        b = int(np.argmax(height))
        if height[b] > 0:
            a, c = int(np.argmin(values[: b + 1])), b + int(np.argmin(values[b:]))
            return float(points[a]), float(points[b]), float(points[c])
    return None


def _finite_samples(expr: Expr, domain: Interval, precision: Precision, coefficients: Mapping[str, float]) -> Iterator[tuple[Array, Array]]:
    """Points in order and the values there, those that are finite: half numbers near zero first, then dense samples."""
    grids = [np.arange(-reach, reach + 0.5, 0.5) for reach in (3, 10)]
    inside = [g[(g >= domain.lo) & (g <= domain.hi)].astype(precision.numpy) for g in grids]
    for points in (*inside, samples(expr, domain, precision)):
        values = values_at(expr, points, coefficients)
        known = np.isfinite(values)
        yield points[known], values[known]
