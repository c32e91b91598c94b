"""Tuning the plain kernels of networks, and compiling with what was found."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvm.target import codegen

from cnnir.diagnostics import CnnirError, Diagnostic, warn

from ..cpu import FEATURES, check_cpu, kernel_flags
from ..plan import KernelCall, Plan
from ..targets import TargetSpec
from .kernels import Kernel, tunable
from .measure import cores
from .records import Record, Records
from .search import Step, search
from .space import replay

if TYPE_CHECKING:
    from tvm.tirx import PrimFunc

TRIALS = 64


@dataclass(frozen=True)
class Tuned:
    """The record of a kernel, and whether it is a new one."""

    record: Record
    new: bool


def target_name(target: Any) -> str:
    """A TVM target as records call it."""
    return f"llvm -mcpu={target.attrs['mcpu']}"


def tune_plans(
    plans: Sequence[Plan], target: Any, trials: int, threads: int | None, place: Path | None, again: bool, progress: Callable[[str], Step],
) -> list[Tuned]:  # fmt: skip
    """Tune every kernel of the plans that is plain and large enough, once, unless there is a record of it already.

    `progress` is told the layers of a kernel when it begins, and returns what hears of its trials. Raises CnnirError: exit code 3
    where this machine cannot run the target, 2 where records cannot be kept.
    """
    with target:
        check_cpu(kernel_flags(f for f in FEATURES if codegen.llvm_cpu_has_features(f)), Path(target_name(target)))
    kernels: dict[Hashable, Kernel] = {}
    for plan in plans:
        for kernel in tunable(plan):
            kernels.setdefault(kernel.call.kernel, kernel)
    records = Records(target_name(target), place)
    if kernels:
        records.prepare()
    found: list[Tuned] = []
    for kernel in kernels.values():
        known = None if again else records.lookup(kernel.function)
        if known is not None:
            found.append(Tuned(known, False))
            continue
        record = search(kernel, target, records.target, cores(threads), trials, progress(", ".join(kernel.layers[0])))
        records.keep(kernel.function, record)
        found.append(Tuned(record, True))
    return found


def require_llvm(spec: TargetSpec) -> None:
    """Raise CnnirError (exit code 2) for a target whose kernels are not tuned."""
    if spec.kind != "llvm":
        raise CnnirError(
            Diagnostic("C0509", f"tuning is for CPUs, and the target is `{spec}`", help="its kernels have schedules already"), 2
        )


def with_records(plan: Plan, target: Any, place: Path | None) -> Plan:
    """The plan with each plain kernel scheduled as its record says; warns where kernels have no record.

    The bits stay: only schedules that agreed with the plain kernel have been kept.
    """
    records = Records(target_name(target), place)
    if place is not None:
        records.require()
    chosen: dict[Hashable, Record | None] = {kernel.call.kernel: records.lookup(kernel.function) for kernel in tunable(plan)}
    missing = sum(record is None for record in chosen.values())
    if missing:
        what = f"{missing} of {len(chosen)} kernels have no record for `{records.target}`: they are compiled untuned"
        warn(Diagnostic("C0519", what, help="`cnnc tune` makes records", severity="warning"))

    def tuned(call: KernelCall) -> KernelCall:
        record = chosen.get(call.kernel)
        if record is None or record.trace is None:
            return call
        key = ("tuned", call.kernel, json.dumps(record.trace))  # compiled code is kept by its key
        return replace(call, kernel=key, build=lambda name: _scheduled(call, name, record, records))

    return replace(plan, calls=[tuned(call) for call in plan.calls])


def _scheduled(call: KernelCall, name: str, record: Record, records: Records) -> PrimFunc:
    function = call.build("main")
    try:
        return replay(function, record.trace).with_attr("global_symbol", name)
    except (RuntimeError, ValueError, TypeError, IndexError, KeyError) as error:
        records.unusable(function, error)
        return call.build(name)
