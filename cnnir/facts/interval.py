"""Ranges of float values: [lo, hi], whether NaN can occur, and whether zero can carry a minus sign.

Ends are numbers of the dtype, or infinities that can occur. Correctly rounded primitives are monotone in each argument
as float functions, so evaluating them at the ends in the dtype gives the ends of the result, with nothing to widen;
results of library functions are widened by a few steps. Zero ends are +0: the sign is in `minus_zero` alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from .precision import Precision


@dataclass(frozen=True)
class Interval:
    """The values lo <= v <= hi, with NaN if `nan` and with -0 if `minus_zero`."""

    lo: float
    hi: float
    nan: bool = False
    minus_zero: bool = False

    def __post_init__(self) -> None:
        if math.isnan(self.lo) or math.isnan(self.hi) or self.lo > self.hi:
            raise ValueError(f"not an interval: [{self.lo}, {self.hi}]")
        object.__setattr__(self, "lo", self.lo + 0.0)  # -0.0 + 0.0 is +0.0
        object.__setattr__(self, "hi", self.hi + 0.0)
        object.__setattr__(self, "minus_zero", self.minus_zero and self.lo <= 0 <= self.hi)

    @property
    def is_point(self) -> bool:
        """One value, up to the sign of zero."""
        return self.lo == self.hi and not self.nan

    @property
    def has_zero(self) -> bool:
        """Whether zero is among the values."""
        return self.lo <= 0 <= self.hi

    @property
    def has_infinity(self) -> bool:
        """Whether an infinity is among the values."""
        return math.isinf(self.lo) or math.isinf(self.hi)

    @property
    def magnitude(self) -> float:
        """The largest absolute value."""
        return max(abs(self.lo), abs(self.hi))

    def sign(self) -> int | None:
        """1 where every value is >= 0, -1 where every value is <= 0, None across zero."""
        return 1 if self.lo >= 0 else -1 if self.hi <= 0 else None

    def hull(self, other: Interval) -> Interval:
        """The smallest interval that holds both."""
        lo, hi = min(self.lo, other.lo), max(self.hi, other.hi)
        return Interval(lo, hi, self.nan or other.nan, self.minus_zero or other.minus_zero)

    def clipped(self, lo: float, hi: float) -> Interval:
        """The part in [lo, hi]; the nearer end where they do not meet."""
        return Interval(min(max(self.lo, lo), hi), max(min(self.hi, hi), lo), self.nan, self.minus_zero)

    def finite(self, precision: Precision) -> Interval:
        """The finite, NaN-free part: what the contract says of data at a site."""
        part = self.clipped(precision.min, precision.max)
        return Interval(part.lo, part.hi, False, part.minus_zero)

    def widened(self, precision: Precision, steps: int) -> Interval:
        """Outward by `steps` neighbours at each end."""
        return Interval(precision.next(self.lo, -steps), precision.next(self.hi, steps), self.nan, self.minus_zero)

    def __str__(self) -> str:
        return f"[{self.lo:g}, {self.hi:g}]{' or NaN' if self.nan else ''}"


def unknown(precision: Precision) -> Interval:
    """Every finite number: what a site reads when nothing more is known."""
    return Interval(precision.min, precision.max, minus_zero=precision.unit > 0)


def around(values: Iterable[float]) -> Interval:
    """The hull of numbers; NaN among them is remembered as `nan`."""
    every = list(values)
    numbers = [v for v in every if not math.isnan(v)]
    if not numbers:
        return Interval(-math.inf, math.inf, True, True)
    minus_zero = any(v == 0 and math.copysign(1, v) < 0 for v in numbers)
    return Interval(min(numbers), max(numbers), len(numbers) < len(every), minus_zero)
