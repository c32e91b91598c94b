"""The direction of a formula as a real function, by cutting its domain until the derivative has one sign on every part.

Parts end at numbers of the dtype, and are cut between numbers of the dtype: two neighbours are the smallest part, and
their values are compared. So a jump is right too: what is proved is the direction on the numbers of the dtype. A part on
which the second derivative has one sign turns once, and the sign of the slope at points finds where.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cnnir.scalar.expr import Expr

from .enclosure import Array, Enclosure
from .interval import Interval
from .jet import Jet, jet
from .lattice import CONSTANT, DOWN, LEVEL, MONOTONE, SOMEWHERE, UNKNOWN, UP, Direction, glue
from .precision import Precision, cut

WAYS = 8
"""Parts that one part is cut into."""
MOST_OPEN = 256
"""Open parts at which the search ends: a function that waves has no direction."""
MOST_PARTS = 6_000
POINTS = 512
"""Points at once where the slope is looked at to find a turning point."""
LEVELS = 26

_OPEN, _FLAT, _UP, _DOWN, _VALLEY, _PEAK, _PAIR = range(7)
_DIRECTIONS = {
    _FLAT: CONSTANT, _UP: UP, _DOWN: DOWN, _VALLEY: Direction(valley=SOMEWHERE), _PEAK: Direction(peak=SOMEWHERE), _PAIR: MONOTONE,
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One way on [lo, hi], which is the number of the dtype itself where lo = hi."""

    lo: float
    hi: float
    direction: Direction


