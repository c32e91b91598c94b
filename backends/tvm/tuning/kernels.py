"""Which kernels of a plan there is something to tune about."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..kernels.function import PARALLEL_WORK
from ..plan import Array, Constant, KernelCall, Plan
from .space import schedule_of

if TYPE_CHECKING:
    from tvm.tirx import PrimFunc


@dataclass(frozen=True, eq=False)
class Kernel:
    """A plain kernel, once for all calls that share it."""

    call: KernelCall
    function: PrimFunc
    constants: Sequence[Constant]
    layers: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    """The layers of each call."""

    def given(self) -> list[Array | None]:
        """The operands that are computed when a network is compiled, None for each that is data; tables of indices must be as they are."""
        known = {constant.buffer: constant for constant in self.constants}
        return [known[b].make() if b in known else None for b in self.call.operands]


def tunable(plan: Plan) -> list[Kernel]:
    """The kernels without a schedule that do as much work as is worth a parallel loop, in the order of their first calls."""
    found: dict[Hashable, Kernel] = {}
    small: set[Hashable] = set()
    for call in plan.calls:
        if call.scheduled or call.kernel in small:
            continue
        if call.kernel not in found:
            function = call.build("main")
            if iterations(function) < PARALLEL_WORK:
                small.add(call.kernel)
                continue
            found[call.kernel] = Kernel(call, function, plan.constants)
        found[call.kernel].layers.append(call.layers)
    return [*found.values()]


def iterations(function: PrimFunc) -> int:
    """How often the bodies of a kernel's blocks run."""
    schedule = schedule_of(function)
    blocks = [schedule.get(block) for block in schedule.get_child_blocks(schedule.get_sblock("root"))]
    return sum(math.prod(int(v.dom.extent) for v in block.iter_vars) for block in blocks)
