"""A dtype as the analysis sees it: its numbers, its neighbours, and primitives evaluated at its points."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import numpy as np

from cnnir.scalar.primitives import Primitive
from cnnir.types import numpy_dtype

EXACT = 2.0**53
"""Up to here every integer is a Python float."""


@dataclass(frozen=True)
class Precision:
    """A dtype by its cnnir name. Numbers of it are held as Python floats, exactly."""

    name: str
    numpy: np.dtype[Any]
    max: float
    """The largest finite number."""
    tiny: float
    """The smallest positive number, a denormal."""
    unit: float
    """The unit roundoff: half the distance from 1 to the next number."""

    @property
    def min(self) -> float:
        """The least finite number."""
        return -self.max

    def holds(self, lo: float, hi: float) -> bool:
        """Whether no result in [lo, hi] wraps around: floats never do, they overflow to infinity."""
        del lo, hi
        return True

    @property
    def sweepable(self) -> bool:
        """Whether every input can be tried in reasonable time, so that library functions can be trusted on evidence."""
        return self.numpy.itemsize <= 4

    def round(self, value: float) -> float:
        """The nearest number of this dtype."""
        with np.errstate(all="ignore"):
            return float(np.asarray(value).astype(self.numpy))

    def next(self, value: float, steps: int = 1) -> float:
        """The number `steps` above (below, where negative); infinities stay."""
        with np.errstate(all="ignore"):
            at = np.asarray(value, self.numpy)
            for _ in range(abs(steps)):
                at = np.nextafter(at, np.asarray(math.copysign(math.inf, steps), self.numpy))
            return float(at)

    def inside(self, lo: float, hi: float) -> tuple[float, float]:
        """The least and the greatest number in [lo, hi]."""
        first, last = self.round(lo), self.round(hi)
        return self.next(first) if first < lo else first, self.next(last, -1) if last > hi else last

    def rounded(self, numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The nearest numbers of this dtype, as float64; beyond the largest they are infinite."""
        with np.errstate(all="ignore"):
            return np.asarray(numbers).astype(self.numpy).astype(np.float64)

    def spacing(self, size: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """From a number of this absolute value to the next larger one."""
        with np.errstate(all="ignore"):
            return np.maximum(np.ldexp(self.unit, np.frexp(size)[1]), self.tiny)

    def at(self, primitive: Primitive, *values: float) -> float:
        """The value of the primitive at a point, by its reference meaning."""
        return float(primitive.evaluate(*(np.asarray(v, self.numpy) for v in values)))

    def bisect(self, holds: Callable[[float], bool | None], lo: float, hi: float) -> float | None:
        """The last number in [lo, hi] before `holds` turns true; it must be false at lo and true at hi. None if undecided."""
        low, high = self._key(lo), self._key(hi)
        while high - low > 1:
            middle = (low + high) // 2
            answer = holds(self._number(middle))
            if answer is None:
                return None
            low, high = (low, middle) if answer else (middle, high)
        return self._number(low)

    def keys(self, numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Numbers of this dtype, in order, as integers: neighbours differ by 1, and both zeros are 0."""
        with np.errstate(all="ignore"):
            bits = np.abs(numbers).astype(self.numpy).view(f"u{self.numpy.itemsize}").astype(np.int64)
        return np.where(numbers < 0, -bits, bits)

    def numbers(self, keys: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The numbers with these keys, as float64."""
        size = np.abs(keys).astype(f"u{self.numpy.itemsize}").view(self.numpy).astype(np.float64)
        return np.where(keys < 0, -size, size)

    def _key(self, value: float) -> int:
        """Numbers in order as integers; both zeros are 0."""
        bits = int(np.asarray(abs(value), self.numpy).view(f"u{self.numpy.itemsize}"))
        return -bits if value < 0 else bits

    def _number(self, key: int) -> float:
        bits = np.asarray(abs(key), f"u{self.numpy.itemsize}").view(self.numpy)
        return math.copysign(float(bits), -1.0 if key < 0 else 1.0)


class Whole(Precision):
    """Integers, or the truth values 0 and 1. Those beyond 2^53 are rounded, so nothing is concluded from them."""

    @property
    def min(self) -> float:
        return float(np.iinfo(self.numpy).min) if self.numpy.kind != "b" else 0.0

    def holds(self, lo: float, hi: float) -> bool:
        return max(self.min, -EXACT) <= lo and hi <= min(self.max, EXACT)

    def round(self, value: float) -> float:
        return value

    def next(self, value: float, steps: int = 1) -> float:
        return value + steps

    def at(self, primitive: Primitive, *values: float) -> float:
        """The exact value, which wraps around where the dtype does not hold it."""
        return float(primitive.evaluate(*(np.asarray(v, np.float64) for v in values)))

    def _key(self, value: float) -> int:
        return int(value)

    def _number(self, key: int) -> float:
        return float(key)


def cut(lo: np.ndarray[Any, Any], hi: np.ndarray[Any, Any], parts: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Ranges of keys cut in so many parts that share their ends, or in as many as they have steps."""
    step = np.maximum((hi - lo) // parts, 1)
    ends = np.minimum(lo[:, None] + step[:, None] * np.arange(parts + 1), hi[:, None])
    ends[:, -1] = hi
    starts, stops = ends[:, :-1].ravel(), ends[:, 1:].ravel()
    return starts[starts < stops], stops[starts < stops]


@cache
def precision(name: str) -> Precision:
    """The precision of a dtype such as `f32`; raises KeyError for an unknown name. What is only stored is taken for f64."""
    if name.startswith("f8"):
        name = "f64"
    dtype = numpy_dtype(name)
    if dtype.kind in "biu":
        return Whole(name, dtype, float(np.iinfo(dtype).max) if dtype.kind != "b" else 1.0, 1.0, 0.0)
    if name == "bf16":
        import ml_dtypes  # NumPy's finfo does not know bfloat16

        info = cast("Any", ml_dtypes.finfo(dtype))
    else:
        info = cast("Any", np.finfo(dtype))
    return Precision(name, dtype, float(info.max), float(info.smallest_subnormal), float(info.eps) / 2)
