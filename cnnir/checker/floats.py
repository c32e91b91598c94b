"""The numbers of a floating type in their order: cells of neighbouring numbers, cut in halves until they can be counted out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import numpy as np

from cnnir.types import numpy_dtype

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Format:
    """A floating type. A *key* is a number's place in the order, 0 for both zeros."""

    dtype: np.dtype[Any]
    max: float
    tiny: float
    """The smallest positive number."""
    unit: float
    """Half the distance from 1 to the next number."""

    def keys(self, values: Array) -> Array:
        """The places of finite numbers of this type."""
        values = np.asarray(values, self.dtype)
        size = np.abs(values).view(f"u{self.dtype.itemsize}").astype(np.int64)
        return np.where(np.signbit(values), -size, size)

    def numbers(self, keys: Array) -> Array:
        """The numbers at these places; zero is +0."""
        keys = np.asarray(keys, np.int64)
        size = np.abs(keys).astype(f"u{self.dtype.itemsize}").view(self.dtype)
        return np.where(keys < 0, -size, size)

    def inside(self, lo: float, hi: float) -> tuple[int, int]:
        """The places of the outermost numbers of this type in [lo, hi], cut to what is finite."""
        ends = np.clip(np.asarray([lo, hi], np.float64), -self.max, self.max)
        rounded = ends.astype(self.dtype)
        first, last = (int(k) for k in self.keys(rounded))
        wide = rounded.astype(np.float64)
        return first + int(wide[0] < ends[0]), last - int(wide[1] > ends[1])

    def stepped(self, values: Array, steps: int) -> Array:
        """Each number moved by so many places; infinities and NaN stay."""
        finite = np.isfinite(values.astype(np.float64))
        top = int(self.keys(np.asarray(self.max, self.dtype)))
        moved = self.keys(np.where(finite, values, np.zeros((), self.dtype))) + steps
        beyond = np.where(moved > top, np.inf, -np.inf).astype(self.dtype)
        return np.where(finite, np.where(np.abs(moved) > top, beyond, self.numbers(np.clip(moved, -top, top))), values)


@cache
def format_of(dtype: str) -> Format:
    """The format of a floating type by its cnnir name; raises KeyError for an unknown one."""
    numpy = numpy_dtype(dtype)
    if dtype == "bf16":
        import ml_dtypes  # NumPy's finfo does not know bfloat16

        info = cast("Any", ml_dtypes.finfo(numpy))
    else:
        info = cast("Any", np.finfo(numpy))
    return Format(numpy, float(info.max), float(info.smallest_subnormal), float(info.eps) / 2)
