"""Average pools as sums: what they divide by, and how far re-rounding can take them."""

from __future__ import annotations

import math

import numpy as np

from cnnir.certificates import ChannelFacts
from cnnir.facts.fact import Grade
from cnnir.facts.interval import Interval
from cnnir.facts.precision import Precision
from cnnir.ops.pooling import Pooling
from cnnir.types import TensorType

from ..site import Array

NO_OVERFLOW = "data at the site are finite and not NaN, and sums of them do not overflow"
"""What every proof about averages assumes, unless it proves it (`nan=strict`)."""


def _real(pool: Pooling, data: TensorType) -> Array:
    counts = np.ones((), np.int64)
    for axis in pool.windows(data):
        counts = np.multiply.outer(counts, axis.real.sum(axis=1))
    return counts


def counts_what_it_sums(pool: Pooling, data: TensorType) -> bool:
    """Whether every window's divisor is the number of its real elements."""
    return bool(np.array_equal(pool.divisor(data), _real(pool, data)))


def largest_window(pool: Pooling, data: TensorType) -> int:
    """The most real elements that one window sums."""
    return int(np.max(_real(pool, data), initial=1))


def with_averages(known: Interval, pool: Pooling, data: TensorType, precision: Precision) -> Interval:
    """The data and their averages: these are rounded, on the data's side of 0, and what counts padding comes nearer to 0.

    Of numbers of one sign each enters with a relative error, and so the least average is near the least number.
    """
    steps = largest_window(pool, data) + 2
    lo, hi = (known.lo, known.hi) if counts_what_it_sums(pool, data) else (min(known.lo, 0.0), max(known.hi, 0.0))
    least, most = 0.0 if lo >= 0 else precision.min, 0.0 if hi <= 0 else precision.max
    below, above = (2 * steps * (precision.unit * size + precision.tiny) for size in _sizes(lo, hi))
    return Interval(max(precision.round(lo - below), least), min(precision.round(hi + above), most), minus_zero=True)


def _sizes(lo: float, hi: float) -> tuple[float, float]:
    """What the error of an average near either end is relative to."""
    return (abs(lo), abs(hi)) if lo >= 0 or hi <= 0 else (max(-lo, hi), max(-lo, hi))


def linear_record(known: Interval, bound: float) -> ChannelFacts:
    """What a proof about averages knows, as data."""
    ends = (known.lo, known.hi)
    return ChannelFacts((), "affine", Grade.U.name, ends, "the ranges of the network's inputs", "as one formula", bound=bound)


def error(roundings: int, scale: Array, shift: Array, precision: Precision) -> tuple[float, float]:
    """(growth, offset): two ways of computing a x + b with so many roundings, and two more for the division, differ by at
    most growth max|x| + offset, for sizes `scale` of a and `shift` of b with everything computed on the way."""
    steps = roundings + 2
    gamma = steps * precision.unit / (1 - steps * precision.unit) if steps * precision.unit < 1 else math.inf
    underflow = 2 * steps * precision.tiny
    return 2 * gamma * float(np.max(scale)), 2 * gamma * float(np.max(shift)) + underflow
