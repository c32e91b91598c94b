"""Directions of a function of one variable: the lattice, and how directions compose, add and glue.

    CONSTANT < UP, DOWN < MONOTONE < VALLEY(m), PEAK(m) < UNKNOWN          MONOTONE = VALLEY(anywhere) meet PEAK(anywhere)

A direction is a pair: what is known of f as a *valley* (quasi-convex: falls, then rises) and as a *peak* (quasi-concave).
Each is a `Turn(until, since)`: one way for x <= until, the other way for x >= since. The two numbers need not be ordered:
until > since says that f is flat from `since` to `until`. Both are chains, so meet and join are exact in them, and every
named direction is a pair of turns:

    UP = falls until -inf, rises since -inf; rises until +inf, falls since +inf          CONSTANT = both ways everywhere

-inf and +inf stand for the ends of the domain that the direction was found on. Values of f that are NaN are not spoken of.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

INF = math.inf


@dataclass(frozen=True)
class Turn:
    """One way for x <= `until`, the other way for x >= `since`, and no third change of mind between."""

    until: float = -INF
    since: float = INF

    def meet(self, other: Turn) -> Turn:
        """Both are known."""
        return Turn(max(self.until, other.until), min(self.since, other.since))

    def join(self, other: Turn) -> Turn:
        """One of them holds."""
        return Turn(min(self.until, other.until), max(self.since, other.since))

    def within(self, lo: float, hi: float) -> Turn:
        """The same on the domain [lo, hi]: points beyond an end become that end's infinity."""
        until = INF if self.until >= hi else -INF if self.until < lo else self.until
        since = -INF if self.since <= lo else INF if self.since > hi else self.since
        return Turn(until, since)


EVERYWHERE = Turn(INF, -INF)
SOMEWHERE = Turn()


@dataclass(frozen=True)
class Direction:
    """What is known of f as a valley and as a peak; None is nothing."""

    valley: Turn | None = None
    peak: Turn | None = None

    @property
    def is_up(self) -> bool:
        """Known non-decreasing."""
        return (self.valley is not None and self.valley.since == -INF) or (self.peak is not None and self.peak.until == INF)

    @property
    def is_down(self) -> bool:
        """Known non-increasing."""
        return self.negated().is_up

    @property
    def is_constant(self) -> bool:
        """Known constant."""
        return self.is_up and self.is_down

    @property
    def is_monotone(self) -> bool:
        """Known to be up or down, though perhaps not which."""
        return self.is_up or self.is_down or (self.valley is not None and self.peak is not None)

    def meet(self, other: Direction) -> Direction:
        """Both are known of the same function."""
        return Direction(_meet(self.valley, other.valley), _meet(self.peak, other.peak))

    def join(self, other: Direction) -> Direction:
        """One of them holds."""
        return Direction(_join(self.valley, other.valley), _join(self.peak, other.peak))

    def __le__(self, other: Direction) -> bool:
        """Says at least as much as `other`."""
        return self.join(other) == other

    def negated(self) -> Direction:
        """The direction of -f."""
        return Direction(self.peak, self.valley)

    def mirrored(self) -> Direction:
        """The direction of f(-x)."""
        return Direction(_mirror(self.valley), _mirror(self.peak))

    def within(self, lo: float, hi: float) -> Direction:
        """The direction on [lo, hi], with what follows from it: a valley that turns at the lower end is UP."""
        valley = self.valley and self.valley.within(lo, hi)
        peak = self.peak and self.peak.within(lo, hi)
        found = Direction(valley, peak)
        for holds, named in ((found.is_up, UP), (found.is_down, DOWN)):
            found = found.meet(named) if holds else found
        return found

    def __str__(self) -> str:
        return name(self)


CONSTANT = Direction(EVERYWHERE, EVERYWHERE)
UP = Direction(Turn(-INF, -INF), Turn(INF, INF))
DOWN = UP.negated()
MONOTONE = Direction(SOMEWHERE, SOMEWHERE)
UNKNOWN = Direction()


def valley(lo: float = -INF, hi: float = INF) -> Direction:
    """Falls, then rises, with its turning point in [lo, hi]."""
    return Direction(valley=Turn(lo, hi))


