"""Random inputs of a network, for timing and for trying it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .types import TensorType

Range = tuple[float, float] | None


def random_feeds(inputs: Mapping[str, TensorType], ranges: Mapping[str, Range], seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    """Input name -> array: uniform over the declared range, standard normal where none is declared."""
    rng = np.random.default_rng(seed)
    feeds: dict[str, np.ndarray[Any, Any]] = {}
    for name, t in inputs.items():
        span = ranges.get(name)
        values = rng.standard_normal(t.shape) if span is None else rng.uniform(*span, t.shape)
        feeds[name] = np.asarray(values, t.numpy)
    return feeds
