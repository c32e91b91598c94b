"""Interval arithmetic in float64, rounded outward: many intervals at once, each holding every value it stands for.

Ends may be infinite, which means unbounded: values themselves are real numbers, so 0 times anything is 0. Sums are rounded
by their exact error (Knuth's TwoSum), so that 1 - 1 is 0 and stays so; other results go to the next number outward, and
library functions a few numbers further. Source: Moore, Kearfott, Cloud, Introduction to Interval Analysis, 2009.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
LARGEST = math.nextafter(math.inf, 0)
LIBRARY = 16 * 2.0**-52
"""Relative error granted to NumPy's float64 functions and to a few operations after them."""
SMALLEST = 5e-324


@dataclass(frozen=True, eq=False)
class Enclosure:
    """Arrays lo <= hi of one shape: one interval an element."""

    lo: Array
    hi: Array

    def __add__(self, other: Enclosure) -> Enclosure:
        return enclosure(_sum(self.lo, other.lo, -1), _sum(self.hi, other.hi, 1))

    def __sub__(self, other: Enclosure) -> Enclosure:
        return self + -other

    def __neg__(self) -> Enclosure:
        return Enclosure(-self.hi, -self.lo)

    def __mul__(self, other: Enclosure) -> Enclosure:
        corners = [a * b for a in (self.lo, self.hi) for b in (other.lo, other.hi)]
        lo, hi = _outward(corners)
        exact = _power_of_two(self) | _power_of_two(other)
        if np.any(exact):
            plain_lo, plain_hi = _extremes(corners)
            lo = np.where(exact & (np.abs(plain_lo) > 1e-300), plain_lo, lo)
            hi = np.where(exact & (np.abs(plain_hi) > 1e-300), plain_hi, hi)
        same = ((self.lo >= 0) & (other.lo >= 0)) | ((self.hi <= 0) & (other.hi <= 0))
        opposite = ((self.lo >= 0) & (other.hi <= 0)) | ((self.hi <= 0) & (other.lo >= 0))
        lo, hi = np.where(same, np.maximum(lo, 0), lo), np.where(opposite, np.minimum(hi, 0), hi)
        nothing = self.is_zero | other.is_zero
        return enclosure(np.where(nothing, 0.0, lo), np.where(nothing, 0.0, hi))

    def __truediv__(self, other: Enclosure) -> Enclosure:
        """Unbounded where the divisor may be of either sign; a divisor that ends at 0 is on one side of it."""
        divisors = (np.where(other.lo == 0, 0.0, other.lo), np.where(other.hi == 0, -0.0, other.hi))
        corners = [a / b for a in (self.lo, self.hi) for b in divisors]
        lo, hi = _outward(corners)
        above, below = other.lo >= 0, other.hi <= 0
        same = ((self.lo >= 0) & above) | ((self.hi <= 0) & below)
        opposite = ((self.lo >= 0) & below) | ((self.hi <= 0) & above)
        lo, hi = np.where(same, np.maximum(lo, 0), lo), np.where(opposite, np.minimum(hi, 0), hi)
        across = ((other.lo < 0) & (other.hi > 0)) | other.is_zero
        lo, hi = np.where(across, -np.inf, lo), np.where(across, np.inf, hi)
        return enclosure(np.where(self.is_zero & ~other.is_zero, 0.0, lo), np.where(self.is_zero & ~other.is_zero, 0.0, hi))

    @property
    def is_zero(self) -> Array:
        """Where it is 0 alone."""
        return (self.lo == 0) & (self.hi == 0)

    @property
    def has_zero(self) -> Array:
        """Where 0 is among the values."""
        return (self.lo <= 0) & (self.hi >= 0)

    @property
    def magnitude(self) -> Array:
        """The largest absolute value."""
        return np.maximum(np.abs(self.lo), np.abs(self.hi))

    @property
    def least_magnitude(self) -> Array:
        """The smallest absolute value."""
        return np.where(self.has_zero, 0.0, np.minimum(np.abs(self.lo), np.abs(self.hi)))

    def abs(self) -> Enclosure:
        """|y|."""
        return Enclosure(self.least_magnitude, self.magnitude)

    def square(self) -> Enclosure:
        """y y, never negative."""
        size = self.abs()
        return size * size

    def maximum(self, other: Enclosure) -> Enclosure:
        """The larger of two values."""
        return Enclosure(np.maximum(self.lo, other.lo), np.maximum(self.hi, other.hi))

    def hull(self, other: Enclosure) -> Enclosure:
        """Both."""
        return Enclosure(np.minimum(self.lo, other.lo), np.maximum(self.hi, other.hi))

    def meet(self, other: Enclosure) -> Enclosure:
        """What two enclosures of the same values leave; the first where rounding leaves nothing."""
        lo, hi = np.maximum(self.lo, other.lo), np.minimum(self.hi, other.hi)
        empty = lo > hi
        return Enclosure(np.where(empty, self.lo, lo), np.where(empty, self.hi, hi))

    def clipped(self, lo: float, hi: float) -> Enclosure:
        """The part in [lo, hi]; the nearer end where they do not meet."""
        return Enclosure(np.clip(self.lo, lo, hi), np.clip(self.hi, lo, hi))

    def where(self, condition: Array, other: Enclosure) -> Enclosure:
        """This where the condition holds, the other elsewhere."""
        return Enclosure(np.where(condition, self.lo, other.lo), np.where(condition, self.hi, other.hi))

    def rising(self, function: Callable[[Array], Array], lo: float = -math.inf, hi: float = math.inf) -> Enclosure:
        """The values of a non-decreasing library function, which lie in [lo, hi]."""
        return _library(function, self.lo, self.hi).clipped(lo, hi)

    def falling(self, function: Callable[[Array], Array], lo: float = -math.inf, hi: float = math.inf) -> Enclosure:
        """The values of a non-increasing library function, which lie in [lo, hi]."""
        return _library(function, self.hi, self.lo).clipped(lo, hi)


