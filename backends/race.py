"""The timing method: blocks by turns, medians, ratios pair by pair, and an honest word where noise hides the answer.

A machine drifts, so contestants are not timed one after the other but in rounds: in every round each of them, in
rotating order, does one run that is thrown away and then a block of timed ones. Ratios are taken within a round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

Contestant = Callable[[int], Sequence[float]]
"""Does that many runs and returns the seconds that each of them took."""


@dataclass(frozen=True)
class Ratio:
    """Time by the baseline's time: below 1 is faster. Median, 10th and 90th percentile of one ratio a round."""

    median: float
    low: float
    high: float
    n: int

    @property
    def unclear(self) -> bool:
        """Whether the spread exceeds the difference."""
        return self.high - self.low > abs(1 - self.median)

    def __str__(self) -> str:
        spread = f"{self.low:.3f} to {self.high:.3f}, n = {self.n}"
        return f"x{self.median:.3f} ({spread}{', the spread exceeds the difference' if self.unclear else ''})"


@dataclass(frozen=True)
class Standing:
    """What one contestant did: seconds, the median over all runs and over each round's, and its ratio."""

    median: float
    fastest: float
    rounds: tuple[float, ...]
    ratio: Ratio | None = None


@dataclass(frozen=True)
class RaceResult:
    """A race: `runs` timed runs of each contestant in each of `rounds` rounds."""

    rounds: int
    runs: int
    baseline: str | None
    standings: Mapping[str, Standing]

    def ratio(self, name: str, other: str) -> Ratio:
        """The time of one contestant by another's, pair by pair."""
        return _ratio(self.standings[name].rounds, self.standings[other].rounds)

    def json(self) -> dict[str, Any]:
        """The result as JSON knows data; seconds."""
        standings = {
            name: {**asdict(s), "rounds": list(s.rounds), "ratio": {**asdict(s.ratio), "unclear": s.ratio.unclear} if s.ratio else None}
            for name, s in self.standings.items()
        }
        return {"rounds": self.rounds, "runs": self.runs, "baseline": self.baseline, "standings": standings}


def time_calls(call: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> Contestant:
    """A contestant that calls a function."""

    def run(count: int) -> list[float]:
        times: list[float] = []
        for _ in range(count):
            start = clock()
            call()
            times.append(clock() - start)
        return times

    return run


def race(
    contestants: Mapping[str, Contestant], rounds: int, runs: int, baseline: str | None = None, progress: Callable[[], None] | None = None
) -> RaceResult:
    """Time the contestants against each other; `progress` is called after every block, rounds x contestants times.

    Raises ValueError for less than one round or run, for an unknown baseline, and for a contestant that miscounts.
    """
    if rounds < 1 or runs < 1:
        raise ValueError(f"a race needs at least one round and one run, got {rounds} and {runs}")
    if baseline is not None and baseline not in contestants:
        raise ValueError(f"no contestant is called {baseline!r}")
    names = list(contestants)
    times: dict[str, list[list[float]]] = {name: [] for name in names}
    for turn in range(rounds):
        start = turn % max(1, len(names))
        for name in names[start:] + names[:start]:
            contestants[name](1)  # caches, clocks and sleeping threads come back to this contestant
            block = list(contestants[name](runs))
            if len(block) != runs:
                raise ValueError(f"{name} returned {len(block)} times for {runs} runs")
            times[name].append(block)
            if progress:
                progress()
    return summarize(times, runs, baseline)


def summarize(times: Mapping[str, Sequence[Sequence[float]]], runs: int, baseline: str | None) -> RaceResult:
    """The result of a race from the times of each contestant by round."""
    medians = {name: [float(np.median(block)) for block in blocks] for name, blocks in times.items()}
    standings = {
        name: Standing(
            float(np.median(np.asarray(blocks))),
            float(np.min(np.asarray(blocks))),
            tuple(medians[name]),
            _ratio(medians[name], medians[baseline]) if baseline not in (None, name) else None,
        )
        for name, blocks in times.items()
    }
    return RaceResult(max((len(m) for m in medians.values()), default=0), runs, baseline, standings)


def _ratio(mine: Sequence[float], theirs: Sequence[float]) -> Ratio:
    ratios = [a / b for a, b in zip(mine, theirs, strict=True)]
    low, median, high = (float(v) for v in np.percentile(ratios, (10, 50, 90)))
    return Ratio(median, low, high, len(ratios))
