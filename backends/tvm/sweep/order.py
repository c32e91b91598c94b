"""All numbers of a floating dtype in increasing order, by place: -inf is 0, -0 and +0 have places of their own, +inf is last."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cnnir.facts.precision import Precision

Array = np.ndarray


@dataclass(frozen=True)
class Order:
    """The numbers of one dtype. Bits of a sign-and-magnitude number count upwards from +0, and downwards to -0."""

    precision: Precision

    @property
    def bits(self) -> np.dtype:
        """The unsigned integers that numbers of this dtype are read as."""
        return np.dtype(f"u{self.precision.numpy.itemsize}")

    @property
    def zero(self) -> int:
        """The place of +0; that of -0 is one less. As many numbers lie below as from here on."""
        return int(np.asarray(math.inf, self.precision.numpy).view(self.bits)) + 1

    @property
    def count(self) -> int:
        """How many numbers there are, NaN left out."""
        return 2 * self.zero

    def span(self, lo: float, hi: float) -> tuple[int, int]:
        """The first place and the one behind the last, of the numbers in [lo, hi]; both zeros belong to zero."""
        first, last = self.precision.inside(lo, hi)
        return self._place(first, -1.0), self._place(last, 1.0) + 1

    def _place(self, value: float, sign_of_zero: float) -> int:
        negative = math.copysign(1.0, value or sign_of_zero) < 0
        magnitude = int(np.asarray(abs(value), self.precision.numpy).view(self.bits))
        return self.zero - 1 - magnitude if negative else self.zero + magnitude

    def number(self, place: int) -> float:
        """The number at a place."""
        bits = np.empty(1, self.bits)
        self.fill(bits, np.zeros(1, self.bits), place)
        return float(bits.view(self.precision.numpy)[0])

    def fill(self, bits: Array, ramp: Array, start: int) -> None:
        """Write the bits of consecutive numbers from `start` on, all of one sign; `ramp` counts from 0."""
        if start >= self.zero:
            np.add(ramp, bits.dtype.type(start - self.zero), out=bits)
        else:
            sign = 1 << (8 * self.bits.itemsize - 1)
            np.subtract(bits.dtype.type(sign | (self.zero - 1 - start)), ramp, out=bits)

    def chunks(self, start: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
        """Ranges of at most `size` places that cover [start, stop) in order; none holds both zeros."""
        for lo, hi in ((start, min(stop, self.zero)), (max(start, self.zero), stop)):
            for first in range(lo, hi, size):
                yield first, min(first + size, hi)
