"""Measure what this machine can do at most: vector fma on registers, and reading from memory in order."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tvm import te
from tvm.s_tir import Schedule

from cnnir.calibration import Calibration

from .build import build_llvm, export
from .kernels.function import finish
from .machine import keep
from .plan import Buffer, KernelCall, Plan
from .runner import Machine, aligned_empty, as_tensor
from .target import host_target, lanes
from .targets import TargetSpec

if TYPE_CHECKING:
    from tvm.tirx import PrimFunc

ROUNDS = 9
REPEATS, TAPS = 100_000, 64
"""Passes over so many vectors, which stay in the first-level cache."""
STREAMED = 256 * 1024 * 1024
"""Bytes that are read, more than any cache holds."""
CHUNKS = 64
"""Parts of the work that threads share."""


def calibrate(spec: TargetSpec) -> Calibration:
    """Measure, and keep it; takes a few seconds. Raises CnnirError where nothing can be linked."""
    target = host_target(spec.mcpu)
    threads, width = len(os.sched_getaffinity(0)), lanes(target)
    with tempfile.TemporaryDirectory(prefix="cnnir-calibrate-") as folder:
        library = Path(folder) / "library.so"
        plan = _plan(width)
        export(build_llvm(plan, target), library)
        (flops, bandwidth), (flops_one, bandwidth_one) = (_rates(library, plan, n) for n in (threads, 1))
    found = Calibration(threads, flops, flops_one, bandwidth, bandwidth_one)
    keep(spec, found)
    return found


def _rates(library: Path, plan: Plan, threads: int) -> tuple[float, float]:
    """The best of several rounds: what the machine can do, not what it is let do."""
    arrays: list[np.ndarray[Any, Any]] = []
    for buffer in plan.inputs.values():
        arrays.append(aligned_empty(buffer.shape, buffer.dtype))
        arrays[-1].fill(1e-3)
    with Machine(library, threads) as machine:
        arguments = [as_tensor(a) for a in arrays]
        machine.call(arguments)
        fma, stream = np.min([machine.profile(arguments) for _ in range(ROUNDS)], axis=0)
    operations = 2 * REPEATS * int(np.prod(plan.calls[0].output.shape)) * TAPS
    return operations / float(fma), plan.inputs["stream"].bytes / float(stream)


def _plan(width: int) -> Plan:
    """Two kernels. The sums fill the registers, as those of convolutions do."""
    sums = 14 if width >= 16 else 12
    data, scale = Buffer("x0", (TAPS, width)), Buffer("x1", (sums, width))
    rows = STREAMED // (CHUNKS * 8 * width * 4)
    stream = Buffer("x2", (CHUNKS, rows, 8, width))
    plan = Plan({"data": data, "scale": scale, "stream": stream})
    plan.calls = [
        KernelCall("fma", lambda name: _fma(sums, width, name), (data, scale), Buffer("b0", (CHUNKS // 8, sums, width))),
        KernelCall("read", lambda name: _read(stream.shape, name), (stream,), Buffer("b1", (CHUNKS, 8, width))),
    ]
    plan.outputs = {"fma": plan.calls[0].output, "read": plan.calls[1].output}
    return plan


def _fma(sums: int, width: int, name: str) -> PrimFunc:
    """out[p, s, l] = the sum over repeats and taps of data[t, l] scale[s, l]: one load for `sums` fma."""
    data, scale = te.placeholder((TAPS, width), name="data"), te.placeholder((sums, width), name="scale")
    r, t = te.reduce_axis((0, REPEATS), "r"), te.reduce_axis((0, TAPS), "t")
    out = te.compute((CHUNKS // 8, sums, width), lambda p, s, lane: te.sum(data[t, lane] * scale[s, lane], axis=[r, t]), name="out")
    return _in_registers(te.create_prim_func([data, scale, out]), name)


def _read(shape: tuple[int, ...], name: str) -> PrimFunc:
    """out[p, s, l] = the sum over rows of stream[p, row, s, l]."""
    stream = te.placeholder(shape, name="stream")
    i = te.reduce_axis((0, shape[1]), "i")
    out = te.compute((shape[0], *shape[2:]), lambda p, s, lane: te.sum(stream[p, i, s, lane], axis=[i]), name="out")
    return _in_registers(te.create_prim_func([stream, out]), name)


def _in_registers(function: PrimFunc, name: str) -> PrimFunc:
    """Threads over the first axis, sums in registers, lanes in a vector."""
    schedule = Schedule(function)
    block = schedule.get_sblock("out")
    held = schedule.cache_write(block, 0, "local")
    p, s, lane, *reduced = schedule.get_loops(block)
    schedule.reorder(p, *reduced, s, lane)
    schedule.parallel(p)
    schedule.unroll(s)
    schedule.vectorize(lane)
    schedule.reverse_compute_at(held, p)
    *_, s, lane = schedule.get_loops(held)
    schedule.unroll(s)
    schedule.vectorize(lane)
    initial = schedule.decompose_reduction(block, reduced[0])
    *_, s, lane = schedule.get_loops(initial)
    schedule.unroll(s)
    schedule.vectorize(lane)
    return finish(schedule, name)
