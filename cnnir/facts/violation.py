"""How far float code may break a direction that the real function has: one absolute bound for a whole domain.

Let c be the code and f the real function, a valley on the numbers of a domain (falling up to s, rising from t >= s; a
function that only rises or falls is a valley that turns at an end). Cut the domain into boxes that share their ends, each

    exact   c itself falls on it, and it lies left of s; or c itself rises on it, and it lies right of t; or
    open    |c - f| <= e on it.

Theorem. For m <= x <= M in the domain, c(x) <= max(c(m), c(M)) + 2 e, where e is the largest of the open boxes.

Proof. If x is in an exact box left of s, follow exact boxes from x downward to the first number x' that is m or in an open
box: c(x) <= c(x') and m <= x', so it is enough to show the claim for x' (it is plain where x' = m). Right of t likewise,
upward. So let x be in an open box. If m is in an exact box left of s, follow exact boxes upward to the first number
m' that is in an open box; since x is in one, m' <= x, and c(m') <= c(m). M likewise, from the right. If, however, m is in an
exact box right of t, then f rises from m on, f(x) <= f(M'), and m is not needed; likewise for M left of s. Hence

    c(x) <= f(x) + e <= max(f(m'), f(M')) + e <= max(c(m'), c(M')) + 2 e <= max(c(m), c(M)) + 2 e.

On x <= s and on x >= t the same holds with one side only, so where f rises, c(x) <= c(y) + 2 e for x <= y. A peak is
a valley of -f. Where f is flat, t < s, it both falls and rises from t to s, and exact is a box there only if c is constant on it.

Boxes are exact by composition (`transfer`), or because numbers are far apart: where f' >= d > 0, two neighbours differ by
d times their distance in f; if that is at least twice the error before the last rounding, they are in order before it,
and rounding keeps order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from cnnir.scalar.expr import Expr

from .enclosure import Array, Enclosure
from .fact import Fact
from .interval import Interval
from .jet import jet
from .lattice import INF, Direction
from .precision import Precision, cut
from .rounding import Rounding

ROUNDS = 16
PARTS = 8
"""What an open piece is cut into first."""
FINER = 8
"""What the worst boxes are cut into, round by round."""
WORTH = 0.8
"""A round must bring the bound below this part of what it was, or it is the last."""
MOST_BOXES = 4_000

Exact = Callable[[float, float], Fact]


def bound(
    expr: Expr, direction: Direction, cuts: list[float], exact: Exact, precision: Precision, coefficients: Mapping[str, Interval]
) -> float | None:
    """The 2 e of the theorem, on [cuts[0], cuts[-1]]; None where no finite one was found.

    `exact` gives what composition knows of the float code on a piece.
    """
    ends = _turning(direction, cuts[0], cuts[-1])
    if ends is None:
        return None
    until, since, sign = ends
    found = _Boxes(expr, precision, coefficients, until, since, sign)
    places = sorted({*cuts, *(e for e in (until, since) if cuts[0] < e < cuts[-1])})
    pieces = _open(places, lambda lo, hi: found.is_exact(exact(lo, hi), lo, hi))
    if not pieces:
        return 0.0
    error = found.largest(*(np.array(ends) for ends in zip(*pieces, strict=True)))
    return 2 * error if np.isfinite(error) else None


def _open(places: list[float], is_exact: Callable[[float, float], bool]) -> list[tuple[float, float]]:
    """The pieces between neighbouring places that are not exact, asking of many at once where that will do."""
    if is_exact(places[0], places[-1]):
        return []
    if len(places) == 2:
        return [(places[0], places[1])]
    middle = len(places) // 2
    return _open(places[: middle + 1], is_exact) + _open(places[middle:], is_exact)


def _turning(direction: Direction, lo: float, hi: float) -> tuple[float, float, int] | None:
    """Until where it falls, since where it rises, and -1 where that is said of -f."""
    known = direction.within(lo, hi)
    turn, sign = (known.valley, 1) if known.valley else (known.peak, -1)
    return (turn.until, turn.since, sign) if turn else None


class _Boxes:
    """The error on boxes; where the numbers of a box are in order by themselves it is none."""

    def __init__(
        self, expr: Expr, precision: Precision, coefficients: Mapping[str, Interval], until: float, since: float, sign: int
    ) -> None:
        self.expr = expr
        self.precision = precision
        self.coefficients = coefficients
        self.until, self.since, self.sign = until, since, sign
        self.rounding = Rounding(precision, coefficients)

    def is_exact(self, fact: Fact, lo: float, hi: float) -> bool:
        """Whether composition proves the wanted way for the float code on a piece."""
        if fact.bound != 0 or fact.range.nan:
            return False
        known = fact.direction if self.sign > 0 else fact.direction.negated()
        falls, rises = hi <= self.until, lo >= self.since
        return (falls or rises) and (known.is_down or not falls) and (known.is_up or not rises)

    def largest(self, lo: Array, hi: Array) -> float:
        """The largest error of open boxes, the worst of them cut again while that helps."""
        low, high = cut(self.precision.keys(lo), self.precision.keys(hi), PARTS)
        errors, tested = self._errors(low, high), np.zeros(len(low), bool)
        for _ in range(ROUNDS):
            worst = errors >= float(np.max(errors)) / 2
            fresh = worst & ~tested
            while np.any(fresh):
                errors[fresh] = np.where(self._ordered(low[fresh], high[fresh]), 0.0, errors[fresh])
                tested |= fresh
                worst = errors >= float(np.max(errors)) / 2
                fresh = worst & ~tested
            most, worst = float(np.max(errors)), worst & (high - low > 1)
            if most == 0 or not np.any(worst) or len(low) > MOST_BOXES:
                break
            parts = cut(low[worst], high[worst], FINER)
            low, high = (np.concatenate([rest[~worst], part]) for rest, part in zip((low, high), parts, strict=True))
            errors = np.concatenate([errors[~worst], self._errors(*parts)])
            tested = np.concatenate([tested[~worst], np.zeros(len(parts[0]), bool)])
            if np.isfinite(most) and float(np.max(errors)) > WORTH * most:
                break
        return float(np.max(errors))

    def _x(self, low: Array, high: Array) -> Enclosure:
        return Enclosure(self.precision.numbers(low), self.precision.numbers(high))

    def _errors(self, low: Array, high: Array) -> Array:
        return np.broadcast_to(self.rounding.of(self.expr, self._x(low, high)).error, low.shape).copy()

    def _ordered(self, low: Array, high: Array) -> Array:
        """Where neighbours are so far apart that they are in order before the last rounding."""
        x = self._x(low, high)
        found = self.rounding.of(self.expr, x)
        if not np.any(np.isfinite(found.before)):
            return np.zeros(len(low), bool)
        slope = jet(self.expr, x, self.precision, self.coefficients)
        first = slope.first if self.sign > 0 else -slope.first
        falls, rises = x.hi <= self.until, x.lo >= self.since
        steep = np.where(rises & ~falls, first.lo, np.where(falls & ~rises, -first.hi, -INF))
        gap = self.precision.spacing(x.least_magnitude) * (1 - 2.0**-40)
        with np.errstate(all="ignore"):
            ordered = slope.sound & (steep > 0) & (steep * gap >= 2 * found.before) & np.isfinite(found.before)
            return ordered & (found.real.magnitude + found.before < self.precision.max)
