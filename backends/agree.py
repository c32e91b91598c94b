"""Whether two runs of a network gave the same answer. No ratio of times is worth printing where they did not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Agreement:
    """The largest difference of two sets of outputs, relative to the largest magnitude of that output."""

    difference: float
    tolerance: float
    output: str | None = None
    """The output that differs most."""
    problem: str | None = None
    """Why the outputs cannot be compared at all."""

    @property
    def agrees(self) -> bool:
        """Whether the outputs are the same up to the tolerance."""
        return self.problem is None and self.difference <= self.tolerance

    def __bool__(self) -> bool:
        return self.agrees

    def __str__(self) -> str:
        if self.problem:
            return f"outputs disagree: {self.problem}"
        verb = "agree" if self.agrees else "disagree"
        return f"outputs {verb}: largest difference {self.difference:.2g} of the largest element (tolerance {self.tolerance:g})"


def compare(ours: Mapping[str, Array], theirs: Mapping[str, Array], tolerance: float = 1e-4) -> Agreement:
    """Compare outputs by name. NaN agrees with NaN and an infinity with itself, and with nothing else."""
    if ours.keys() != theirs.keys():
        return Agreement(float("inf"), tolerance, None, f"one has {', '.join(ours)}; the other {', '.join(theirs)}")
    worst, where = 0.0, None
    for name, mine in ours.items():
        yours = theirs[name]
        if mine.shape != yours.shape:
            return Agreement(float("inf"), tolerance, name, f"`{name}` is {list(mine.shape)} and {list(yours.shape)}")
        difference = _difference(np.asarray(mine, np.float64), np.asarray(yours, np.float64))
        if where is None or difference > worst:
            worst, where = difference, name
    return Agreement(worst, tolerance, where)


def _difference(mine: Array, yours: Array) -> float:
    same = (mine == yours) | (np.isnan(mine) & np.isnan(yours))
    finite = np.isfinite(mine) & np.isfinite(yours)
    if not (same | finite).all():
        return float("inf")
    largest = float(max(np.abs(mine[finite]).max(initial=0), np.abs(yours[finite]).max(initial=0)))
    distance = float(np.abs(mine[finite] - yours[finite]).max(initial=0))
    return distance / largest if distance else 0.0
