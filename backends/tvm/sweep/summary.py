"""What one look at a run of values says of their order, and how two runs that follow one another are merged.

For values y_1, y_2, ... that should never fall, the *depth* is how far they fall below their running maximum,

    depth = max over j of (max_{i <= j} y_i) - y_j = max over i <= j of y_i - y_j,

and of two runs A, B in a row it is the largest of depth(A), depth(B) and max(A) - min(B): so runs are looked at apart, on as
many cores as there are, and merged. Values that should never rise are looked at with their sign turned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Summary:
    """A run of values at the places from `start` to before `stop`, which should rise (or stay) from one to the next."""

    start: int
    stop: int
    first: float
    last: float
    least: float
    greatest: float
    depth: float = 0.0
    falls: int = 0
    """Neighbours of which the second is lower."""
    fell: tuple[int, int] | None = None
    """The least and the greatest place of such neighbours."""
    missing: int = 0
    """Values that are NaN."""
    missed: tuple[int, int] | None = None
    """The first and the last place of those."""

    def then(self, other: Summary, level: bool = False) -> Summary:
        """This run and the one behind it. `level`: their numbers are equal (-0, then +0), and their values no neighbours."""
        falls = other.first < self.last and not level
        step = (self.stop - 1, other.start) if falls else None
        return Summary(
            self.start,
            other.stop,
            self.first,
            other.last,
            min(self.least, other.least),
            max(self.greatest, other.greatest),
            max(self.depth, other.depth, fall(self.greatest, other.least)),
            self.falls + other.falls + falls,
            hull(self.fell, step, other.fell),
            self.missing + other.missing,
            hull(self.missed, other.missed),
        )


def hull(*places: tuple[int, int] | None) -> tuple[int, int] | None:
    """The least and the greatest of places, where there are any."""
    known = [p for p in places if p is not None]
    return (min(p for p, _ in known), max(p for _, p in known)) if known else None


def fall(high: float, low: float) -> float:
    """How far `low` lies below `high`, rounded up; 0 where it does not."""
    return math.nextafter(high - low, math.inf) if low < high else 0.0


def summarize(values: Array, start: int, rises: bool = True) -> Summary:
    """Look at values at the places from `start` on, which should rise, or else fall."""
    with np.errstate(invalid="ignore"):  # ml_dtypes reports comparisons with NaN
        in_order = values[1:] >= values[:-1] if rises else values[1:] <= values[:-1]
    first, last = (float(values[0]), float(values[-1])) if rises else (-float(values[0]), -float(values[-1]))
    if in_order.all() and not math.isnan(first):
        return Summary(start, start + len(values), first, last, first, last)
    return _look_closely(values.astype(np.float64) if rises else -values.astype(np.float64), start)


def _look_closely(y: Array, start: int) -> Summary:
    """The same for values that are not in order: float64, their sign turned where they should fall."""
    missing, falls = np.flatnonzero(np.isnan(y)), np.flatnonzero(y[1:] < y[:-1])
    known = y[~np.isnan(y)]
    least, greatest, depth = math.inf, -math.inf, 0.0
    if len(known):
        highest = np.maximum.accumulate(known)
        below = np.flatnonzero(known < highest)
        least, greatest, depth = float(known.min()), float(highest[-1]), max((highest[below] - known[below]).tolist(), default=0.0)
    return Summary(
        start,
        start + len(y),
        float(y[0]),
        float(y[-1]),
        least,
        greatest,
        math.nextafter(depth, math.inf) if depth else 0.0,
        len(falls),
        (start + int(falls[0]), start + int(falls[-1]) + 1) if len(falls) else None,
        len(missing),
        (start + int(missing[0]), start + int(missing[-1])) if len(missing) else None,
    )
