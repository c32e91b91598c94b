"""Where intermediate results lie: one block of memory, in which buffers that are never alive together share addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .plan import Buffer, Plan
from .runner import ALIGNMENT


@dataclass(frozen=True)
class Arena:
    """A block of memory and the places in it, by the name of the buffer, in bytes."""

    bytes: int
    offsets: Mapping[str, int]


@dataclass(frozen=True)
class Alive:
    """A buffer from the call that fills it to the last one that reads it, both included."""

    buffer: Buffer
    first: int
    last: int

    @property
    def bytes(self) -> int:
        """Its size, up to where the next one may begin."""
        return -(-self.buffer.bytes // ALIGNMENT) * ALIGNMENT


def lifetimes(plan: Plan) -> list[Alive]:
    """What calls fill, in their order. A result of the network lives to the end."""
    results = {buffer.name for buffer in plan.results}
    last = {b.name: i for i, call in enumerate(plan.calls) for b in (*call.operands, call.output)}
    last |= dict.fromkeys(results, len(plan.calls) - 1)
    return [Alive(call.output, i, last[call.output.name]) for i, call in enumerate(plan.calls)]


def least(plan: Plan) -> int:
    """The liveness bound: the most bytes that are alive in one call. No arrangement takes less."""
    change = [0] * (len(plan.calls) + 1)
    for alive in lifetimes(plan):
        change[alive.first] += alive.buffer.bytes
        change[alive.last + 1] -= alive.buffer.bytes
    most = now = 0
    for step in change:
        now += step
        most = max(most, now)
    return most


def arrange(plan: Plan) -> Arena:
    """Give every buffer that is no result of the network a place, the largest first, each in the tightest gap that takes it.

    Greedy by size: Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020. Results are
    handed out, so they lie elsewhere.
    """
    results = {buffer.name for buffer in plan.results}
    waiting = [alive for alive in lifetimes(plan) if alive.buffer.name not in results]
    placed: list[list[tuple[int, int]]] = [[] for _ in plan.calls]
    offsets: dict[str, int] = {}
    total = 0
    for alive in sorted(waiting, key=lambda a: (-a.bytes, a.first)):
        steps = range(alive.first, alive.last + 1)
        taken = sorted({place for step in steps for place in placed[step]})
        start = _gap(taken, alive.bytes)
        offsets[alive.buffer.name] = start
        total = max(total, start + alive.bytes)
        for step in steps:
            placed[step].append((start, start + alive.bytes))
    return Arena(total, offsets)


def _gap(taken: list[tuple[int, int]], size: int) -> int:
    """Where the tightest gap of that size begins between places in order, or where they end."""
    gaps = [(end - start, start) for start, end in _gaps(taken) if end - start >= size]
    return min(gaps)[1] if gaps else max((end for _, end in taken), default=0)


def _gaps(taken: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    reached = 0
    for start, end in taken:
        if start > reached:
            yield reached, start
        reached = max(reached, end)
