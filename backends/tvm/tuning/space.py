"""The schedules that tuning chooses from: meta schedule's rules, but for those that could change a bit.

Every element adds up in the order in which the plain kernel does: tiles are `SSRS`, with all loops of the reduction together and in
their order, where TVM's own `SSRSRS` would run the inner parts of several of them before the outer; there is no rfactor, no
reduction is parallel or across lanes, and nothing is inlined, since a step that is stored cannot be contracted with the next.

TVM's search strategies, databases and some mutators write modules as JSON, at which tvm-ffi 0.1.15 ends the process by a
segmentation fault; and its `TuneContext` imports every tensor intrinsic there is, for many seconds. So the rules and the post-processors
are meta schedule's, applied without a context, and the search (`search.py`) is ours.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from typing import Any

import tvm
from tvm.s_tir import Schedule
from tvm.s_tir import meta_schedule as ms
from tvm.s_tir.schedule import Trace
from tvm.tirx import PrimFunc

TILES = "SSRS"
JOBS_PER_CORE = 16
MOST_LANES = 64
"""Elements of the longest loop that becomes a vector; LLVM makes several registers of it."""
UNROLLED = (0, 16, 64)
"""Steps to unroll at most: TVM's own 512 take LLVM seconds a candidate."""
MOST_DESIGNS = 8


@cache
def _rules() -> tuple[Any, Any]:
    reuse = ms.schedule_rule.ReuseType("may", [1, 2], "global")
    return ms.schedule_rule.MultiLevelTiling(TILES, None, MOST_LANES, None, None, reuse), ms.schedule_rule.RandomComputeLocation()


@cache
def _postprocessors() -> tuple[Any, ...]:
    made = ms.postproc
    return made.DisallowDynamicLoop(), made.RewriteParallelVectorizeUnroll(), made.RewriteReductionBlock()


def schedule_of(function: PrimFunc, seed: int = 1) -> Schedule:
    """An untouched schedule of a kernel; errors come without a rendering of the whole function."""
    return Schedule(tvm.IRModule({"main": function}), seed=seed, debug_mask="none", error_render_level="none")


def designs(function: PrimFunc, threads: int) -> list[Trace]:
    """Sketches of a kernel: what to tile, where to compute the rest, with decisions that are still to be drawn."""
    tiling, location = _rules()
    start = schedule_of(function)
    names = [start.get(block).name_hint for block in start.get_child_blocks(start.get_sblock("root"))]
    found = [start]
    for rule in (tiling, location):
        for name in reversed(names):  # a consumer first: its loops are where its producers may go
            found = [made for one in found for made in rule.apply(one, one.get_sblock(name))][:MOST_DESIGNS]
    for schedule in found:
        _annotate(schedule, threads)
    return [schedule.trace for schedule in found]


def _annotate(schedule: Schedule, threads: int) -> None:
    """What meta schedule's ParallelizeVectorizeUnroll leaves for the post-processor; of a context it wants the number of cores only."""
    root = schedule.get_sblock("root")
    if threads > 1:
        schedule.annotate(root, "meta_schedule.parallel", JOBS_PER_CORE * threads)
    schedule.annotate(root, "meta_schedule.vectorize", MOST_LANES)
    steps = schedule.sample_categorical(list(UNROLLED), [1 / len(UNROLLED)] * len(UNROLLED))
    schedule.annotate(root, "meta_schedule.unroll_explicit", steps)


def draw(function: PrimFunc, design: Trace, seed: int) -> Schedule | None:
    """A schedule of a design with decisions drawn at random; None where they do not fit together."""
    return _finished(function, Trace(design.insts, {}), seed)


def mutate(function: PrimFunc, parent: Trace, seed: int) -> Schedule | None:
    """A schedule with the decisions of another but for one, which is drawn again."""
    decisions = list(parent.decisions.items())
    if decisions:
        del decisions[random.Random(seed).randrange(len(decisions))]
    return _finished(function, Trace(parent.insts, dict(decisions)), seed)


def _finished(function: PrimFunc, trace: Trace, seed: int) -> Schedule | None:
    schedule = schedule_of(function, seed)
    try:
        trace.apply_to_schedule(schedule, remove_postproc=True)
        schedule.enter_postproc()
        return schedule if all(rule.apply(schedule) for rule in _postprocessors()) else None
    except (RuntimeError, ValueError, TypeError):  # a primitive refuses its loops
        return None


def as_json(trace: Trace) -> Any:
    """A trace as JSON knows data."""
    return _plain(trace.as_json())


def _plain(value: Any) -> Any:
    if isinstance(value, tvm.tirx.IntImm | tvm.tirx.FloatImm):
        return value.value
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value) if isinstance(value, str) else [_plain(item) for item in value]


def replay(function: PrimFunc, trace: Sequence[Any]) -> PrimFunc:
    """The kernel under a schedule that was kept; raises RuntimeError, TypeError or ValueError where the trace is of another kernel."""
    schedule = schedule_of(function)
    Trace.apply_json_to_schedule(trace, schedule)
    return schedule.mod["main"]
