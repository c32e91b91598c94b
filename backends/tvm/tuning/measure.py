"""A kernel's clock and judge: compiled in this process and never linked, so that nothing is left behind and no linker is needed."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

import numpy as np
import tvm
from tvm.tirx import PrimFunc

from cnnir.types import numpy_dtype

from ...race import race, time_calls
from ..plan import Array, Buffer
from ..runner import aligned_empty, as_array, as_tensor, size_pool
from .kernels import Kernel

Run = Any
LONG_ENOUGH = 0.01
"""Seconds of runs of one candidate; of one that is clearly slower than the best, a single run."""
ROUNDS, RUNS = 7, 3


class Bench:
    """Runs variants of one kernel on `threads` threads, on random and adversarial data, and holds them to the bits of the kernel itself."""

    def __init__(self, kernel: Kernel, target: Any, threads: int) -> None:
        self._target = target
        self._call = kernel.call
        self._runner = ThreadPoolExecutor(1, thread_name_prefix="cnnir-tuning")
        self._runner.submit(size_pool, threads).result()
        known = kernel.given()
        self._data = [
            [
                as_tensor(np.asarray(a, order="C") if a is not None else values(b, kind))
                for a, b in zip(known, kernel.call.operands, strict=True)
            ]
            for kind in range(3)
        ]
        self.plain = self.compiled(kernel.function)
        self._expected = [self._output(self.plain, data) for data in self._data]

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._runner.shutdown()

    def compiled(self, function: PrimFunc) -> Run:
        """Machine code of a variant; raises what TVM raises."""
        return tvm.compile(tvm.IRModule({"main": function}), target=self._target)["main"]

    def agrees(self, run: Run) -> bool:
        """Whether a variant answers with the kernel's own bits, on all the data; any NaN is as good as another."""
        return all(same_bits(self._output(run, data), expected) for data, expected in zip(self._data, self._expected, strict=True))

    def seconds(self, run: Run, best: float = np.inf) -> float:
        """The least time of a run on random data."""
        arguments = [*self._data[0], self._empty()]

        def timed() -> float:
            fastest, spent = np.inf, 0.0
            while spent < LONG_ENOUGH and not (spent and fastest > 2 * best):
                start = time.perf_counter()
                run(*arguments)
                took = time.perf_counter() - start
                fastest, spent = min(fastest, took), spent + took
            return fastest

        return float(self._runner.submit(timed).result())

    def race(self, run: Run) -> tuple[float, float, bool]:
        """The seconds of the kernel itself and of a variant, in turns, medians; and whether the variant is faster, turn by turn."""
        arguments = [*self._data[0], self._empty()]
        runs = {"plain": self.plain, "tuned": run}
        contestants = {name: time_calls(lambda r=r: r(*arguments)) for name, r in runs.items()}
        found = self._runner.submit(race, contestants, ROUNDS, RUNS).result()
        return found.standings["plain"].median, found.standings["tuned"].median, found.ratio("tuned", "plain").median < 1

    def _empty(self) -> Any:
        return as_tensor(aligned_empty(self._call.output.shape, numpy_of(self._call.output)))

    def _output(self, run: Run, data: Sequence[Any]) -> Array:
        output = self._empty()
        self._runner.submit(run, *data, output).result()
        return as_array(output)


def cores(threads: int | None) -> int:
    """The threads asked for, or the cores this process may use."""
    return threads or len(os.sched_getaffinity(0))


def numpy_of(buffer: Buffer) -> np.dtype[Any]:
    """NumPy's dtype of a buffer."""
    return numpy_dtype("bf16") if buffer.dtype == "bfloat16" else np.dtype(buffer.dtype)


def values(buffer: Buffer, kind: int) -> Array:
    """Data of one of three kinds: normal; of very different sizes, so that another order of a sum shows; zeros, infinities, denormals."""
    rng, dtype = np.random.default_rng(kind), numpy_of(buffer)
    if dtype.kind == "b":
        return rng.random(buffer.shape) < 0.5
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        least, most = (limits.min, limits.max) if kind == 1 and dtype.itemsize == 1 else (max(limits.min, -3), 3)
        return rng.integers(least, most, buffer.shape, endpoint=True).astype(dtype)
    normal = rng.standard_normal(buffer.shape)
    if kind == 1:
        width = 6 if dtype == np.float16 else 30
        normal = normal * 2.0 ** rng.integers(-width, width, buffer.shape)
    if kind == 2:
        tiny, infinite = (6e-8, 6e4) if dtype == np.float16 else (1e-40, np.inf)
        special = rng.choice(np.array([0.0, -0.0, tiny, -tiny, infinite, 1.0]), buffer.shape)
        normal = np.where(rng.random(buffer.shape) < 0.3, special, normal)
    return normal.astype(dtype)


def same_bits(a: Array, b: Array) -> bool:
    """Whether two arrays are equal bit for bit, but for the bits of NaN."""
    equal = np.ascontiguousarray(a).view(f"u{a.itemsize}") == np.ascontiguousarray(b).view(f"u{b.itemsize}")
    return bool((equal if a.dtype.kind in "iub" else equal | ((a != a) & (b != b))).all())
