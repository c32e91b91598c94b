"""Repetition in a chain: `a -> b -> a -> b -> a -> b` is written `[a -> b]*3`.

What is folded reads back as the same calls in the same order, so that layers get the names and weights they would have had:
a fold is a matter of text alone. In time proportional to the chain.
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST = 16
"""Most steps of a repeated piece."""
WIDEST = 90
"""Most characters of one."""
ROUNDS = 4
"""Depth of repetitions in repetitions."""


def folded(steps: Sequence[str]) -> list[str]:
    """The steps with repetitions in brackets, small ones first, and then repetitions of those."""
    found = list(steps)
    for _ in range(ROUNDS):
        before = len(found)
        for period in range(1, min(LONGEST, len(found) // 2) + 1):
            found = _fold(found, period)
        if len(found) == before:
            break
    return found


def _fold(steps: list[str], period: int) -> list[str]:
    least = 3 if period == 1 else 2  # `relu -> relu` is shorter than `[relu]*2`
    runs = _runs(steps, period)
    found: list[str] = []
    place = 0
    while place < len(steps):
        times = 1 + runs[place] // period
        text = f"[{' -> '.join(steps[place : place + period])}]*{times}" if times >= least else ""
        if text and len(text) <= WIDEST:
            spare = range(place, place + runs[place] % period + 1)
            begin = next((at for at in spare if steps[at].startswith("[")), place)  # a stage begins with its own repetition
            found += steps[place:begin]
            place = begin
            found.append(f"[{' -> '.join(steps[place : place + period])}]*{times}")
            place += times * period
        else:
            found.append(steps[place])
            place += 1
    return found


def _runs(steps: list[str], period: int) -> list[int]:
    """For each place, how many steps from there on equal the one `period` later."""
    runs = [0] * len(steps)
    for place in range(len(steps) - period - 1, -1, -1):
        if steps[place] == steps[place + period]:
            runs[place] = runs[place + 1] + 1
    return runs
