"""Tensor types, and the ranges that inputs declare."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from hypothesis import strategies as st

from cnnir.facts.precision import precision
from cnnir.types import DTYPES, TensorType

Range = tuple[float, float]
_LONGEST = {1: 9, 2: 8, 3: 5}
"""Number of spatial axes -> their greatest size in a random network."""


@cache
def shapes(axes: int) -> st.SearchStrategy[tuple[int, ...]]:
    """(N, C, *spatial); with -1 axes (N), with -2 a single number."""
    batch, channels = st.sampled_from([1, 1, 2, 3]), st.sampled_from([4, 1, 2, 3, 6])
    longest = _LONGEST.get(axes, 4)
    spatial = st.one_of(st.integers(4, longest), st.integers(1, longest))  # mostly such that a pool has something to choose
    return st.tuples(*[batch, channels, *[spatial] * max(0, axes)][: 2 + axes])


def types(dtypes: Sequence[str] = DTYPES, axes: Sequence[int] = (-2, -1, 0, 1, 2, 3)) -> st.SearchStrategy[TensorType]:
    """Types of these dtypes with so many spatial axes."""
    return _types(tuple(dtypes), tuple(axes))


@cache
def _types(dtypes: tuple[str, ...], axes: tuple[int, ...]) -> st.SearchStrategy[TensorType]:
    return st.builds(TensorType, st.sampled_from(dtypes), st.sampled_from(axes).flatmap(shapes))


@cache
def ranges(dtype: str) -> st.SearchStrategy[Range | None]:
    """What an input of a dtype may declare."""
    low, high = limits(dtype)
    usual: list[Range | None] = [None, None, (0.0, 1.0)]
    if low < 0:
        usual += [(-1.0, 1.0), (-0.0, 0.0), (-1.0, high / 2)]
    ends = st.integers(int(low), int(high)).map(float).filter(lambda v: v <= high)
    if TensorType(dtype, ()).is_float:
        ends = st.floats(low, high)
    return st.one_of(st.sampled_from(usual), st.tuples(ends, ends).map(lambda pair: (min(pair), max(pair))))


@cache
def limits(dtype: str) -> Range:
    """The least and the greatest finite element."""
    if dtype == "bool":
        return 0.0, 1.0
    if dtype[0] in "iu":
        whole = np.iinfo(TensorType(dtype, ()).numpy)
        return float(whole.min), float(whole.max)
    if dtype.startswith("f8"):
        return (-448.0, 448.0) if dtype == "f8e4m3" else (-57344.0, 57344.0)
    most = precision(dtype).max
    return -most, most
