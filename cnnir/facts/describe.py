"""Facts in words, as `cnnc check` prints them."""

from __future__ import annotations

import math

from .fact import Fact, Grade
from .interval import Interval
from .lattice import SOMEWHERE, UNKNOWN, Direction, Turn
from .precision import precision

_LARGEST = {precision(name).max for name in ("f32", "f64")}


def describe(fact: Fact) -> str:
    """One line: "non-decreasing; range [0, 6]; exact (E)"."""
    known = [direction(fact.direction), f"range {interval(fact.range)}"]
    return "; ".join([*known, grade(fact)] if fact.direction != UNKNOWN else known)


def direction(known: Direction) -> str:
    """The direction in words, with the turning point where it is known."""
    if known.is_constant:
        return "constant"
    if known.is_up:
        return "non-decreasing"
    if known.is_down:
        return "non-increasing"
    if known.is_monotone:
        return "monotone, direction unknown"
    if known.valley:
        return f"non-increasing, then non-decreasing{_turning(known.valley)}"
    if known.peak:
        return f"non-decreasing, then non-increasing{_turning(known.peak)}"
    return "direction unknown"


def _turning(turn: Turn) -> str:
    if turn == SOMEWHERE or math.isinf(turn.until) or math.isinf(turn.since):
        return ""
    where = f"at {turn.until:.9g}" if turn.until >= turn.since else f"in [{turn.until:.9g}, {turn.since:.9g}]"
    return f" (turning {where})"


def interval(known: Interval) -> str:
    """The interval in words; the largest finite numbers are not worth their digits."""
    lo, hi = _end(known.lo), _end(known.hi)
    plain = "any number" if (lo, hi) == ("-max", "max") else f"[{lo}, {hi}]"
    return f"{plain}{' or NaN' if known.nan else ''}"


def _end(value: float) -> str:
    sign = "-" if value < 0 else ""
    return f"{sign}max" if abs(value) in _LARGEST else f"{value:.6g}"


def grade(fact: Fact) -> str:
    """The float class in words."""
    if fact.grade is Grade.E:
        return "exact (E)"
    if fact.grade is Grade.C:
        return "exact as compiled (C, swept)" if fact.swept else "exact for a monotone library (C, assumed)"
    return "re-rounds (U), no bound known" if fact.bound is None else f"re-rounds (U), within {fact.bound:.3g}"
