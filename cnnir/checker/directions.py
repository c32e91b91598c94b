"""Which way a function goes, found by cutting its range in halves until every piece is proved or counted out.

A cell is settled where interval arithmetic on float values shows a direction, where all its numbers can be tried, or, for
claims of class U, where the derivative has one sign. Cells share their ends, so that their directions join.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .floats import Format, format_of
from .function import Function
from .report import Counterexample

Array = np.ndarray[Any, Any]
Way = Literal["up", "down", "valley", "peak"]
COUNTED = 1 << 12
"""Cells of so many numbers are tried number by number;"""
FEW = 1 << 4
"""of these where rounding is allowed for: a derivative says more of a narrower cell;"""
ALL = 1 << 16
"""whole types of so many numbers, too."""
MOST_CELLS = 60_000
MOST_POINTS = 1 << 23
RUNS, RUN = 64, 64
"""Runs of neighbouring numbers among samples, and how long they are: rounding breaks an order from one number to the next."""
SIMPLE = np.arange(-10, 10.5, 0.5)
"""Numbers that are shown if they will do."""
LOST = 4_000
"""Cells open at once beyond which nothing is going to settle them."""


@dataclass(frozen=True)
class Pieces:
    """A channel's range cut into cells, in order, with what was found on each."""

    lo: Array
    hi: Array
    up: Array
    down: Array
    open: Array
    """Cells that nothing settled."""
    turns: Array
    """Of cells tried number by number: falls, then rises (1), rises, then falls (-1), neither (2); else 0."""
    error: Array
    """How far the float code may be from a function that goes this way: 0 where it goes this way itself."""
    nan: Array
    minus_zero: Array
    values: tuple[float, float]

    def goes(self, way: Way) -> bool:
        """Whether the function goes so, cells that nothing settled aside."""
        turns = self.turns[~self.open]
        up, down = self.up[~self.open], self.down[~self.open]
        if way in ("up", "down"):
            return bool((up if way == "up" else down).all())
        first, then, turn = (down, up, 1) if way == "valley" else (up, down, -1)
        here = turns == turn
        only_first, only_then = first & ~then & ~here, then & ~first & ~here
        if (turns == 2).any() or (~(first | then | here)).any() or here.sum() > 1:
            return False
        starts = [np.flatnonzero(mask) for mask in (only_first, here, only_then)]
        last, turn_at, begin = starts
        order = [int(part[end]) for part, end in ((last, -1), (turn_at, 0), (turn_at, -1), (begin, 0)) if len(part)]
        return order == sorted(order)

    def bound(self) -> float:
        """How far max f(x) and f(max x) can be apart: two errors."""
        return 2 * float(self.error[~self.open].max(initial=0.0))


@dataclass(frozen=True)
class Search:
    """How hard to look, and at what: `rounding` where the derivative may settle a cell, down to an error of `allowed`.

    `minus_zero`: whether the data may be -0, which must then give what 0 gives.
    """

    rounding: bool = False
    allowed: float = np.inf
    minus_zero: bool = True


def pieces(function: Function, row: int, lo: float, hi: float, how: Search) -> Pieces:
    """The function of one channel on [lo, hi], cut up."""
    if function.data.is_float:
        of = format_of(function.data.dtype)
        first, last = of.inside(lo, hi)
        return _cut(function, row, of, first, last, how)
    return _whole(function, row, lo, hi)


def _whole(function: Function, row: int, lo: float, hi: float) -> Pieces:
    """Integers: all of them, where they are few."""
    limits = np.iinfo(function.data.numpy) if function.data.dtype != "bool" else np.iinfo(np.uint8)
    least, most = max(int(limits.min), int(np.ceil(lo))), min(int(limits.max), int(np.floor(hi)))
    if function.data.dtype == "bool" or most - least > ALL:
        ends = (np.array([float(least)]), np.array([float(most)]))
        found, _ = function.on(*ends, np.full(1, row))
        settled = (found.up | found.down) & ~found.nan
        no = np.zeros(1, bool)
        return Pieces(
            *ends, found.up, found.down, ~settled, no.astype(int), np.zeros(1), found.nan, no, (float(found.lo[0]), float(found.hi[0]))
        )
    points = np.arange(least, most + 1).astype(function.data.numpy)
    values = function.at(points, row)
    tried = _tried(values)
    one = np.zeros(1, bool)
    return Pieces(
        points[:1].astype(float), points[-1:].astype(float), one | tried[0], one | tried[1], one, np.array([tried[2]]), np.zeros(1),
        one | bool(np.isnan(values).any()), one, (float(values.min()), float(values.max())),
    )  # fmt: skip


