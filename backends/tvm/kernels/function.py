"""The last touches every template shares."""

from __future__ import annotations

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV
from tvm.tirx import PrimFunc

OPAQUE = 8  # Relax's kOpaque: FuseOps leaves such a function alone (fusing a scheduled one makes FuseTIR fail)
PARALLEL_WORK = 16_384  # below this many scalar operations a parallel launch (about 2 us) costs more than it saves


def finish(schedule: Schedule, name: str) -> PrimFunc:
    """The scheduled function under its name, marked so that Relax neither schedules nor fuses it again."""
    function = schedule.mod["main"]
    return function.with_attr("global_symbol", name).with_attr("op_pattern", OPAQUE)


def parallelize(schedule: Schedule, loops: list[LoopRV], work: int) -> None:
    """Fuse `loops` and spread them over threads, when `work` is worth a launch."""
    fused = schedule.fuse(*loops) if len(loops) > 1 else loops[0]
    if work >= PARALLEL_WORK:
        schedule.parallel(fused)


def vectorize(schedule: Schedule, loop: LoopRV, scalar: bool = False) -> None:
    """Vectorize unless it is a single element (a vector of one is not a vector to LLVM), or `scalar`.

    A loop that calls C functions stays a loop: TVM's vectorizer would undo itself there, and fails where values are shared.
    """
    if not scalar and int(schedule.get(loop).extent) > 1:
        schedule.vectorize(loop)
