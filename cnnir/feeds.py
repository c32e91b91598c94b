"""Random inputs of a network, for timing and for trying it out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .types import TensorType

Range = tuple[float, float] | None
Array = np.ndarray[Any, Any]


def random_feeds(inputs: Mapping[str, TensorType], ranges: Mapping[str, Range], seed: int = 0) -> dict[str, Array]:
    """Input name -> array: uniform over the declared range, standard normal (its absolute value, rounded to zero, where the
    element type is unsigned or whole) where none is declared."""
    rng = np.random.default_rng(seed)
    return {name: _draw(rng, t, ranges.get(name)) for name, t in inputs.items()}


def _draw(rng: np.random.Generator, t: TensorType, span: Range) -> Array:
    if t.dtype == "bool":
        span = span or (0, 1)
    if span is None:
        values = rng.standard_normal(t.shape)
        return np.asarray(np.abs(values) if t.dtype.startswith("u") else values, t.numpy)
    if t.is_whole:
        least, most = (0, 1) if t.dtype == "bool" else (np.iinfo(t.numpy).min, np.iinfo(t.numpy).max)
        low, high = max(math.ceil(span[0]), int(least)), min(math.floor(span[1]), int(most))  # 2^63 is no int64
        return np.asarray(rng.integers(low, max(low, high), t.shape, np.int64 if t.dtype != "u64" else np.uint64, endpoint=True), t.numpy)
    part = rng.random(t.shape)
    return np.asarray(span[0] * (1 - part) + span[1] * part, t.numpy)  # the difference of the ends may overflow
