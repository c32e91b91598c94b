"""Facts of remainders: between two multiples of the divisor they are the dividend less a number, and rise with it.

`fmod` takes the sign of the dividend and is exact. `mod` takes that of the divisor: where the signs differ, `fmod` plus the
divisor, rounded once, which keeps order. Remainders of integers divided by 0 are 0, of floats NaN.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

from cnnir.scalar.primitives import Primitive

from .fact import Fact, nothing, worst
from .interval import Interval
from .lattice import CONSTANT, UNKNOWN
from .precision import EXACT, Precision, Whole


def remainder(primitive: Primitive, a: Fact, b: Fact, precision: Precision) -> Fact:
    """Facts of a mod b or fmod(a, b)."""
    whole = isinstance(precision, Whole)
    nan = a.range.nan or b.range.nan or (not whole and (a.range.has_infinity or b.range.has_zero))
    values = replace(_values(primitive.name, a.range, b.range, int(whole)), nan=nan)
    rounded = whole and max(a.range.magnitude, b.range.magnitude) > EXACT
    if b.range.has_infinity or nan or rounded:
        return nothing(values)
    grade, bound = worst(a, b)
    if is_kept(primitive.name, a.range, b.range):
        return replace(a, range=replace(a.range, minus_zero=a.range.minus_zero or values.minus_zero), grade=grade)
    same = a.range.is_point and b.range.is_point
    if same:
        at = precision.at(primitive, a.range.lo, b.range.lo) if b.range.lo else 0.0
        values = Interval(at, at, False, values.minus_zero)
    rises = (
        b.range.is_point and b.range.lo and _cell(primitive.name, a.range.lo, b.range.lo) == _cell(primitive.name, a.range.hi, b.range.lo)
    )
    constant = same or (b.range.is_point and not b.range.lo)
    return Fact(CONSTANT if constant else a.direction if rises else UNKNOWN, values, grade, bound=bound)


def itself(a: Fact, precision: Precision) -> Fact:
    """x mod x, and fmod(x, x): 0, with either sign."""
    undefined = not isinstance(precision, Whole) and (a.range.has_zero or a.range.has_infinity)
    grade, _ = worst(a)
    return Fact(CONSTANT, Interval(0.0, 0.0, a.range.nan or undefined, minus_zero=precision.unit > 0), grade, bound=0.0)


def is_kept(name: str, a: Interval, b: Interval) -> bool:
    """Whether nothing is taken off a: it lies between 0 and b, or, for `fmod`, between b and -b."""
    if a.nan or b.nan or b.has_zero:
        return False
    least = min(abs(b.lo), abs(b.hi))
    return a.magnitude < least and (name == "fmod" or a.sign() == b.sign())


def _cell(name: str, value: float, divisor: float) -> int:
    """Which multiple of the divisor is taken off."""
    parts = Fraction(value) / Fraction(divisor)
    return math.floor(parts) if name == "mod" else math.trunc(parts)


def _values(name: str, a: Interval, b: Interval, apart: int) -> Interval:
    """Nothing reaches the divisor; integers stay 1 `apart` from it, while floats may be rounded to it."""
    least, most = min(b.lo + apart, 0.0), max(b.hi - apart, 0.0)
    if name == "mod":
        return Interval(least, most, minus_zero=b.lo <= 0)
    reach = max(-least, most)
    return Interval(max(min(a.lo, 0.0), -reach), min(max(a.hi, 0.0), reach), minus_zero=a.lo < 0 or a.minus_zero)
