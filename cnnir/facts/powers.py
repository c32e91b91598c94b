"""Powers and remainders, primitives of two arguments, as enclosures: values, derivatives, where they are continuous.

a^b is exp(b log a) for a > 0, and 0 at a = 0 for b > 0; for a whole number b it is a product, for any a, but for negative b
not across 0. On a >= 0 it goes one way in each argument, so a box of arguments has its extremes at its corners.

    d/da = b a^(b-1)      d/db = a^b log a      d2/da2 = b (b-1) a^(b-2)      d2/da db = a^(b-1) (1 + b log a)      d2/db2 = a^b log(a)^2

A remainder by a number c is a less a multiple of c, the same one until it jumps at the next multiple.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .derivatives import ONE, TWO
from .enclosure import LIBRARY, SMALLEST, Array, Enclosure, enclosure, point

ZERO = point(0.0)
EXACT = 2.0**52
"""Up to here a whole exponent and its neighbours are numbers."""


@dataclass(frozen=True, eq=False)
class Power:
    """a^b, its derivatives by a and b, and where it is defined, and continuous as well, on all of the box."""

    value: Enclosure
    by_base: Enclosure
    by_exponent: Enclosure
    base_twice: Enclosure
    both: Enclosure
    exponent_twice: Enclosure
    defined: Array
    sound: Array


def power(a: Enclosure, b: Enclosure) -> Power:
    """a^b for a and b in enclosures; a whole number b must be a point of no axes."""
    with np.errstate(all="ignore"):
        n = whole_exponent(b)
        return _fractional(a, b) if n is None else _product(a, n)


def _product(a: Enclosure, n: float) -> Power:
    value, slope, bend = (_whole(a, k) for k in (n, n - 1, n - 2))
    sound = np.full(np.shape(a.lo), n >= 0) | ~a.has_zero
    return Power(value, point(n) * slope, ZERO, point(n * (n - 1)) * bend, ZERO, ZERO, sound, sound)


def _fractional(a: Enclosure, b: Enclosure) -> Power:
    base = a.clipped(0.0, math.inf)
    value, slope, bend = _positive(base, b), _positive(base, b - ONE), _positive(base, b - TWO)
    log = base.rising(np.log)
    sound = (a.lo > 0) | ((a.lo >= 0) & (b.lo > 0)) | (a.is_zero & b.is_zero)
    defined, sound = (np.broadcast_to(where, np.shape(value.lo)) for where in (a.lo >= 0, sound))
    return Power(value, b * slope, value * log, b * (b - ONE) * bend, slope * (ONE + b * log), value * log.square(), defined, sound)


def whole_exponent(b: Enclosure) -> float | None:
    """The exponent where it is one whole number; 0 is left to x^0 = 1, which is true of 0 too."""
    if np.ndim(b.lo) or b.lo != b.hi or not float(b.lo).is_integer() or abs(b.lo) > EXACT:
        return None
    return float(b.lo)


def _positive(a: Enclosure, b: Enclosure) -> Enclosure:
    """a^b for a >= 0, never negative, and on one side of 1 where log a and b keep their signs; 0^b is exactly 0 for b > 0."""
    corners = [np.power(p, q) for p in (a.lo, a.hi) for q in (b.lo, b.hi)]
    lo, hi = corners[0], corners[0]
    for corner in corners[1:]:
        lo, hi = np.fmin(lo, corner), np.fmax(hi, corner)
    lo = np.maximum(np.where(np.isinf(lo), lo, lo * (1 - LIBRARY) - SMALLEST), 0.0)
    hi = np.where((a.hi == 0) & (b.lo > 0), 0.0, hi * (1 + LIBRARY) + SMALLEST)
    least = ((a.lo >= 1) & (b.lo >= 0)) | ((a.hi <= 1) & (b.hi <= 0))
    most = ((a.hi <= 1) & (b.lo >= 0)) | ((a.lo >= 1) & (b.hi <= 0))
    return enclosure(np.where(least, np.maximum(lo, 1.0), lo), np.where(most, np.minimum(hi, 1.0), hi))


def _whole(a: Enclosure, n: float) -> Enclosure:
    """a^n for a whole number n."""
    if n == 0:
        return ONE
    if n < 0:
        return ONE / _whole(a, -n)
    if n == 1:
        return a
    if n % 2 == 0:
        return _positive(a.abs(), point(n))
    least, most = (_positive(Enclosure(np.abs(end), np.abs(end)), point(n)) for end in (a.lo, a.hi))
    return Enclosure(np.where(a.lo < 0, -least.hi, least.lo), np.where(a.hi < 0, -most.lo, most.hi))


def remainder(name: str, a: Enclosure, divisor: float) -> tuple[Enclosure, Array]:
    """a mod c, or fmod(a, c), and where the same multiple of c is taken off all of a; c is finite and not 0.

    What goes with the sign of c (of a, for `fmod`) is the remainder of positive numbers, or its mirror image.
    """
    size = abs(divisor)
    if name == "mod":
        value, same = _modulo(a if divisor > 0 else -a, size)
        return (value if divisor > 0 else -value), same
    above, below = _modulo(a, size), _modulo(-a, size)
    value = above[0].where(a.lo >= 0, (-below[0]).where(a.hi <= 0, Enclosure(np.maximum(a.lo, -size), np.minimum(a.hi, size))))
    return value, np.where(a.lo >= 0, above[1], np.where(a.hi <= 0, below[1], a.magnitude < size))


def _modulo(a: Enclosure, size: float) -> tuple[Enclosure, Array]:
    """a mod c for c > 0. fmod is exact, so remainders of one sign compare as they are."""
    with np.errstate(all="ignore"):
        first, last, width = np.fmod(a.lo, size), np.fmod(a.hi, size), np.nextafter(a.hi - a.lo, math.inf)
    alike = ((first < 0) & (last < 0)) | ((first >= 0) & (last >= 0) & ((a.lo >= 0) | (a.hi < 0)))
    same = (width < size) & ((alike & (first <= last)) | ((first == 0) & (last < 0)))
    same |= (a.lo == a.hi) & np.isfinite(a.lo)
    least, most = _lifted(first, size, -math.inf), _lifted(last, size, math.inf)
    return enclosure(np.where(same, np.maximum(least, 0.0), 0.0), np.where(same, np.minimum(most, size), size)), same


def _lifted(rest: Array, size: float, away: float) -> Array:
    return np.where(rest < 0, np.nextafter(rest + size, away), rest)