def peak(lo: float = -INF, hi: float = INF) -> Direction:
    """Rises, then falls, with its turning point in [lo, hi]."""
    return Direction(peak=Turn(lo, hi))


def compose(outer: Direction, inner: Direction) -> Direction:
    """The direction of outer(inner(x)); `outer` must hold on the values of `inner`.

    up.valley = valley, down.valley = peak, up.peak = peak, down.peak = valley, valley.monotone = valley,
    peak.monotone = peak; where a turning point would have to be found through `inner`, it is SOMEWHERE.
    """
    if inner.is_constant or outer.is_constant:
        return CONSTANT
    found = UNKNOWN
    if outer.is_up:
        found = found.meet(inner)
    if outer.is_down:
        found = found.meet(inner.negated())
    if inner.is_monotone:
        found = found.meet(Direction(outer.valley and SOMEWHERE, outer.peak and SOMEWHERE))
    return found


def add(directions: Iterable[Direction]) -> Direction:
    """The direction of F(f, g, ...) for an F that is non-decreasing in each argument, such as a sum.

    up + up = up; valley + valley is a valley only where they share a turning point (silu(x) + 0.05 x is neither).
    """
    known = list(directions)
    return Direction(_shared([d.valley for d in known]), _shared([d.peak for d in known]))


def largest(directions: Iterable[Direction]) -> Direction:
    """The direction of max(f, g, ...): the largest of valleys is a valley wherever they turn; peaks need a shared turn."""
    known = list(directions)
    found = add(known)
    turns = [d.valley for d in known]
    hull: Turn | None = turns[0]
    for turn in turns[1:]:
        hull = _join(hull, turn)
    return Direction(_meet(found.valley, hull), found.peak)


def smallest(directions: Iterable[Direction]) -> Direction:
    """The direction of min(f, g, ...) = -max(-f, -g, ...)."""
    return largest(d.negated() for d in directions).negated()


@dataclass(frozen=True)
class Seam:
    """How f steps from the last point of its left piece to the first point of its right one; both where it stays level."""

    rises: bool
    falls: bool

    def negated(self) -> Seam:
        """The seam of -f."""
        return Seam(self.falls, self.rises)


LEVEL = Seam(True, True)


def glue(left: Direction, last: float, seam: Seam, first: float, right: Direction) -> Direction:
    """The direction of a function made of a piece that ends at `last` and one that begins at `first` >= last."""
    turned = _glue_valley(left.negated(), last, seam.negated(), first, right.negated())
    return Direction(_glue_valley(left, last, seam, first, right), turned)


def _glue_valley(left: Direction, last: float, seam: Seam, first: float, right: Direction) -> Turn | None:
    found: Turn | None = None
    if left.is_down and seam.falls and right.valley:
        found = Turn(max(right.valley.until, first), max(right.valley.since, first))
    if left.valley and seam.rises and right.is_up:
        found = _meet(found, Turn(min(left.valley.until, last), min(left.valley.since, last)))
    return found


def _meet(a: Turn | None, b: Turn | None) -> Turn | None:
    return a.meet(b) if a and b else a or b


def _join(a: Turn | None, b: Turn | None) -> Turn | None:
    return a.join(b) if a and b else None


def _mirror(turn: Turn | None) -> Turn | None:
    return turn and Turn(-turn.since, -turn.until)


def _shared(turns: list[Turn | None]) -> Turn | None:
    hull: Turn | None = EVERYWHERE
    moving = [t for t in turns if t != EVERYWHERE]
    for turn in moving:
        hull = _join(hull, turn)
    return hull if hull and (hull.since <= hull.until or len(moving) <= 1) else None


def name(direction: Direction) -> str:
    """The direction in one word of the lattice, with the turning point where there is one."""
    for word, holds in (("constant", direction.is_constant), ("up", direction.is_up), ("down", direction.is_down)):
        if holds:
            return word
    if direction.is_monotone:
        return "monotone"
    for word, turn in (("valley", direction.valley), ("peak", direction.peak)):
        if turn:
            return word if turn == SOMEWHERE else f"{word}({turn.until:g}, {turn.since:g})"
    return "unknown"