def enclosure(lo: Array, hi: Array) -> Enclosure:
    """An interval of real numbers: a lower end is never +inf, an upper end never -inf; NaN is no knowledge."""
    return Enclosure(np.minimum(np.where(np.isnan(lo), -np.inf, lo), LARGEST), np.maximum(np.where(np.isnan(hi), np.inf, hi), -LARGEST))


def point(value: float) -> Enclosure:
    """One number, which broadcasts."""
    return between(value, value)


def between(lo: float, hi: float) -> Enclosure:
    """One interval, which broadcasts."""
    return Enclosure(np.asarray(lo, np.float64), np.asarray(hi, np.float64))


def unbounded(shape: tuple[int, ...]) -> Enclosure:
    """No knowledge."""
    return Enclosure(np.full(shape, -np.inf), np.full(shape, np.inf))


def _library(function: Callable[[Array], Array], least: Array, most: Array) -> Enclosure:
    """From where the function is least to where it is greatest, widened.

    Zeros at 0 and 1 are exact by Annex F of the C standard (log(1), tanh(0)); others have underflowed.
    """
    lo, hi = function(least), function(most)
    below = np.where((lo == 0) & ((least == 0) | (least == 1)), lo, lo - np.abs(lo) * LIBRARY - SMALLEST)
    above = np.where((hi == 0) & ((most == 0) | (most == 1)), hi, hi + np.abs(hi) * LIBRARY + SMALLEST)
    return enclosure(np.where(np.isposinf(lo), LARGEST, below), np.where(np.isneginf(hi), -LARGEST, above))


def _extremes(corners: list[Array]) -> tuple[Array, Array]:
    a, b, c, d = corners
    return np.fmin(np.fmin(a, b), np.fmin(c, d)), np.fmax(np.fmax(a, b), np.fmax(c, d))


def _outward(corners: list[Array]) -> tuple[Array, Array]:
    """The least and the greatest corner, rounded outward; NaN, of 0 inf and inf / inf, is never the only extreme one."""
    lo, hi = _extremes(corners)
    return np.nextafter(lo, -np.inf), np.nextafter(hi, np.inf)


def _sum(a: Array, b: Array, way: int) -> Array:
    total = a + b
    part = total - a
    error = (a - (total - part)) + (b - part)
    exact = error * way <= 0  # not where it is NaN: something is infinite
    return np.where(exact, total, np.nextafter(total, way * np.inf))


def _power_of_two(value: Enclosure) -> Any:
    """Whether it is 1, -1, or a constant 2^k: a product with these is exact."""
    if np.ndim(value.lo):
        return (value.lo == value.hi) & (np.abs(value.lo) == 1)
    if value.lo != value.hi or value.lo == 0:
        return np.False_
    return np.abs(np.frexp(value.lo)[0]) == 0.5