def _tried(values: Array) -> tuple[bool, bool, int]:
    """Of values in the order of their arguments: never falls, never rises, and how it turns."""
    if np.isnan(values).any():
        return False, False, 2
    rises, falls = values[1:] > values[:-1], values[1:] < values[:-1]
    if not falls.any() or not rises.any():
        return not falls.any(), not rises.any(), 0
    first, last = int(np.argmax(rises)), len(rises) - 1 - int(np.argmax(falls[::-1]))
    if last < first:
        return False, False, 1
    first, last = int(np.argmax(falls)), len(rises) - 1 - int(np.argmax(rises[::-1]))
    return False, False, -1 if last < first else 2


class _Settled:
    """Rows of what was found, in the order it was found."""

    def __init__(self) -> None:
        self.parts: list[tuple[Array, ...]] = []

    def add(self, *columns: Array) -> None:
        self.parts.append(columns)

    def sorted(self) -> tuple[Array, ...]:
        columns = [np.concatenate(column) for column in zip(*self.parts, strict=True)]
        order = np.lexsort((columns[1], columns[0]))
        return tuple(column[order] for column in columns)


def _cut(function: Function, row: int, of: Format, first: int, last: int, how: Search) -> Pieces:
    cuts = sorted({first, last, *(c for c in _cuts(function, of) if first < c < last)})
    lo, hi = (np.array(cuts[:-1]), np.array(cuts[1:])) if len(cuts) > 1 else (np.array(cuts), np.array(cuts))
    settled, cells, points = _Settled(), 0, 0
    countable = ALL if last - first <= ALL else FEW if how.rounding else COUNTED
    while len(lo):
        span, slope = function.on(of.numbers(lo), of.numbers(hi), np.full(len(lo), row))
        cells += len(lo)
        up, down, error, ok = span.up & ~span.nan, span.down & ~span.nan, np.zeros(len(lo)), (span.up | span.down) & ~span.nan
        if how.rounding:
            up, down, error, ok = _by_slope(of, lo, hi, up, down, ok, span.nan, slope.least, slope.most, slope.error, how.allowed)
        width = hi.astype(np.float64) - lo.astype(np.float64)
        count = ~ok & (width <= countable)
        hopeless = cells > MOST_CELLS or (~ok).sum() > LOST or points > MOST_POINTS
        none = np.zeros(len(lo), int)
        leave = ok | (hopeless & ~count)
        settled.add(*(c[leave] for c in (lo, hi, up, down, ~ok, none, error, span.nan, span.minus_zero, span.lo, span.hi)))
        for i in np.flatnonzero(count):
            points += int(width[i]) + 1
            settled.add(*_count_out(function, row, of, int(lo[i]), int(hi[i]), how))
        rest = ~leave & ~count
        lo, hi = lo[rest], hi[rest]
        middle = (lo >> 1) + (hi >> 1) + (lo & hi & 1)
        lo, hi = np.concatenate([lo, middle]), np.concatenate([middle, hi])
    low, high, up, down, opened, turns, error, nan, minus_zero, least, most = settled.sorted()
    ends = (of.numbers(low).astype(np.float64), of.numbers(high).astype(np.float64))
    return Pieces(*ends, up, down, opened, turns, error, nan, minus_zero, (float(least.min()), float(most.max())))


def _cuts(function: Function, of: Format) -> list[int]:
    """Places to begin cutting at: zero, and the numbers of the formula."""
    numbers = np.array([v for v in function.landmarks() if abs(v) <= of.max] or [0.0])
    with np.errstate(all="ignore"):
        return [0, *(int(k) for k in of.keys(np.concatenate([numbers, -numbers]).astype(of.dtype)))]


def _by_slope(
    of: Format, lo: Array, hi: Array, up: Array, down: Array, ok: Array, nan: Array, least: Array, most: Array, error: Array, allowed: float
) -> tuple[Array, Array, Array, Array]:
    """Cells that the derivative settles: by its sign, or flat enough to be taken for level."""
    with np.errstate(all="ignore"):
        near = 2 * error <= allowed
        rises, falls = (least >= 0) & near & ~nan, (most <= 0) & near & ~nan
        width = of.numbers(hi).astype(np.float64) - of.numbers(lo).astype(np.float64)
        wavers = error + width * np.maximum(np.abs(least), np.abs(most))
    narrow = np.isfinite(allowed) | (hi.astype(np.float64) - lo.astype(np.float64) <= COUNTED)
    flat = np.isfinite(wavers) & (wavers <= allowed / 2) & narrow & ~nan & ~rises & ~falls
    against = ok & ((rises & ~up) | (falls & ~down))  # goes one way by its rounding alone
    made = np.where(ok & ~against, 0.0, np.where(flat, wavers, error))
    return np.where(ok, up, flat) | rises, np.where(ok, down, flat) | falls, made, ok | rises | falls | flat


