"""The search: schedules drawn at random, then the best one with a decision changed; each held to the kernel's bits before it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tvm.s_tir import Schedule
from tvm.tirx import PrimFunc
from tvm_ffi import structural_hash

from .kernels import Kernel
from .measure import Bench
from .records import Record
from .space import as_json, designs, draw, mutate

Step = Callable[[int], None]
DRAWS_A_TRIAL = 8
"""Draws for one trial before a space counts as exhausted: many are refused, or known already."""


@dataclass
class _Best:
    schedule: Schedule | None = None
    run: Any = None
    seconds: float = float("inf")


def search(kernel: Kernel, target: Any, name: str, threads: int, trials: int, step: Step) -> Record:
    """Tune one kernel: at most `trials` schedules are compiled and run; `step` hears of each.

    A schedule that TVM cannot compile, or that answers otherwise in any bit, is dropped; one that is no faster too.
    """
    best, made, rejected = _Best(), 0, 0
    with Bench(kernel, target, threads) as bench:
        for schedule in _candidates(kernel.function, threads, trials, best):
            made += 1
            step(1)
            try:
                run = bench.compiled(schedule.mod["main"])
            except (RuntimeError, ValueError, TypeError):  # TVM's own: a vector of what cannot be one, and the like
                rejected += 1
                continue
            if not bench.agrees(run):
                rejected += 1
                continue
            seconds = bench.seconds(run, best.seconds)
            if seconds < best.seconds:
                best.schedule, best.run, best.seconds = schedule, run, seconds
        step(trials - made)
        before = bench.seconds(bench.plain)
        faster, after = False, before
        if best.schedule is not None:
            before, after, faster = bench.race(best.run)
    trace = as_json(best.schedule.trace) if faster and best.schedule is not None else None
    layers = tuple(name for call in kernel.layers for name in call)
    return Record(name, layers, threads, made, rejected, before, after if faster else before, trace)


def _candidates(function: PrimFunc, threads: int, trials: int, best: _Best) -> Iterator[Schedule]:
    """Different schedules, at most `trials`: the first half at random, then every other one near the best so far."""
    sketches, seen, made = designs(function, threads), {structural_hash(function.body)}, 0
    for seed in range(1, DRAWS_A_TRIAL * trials + 1):
        if made == trials:
            return
        near = best.schedule is not None and made > trials // 2 and seed % 2
        parent = best.schedule.trace if best.schedule is not None and near else sketches[seed % len(sketches)]
        schedule = (mutate if near else draw)(function, parent, seed)
        if schedule is None or (mark := structural_hash(schedule.mod["main"].body)) in seen:
            continue
        seen.add(mark)
        made += 1
        yield schedule