class Bisection:
    """A search for the direction of `expr` on [lo, hi]."""

    def __init__(self, expr: Expr, precision: Precision, coefficients: Mapping[str, Interval]) -> None:
        self.expr = expr
        self.precision = precision
        self.coefficients = coefficients
        self._evaluated = 0

    def direction(self, cuts: list[float]) -> Direction:
        """The direction on [cuts[0], cuts[-1]], 0 among the cuts where it lies between; UNKNOWN where it was not found."""
        parts = self.parts(cuts)
        if parts is None:
            return UNKNOWN
        found, reached = parts[0].direction, parts[0].lo
        for before, part in pairwise(parts):
            reached = before.hi
            found = glue(found, reached, LEVEL, reached, part.direction)
        return found.within(cuts[0], cuts[-1])

    def parts(self, cuts: list[float]) -> list[Part] | None:
        """Neighbouring parts with their directions; None where some stayed open, or where it goes three ways."""
        keys = self.precision.keys(np.array(cuts))
        lo, hi = keys[:-1], keys[1:]
        closed: list[tuple[int, int, int]] = []
        for _ in range(LEVELS):
            self._evaluated += len(lo)
            if self._evaluated > MOST_PARTS:
                return None
            kind = self._kinds(lo, hi)
            is_open = kind == _OPEN
            closed += zip(lo[~is_open].tolist(), hi[~is_open].tolist(), kind[~is_open].tolist(), strict=True)
            lo, hi = lo[is_open], hi[is_open]
            if not len(lo) or len(lo) > MOST_OPEN or np.any(hi - lo <= 1) or _wanders(sorted(closed)):
                break
            lo, hi = cut(lo, hi, WAYS)
        if len(lo) or _wanders(sorted(closed)):
            return None
        return [part for low, high, kind in self._joined(_merged(sorted(closed))) for part in self._parts_of(low, high, kind)]

    def _joined(self, closed: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
        """Neighbours that bend the same way as one, where the numbers about their common end do, kinks included."""
        ends = np.array([hi for _, hi, _ in closed])
        about = self._jet(np.maximum(ends - 1, closed[0][0]), np.minimum(ends + 1, closed[-1][1]))
        bends = {_VALLEY: about.sound & (about.second.lo >= 0), _PEAK: about.sound & (about.second.hi <= 0)}
        found: list[tuple[int, int, int]] = []
        for place, (lo, hi, kind) in enumerate(closed):
            if found and kind == found[-1][2] and kind in bends and bends[kind][place - 1]:
                found[-1] = (found[-1][0], hi, kind)
            else:
                found.append((lo, hi, kind))
        return found

    def _jet(self, lo: Array, hi: Array) -> Jet:
        of = self.precision
        return jet(self.expr, Enclosure(of.numbers(lo), of.numbers(hi)), of, self.coefficients)

    def _kinds(self, lo: Array, hi: Array) -> Array:
        found = self._jet(lo, hi)
        kind = np.full(len(lo), _OPEN)
        kind[found.sound & (found.second.hi <= 0)] = _PEAK
        kind[found.sound & (found.second.lo >= 0)] = _VALLEY
        kind[found.falls] = _DOWN
        kind[found.rises] = _UP
        kind[found.rises & found.falls] = _FLAT
        pairs = np.flatnonzero((hi - lo <= 1) & np.isin(kind, (_OPEN, _VALLEY, _PEAK)))
        if len(pairs):
            kind[pairs] = self._compared(lo[pairs], hi[pairs], kind[pairs])
        return kind

    def _compared(self, lo: Array, hi: Array, known: Array) -> Array:
        """Neighbours by their values; where these are too close, they go one way or the other."""
        left, right = self._jet(lo, lo), self._jet(hi, hi)
        a, b = left.value, right.value
        defined = np.broadcast_to(left.sound & right.sound, lo.shape)
        kind = np.where((known == _OPEN) & defined, _PAIR, known)
        kind[defined & (a.lo >= b.hi)] = _DOWN
        kind[defined & (a.hi <= b.lo)] = _UP
        return kind

    def _parts_of(self, lo: int, hi: int, kind: int) -> list[Part]:
        ends = self.precision.numbers(np.array([lo, hi])).tolist()
        if kind not in (_VALLEY, _PEAK):
            return [Part(ends[0], ends[1], _DIRECTIONS[kind])]
        until, since = self._turning(lo, hi, kind)
        at = self.precision.numbers(np.array([lo, until, since, hi])).tolist()
        ways = (DOWN, _DIRECTIONS[kind], UP) if kind == _VALLEY else (UP, _DIRECTIONS[kind], DOWN)
        return [Part(a, b, way) for (a, b), way in zip(pairwise(at), ways, strict=True) if a < b]

    def _turning(self, lo: int, hi: int, kind: int) -> tuple[int, int]:
        """The slope of a valley grows: where it is negative it falls up to there, where it is positive it rises from there."""
        sign = 1 if kind == _VALLEY else -1
        while hi - lo > 1:
            step = max((hi - lo) // POINTS, 1)
            points = np.append(np.arange(lo, hi, step), hi)
            slope = self._jet(points, points).first
            slope = slope if sign > 0 else -slope
            falls, rises = (np.flatnonzero(np.broadcast_to(s, points.shape)) for s in (slope.hi <= 0, slope.lo >= 0))
            before, after = lo, hi
            lo = int(points[falls[-1]]) if len(falls) else lo
            hi = int(points[rises[0]]) if len(rises) else hi
            if hi <= lo or (lo, hi) == (before, after):
                break
        return min(lo, hi), max(lo, hi)


def _wanders(closed: list[tuple[int, int, int]]) -> bool:
    """Whether it goes up, down and up again, or the other way round: neither a valley nor a peak."""
    ways = [kind for _, _, kind in closed if kind in (_UP, _DOWN)]
    return sum(a != b for a, b in pairwise(ways)) > 1


def _merged(closed: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Neighbours that go the same way as one, and flat parts with the part on their left."""
    found: list[tuple[int, int, int]] = []
    for lo, hi, kind in closed:
        if found and kind == found[-1][2] and kind in (_UP, _DOWN, _FLAT):
            found[-1] = (found[-1][0], hi, kind)
        else:
            found.append((lo, hi, kind))
    return found
