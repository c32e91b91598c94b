"""Which algorithm and tiling of a convolution is fastest on this machine: raced once, and kept (`conv=measure`)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cnnir import records

from .algorithm import can_transform, tilings
from .build import build_llvm, export
from .convolutions import kernel, packed, packed_shape
from .kernels.blocked import blocked_shape
from .kernels.epilogue import Epilogue
from .kernels.geometry import ConvGeometry
from .kernels.winograd import Tiling
from .plan import Buffer, Constant, KernelCall, Plan
from .runner import Machine, aligned_empty, as_tensor
from .sweep.environment import Environment
from .targets import TargetSpec

ROUNDS = 7
WORTH = 0.95
"""Winograd is kept where it takes this share of the direct time or less: it is less exact, and its weights are larger."""
RECORDS = "convolutions"


class Raced:
    """The faster algorithm of a convolution by the clock, for a target and a number of threads; records are kept and reused.

    A record is of the convolution alone, as `algorithm.choose` is: what rides in its kernel has no say, so a moved and an
    unmoved network compute the same bits.
    """

    def __init__(self, spec: TargetSpec, target: Any, lanes: int, threads: int) -> None:
        self._environment = Environment.examined(spec)
        self._target, self._lanes, self._threads = target, lanes, threads
        self._known: dict[ConvGeometry, Tiling | None] = {}

    def __call__(self, conv: ConvGeometry) -> Tiling | None:
        """The fastest tiling of Winograd, or None for direct convolution; raises CnnirError where nothing can be linked."""
        if not can_transform(conv, self._lanes):
            return None
        if conv not in self._known:
            self._known[conv] = self._remembered(conv)
        return self._known[conv]

    def _remembered(self, conv: ConvGeometry) -> Tiling | None:
        environment = self._environment
        parts = [environment.target, *map("=".join, environment.versions), f"threads={self._threads}", repr(conv)]
        found = records.lookup(RECORDS, parts)
        candidates: list[Tiling | None] = [None, *tilings(conv, self._lanes)]
        names = [_name(tiling) for tiling in candidates]
        if found is None or found.get("fastest") not in names:
            seconds = self._race(conv, candidates)
            best = min(range(len(candidates)), key=seconds.__getitem__)
            fastest = best if seconds[best] <= WORTH * seconds[0] else 0
            found = {"fastest": names[fastest], "seconds": dict(zip(names, seconds, strict=True)), "convolution": asdict(conv)}
            records.keep(RECORDS, parts, found)
        return candidates[names.index(found["fastest"])]

    def _race(self, conv: ConvGeometry, candidates: Sequence[Tiling | None]) -> list[float]:
        """The median seconds of each candidate, by turns, on random data."""
        plan = _plan(conv, candidates, self._lanes)
        rng = np.random.default_rng(0)
        data = aligned_empty(plan.inputs["x"].shape, "float32")
        rng.standard_normal(out=data, dtype=np.float32)
        with tempfile.TemporaryDirectory(prefix="cnnir-race-") as folder:
            library = Path(folder) / "library.so"
            export(build_llvm(plan, self._target), library)
            with Machine(library, self._threads) as machine:
                arguments = [as_tensor(data), *(as_tensor(np.ascontiguousarray(c.make())) for c in plan.constants)]
                machine.call(arguments)
                times = [machine.profile(arguments) for _ in range(ROUNDS)]
        return [float(t) for t in np.median(np.asarray(times), axis=0)]


def _plan(conv: ConvGeometry, candidates: Sequence[Tiling | None], lanes: int) -> Plan:
    """Each candidate on the same data, one after the other."""
    out = blocked_shape((conv.batch, conv.out_channels, *conv.out_size), lanes)
    plan = Plan({"x": Buffer("x0", blocked_shape((conv.batch, conv.in_channels, *conv.in_size), lanes))})
    weight = np.random.default_rng(1).standard_normal((conv.out_channels, conv.in_channels, *conv.kernel), np.float32)
    weights: dict[tuple[int, bool] | None, Buffer] = {}
    for i, tiling in enumerate(candidates):
        alike = None if tiling is None else (tiling.m, tiling.rows is None)
        if alike not in weights:
            weights[alike] = Buffer(f"w{i}", packed_shape(conv, tiling, lanes))
            plan.constants.append(Constant(weights[alike], lambda t=tiling: packed(weight, conv, t, lanes)))
        output = Buffer(f"b{i}", out)
        operands = (plan.inputs["x"], weights[alike])
        plan.calls.append(KernelCall(("conv", tiling), lambda name, t=tiling: kernel(conv, t, Epilogue(), name, lanes), operands, output))
        plan.outputs[_name(tiling)] = output
    return plan


def _name(tiling: Tiling | None) -> str:
    if tiling is None:
        return "direct"
    rows = "all rows" if tiling.rows is None else f"{tiling.rows} rows"
    return f"winograd F({tiling.m}x{tiling.m}), {rows}, {tiling.columns} columns"