def _count_out(function: Function, row: int, of: Format, lo: int, hi: int, how: Search) -> tuple[Array, ...]:
    """A cell tried number by number; zero is tried with both signs that it may have, which must give the same.

    Where rounding is allowed for, changes of direction say nothing of the real function: the cell stays open.
    """
    keys = np.arange(lo, hi + 1)
    numbers = of.numbers(keys)
    both = how.minus_zero and lo <= 0 <= hi
    if both:
        numbers = np.insert(numbers, -lo, np.asarray(-0.0, of.dtype))
    values = function.at(numbers, row)
    up, down, turn = _tried(values)
    if both and values[-lo] != values[1 - lo]:
        up, down, turn = False, False, 2
    zero = bool(((values == 0) & np.signbit(values)).any())
    missing = bool(np.isnan(values).any())
    ends = (np.nanmin(values), np.nanmax(values)) if not np.isnan(values).all() else (-np.inf, np.inf)
    return tuple(np.array([v]) for v in (lo, hi, up, down, how.rounding and turn == 2, turn, 0.0, missing, zero, *ends))


def contradiction(function: Function, row: int, way: Way, lo: float, hi: float, slack: float = 0.0) -> Counterexample | None:
    """Numbers in [lo, hi] on which the function goes another way by more than `slack`, where trying some thousands finds them."""
    every = sample(function, lo, hi)
    plain = every[np.isin(every.astype(np.float64), SIMPLE)]
    return (_contradiction(function, row, way, plain, slack) if len(plain) else None) or _contradiction(function, row, way, every, slack)


def _contradiction(function: Function, row: int, way: Way, points: Array, slack: float) -> Counterexample | None:
    values = function.at(points, row)
    if np.isnan(values).any():
        i = int(np.argmax(np.isnan(values)))
        return _shown(function, points, values, [i], row)
    sign = -1.0 if way in ("down", "peak") else 1.0
    y = sign * values
    if way in ("up", "down"):
        highest = np.maximum.accumulate(y)
        with np.errstate(invalid="ignore", over="ignore"):
            drop = np.where(highest == y, 0.0, highest - y)
        j = int(np.argmax(drop))
        return _shown(function, points, values, [int(np.argmax(y[: j + 1])), j], row) if drop[j] > slack else None
    left, right = np.minimum.accumulate(y), np.minimum.accumulate(y[::-1])[::-1]
    with np.errstate(invalid="ignore", over="ignore"):
        height = np.where(np.isfinite(y), y - np.maximum(left, right), 0.0)
    j = int(np.argmax(height))
    if not height[j] > slack:
        return None
    return _shown(function, points, values, [int(np.argmin(y[: j + 1])), j, j + int(np.argmin(y[j:]))], row)


def _shown(function: Function, points: Array, values: Array, at: Sequence[int], row: int) -> Counterexample:
    where = tuple(float(points[i]) for i in at)
    return Counterexample(where, tuple(float(values[i]) for i in at), row if function.rows > 1 else None)


def sample(function: Function, lo: float, hi: float) -> Array:
    """Numbers of the data's type in order: small round ones, evenly spaced places of the type, and around the formula's numbers."""
    if not function.data.is_float:
        limits = np.iinfo(function.data.numpy) if function.data.dtype != "bool" else np.iinfo(np.uint8)
        least, most = max(int(limits.min), int(np.ceil(lo))), min(int(limits.max), int(np.floor(hi)))
        if function.data.dtype == "bool":
            return np.array([False, True])
        return np.unique(np.linspace(least, most, 4097).astype(np.int64)).astype(function.data.numpy)
    of = format_of(function.data.dtype)
    first, last = of.inside(lo, hi)
    near = [int(k) + d for k in _cuts(function, of) for d in range(-3, 4)]
    fine = of.keys(np.concatenate([SIMPLE, np.linspace(-8, 8, 1025)]).astype(of.dtype))
    even = np.linspace(float(first), float(last), 4097).astype(np.int64)
    runs = (fine[:: len(fine) // RUNS, None] + np.arange(RUN)).ravel()
    keys = np.unique(np.concatenate([np.array(near), fine, even, runs, [first, last]]))
    return of.numbers(keys[(keys >= first) & (keys <= last)])
