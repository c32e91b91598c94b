"""Running a compiled library without the compiler.

`import tvm` costs more than a second, and a user who only runs a saved network should not pay it.
What running needs is `tvm_ffi` and two shared objects, TVM's runtime and the compiled library, so
this module loads them itself and never imports `tvm`.

The other half of the job is memory.  Compiled kernels use aligned vector loads: an array that
does not start on a 64-byte boundary crashes the process.  `as_tensor` is the only door through
which an array reaches a kernel, and it copies when it must and only then.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import tvm_ffi

from cnnir.types import numpy_dtype

ALIGNMENT = 64
"""Bytes.  Every tensor given to a kernel starts on a multiple of this, in memory and in a file."""

_CPU = 1  # DLPack's number for host memory
_POOLED = 2  # the virtual machine's caching allocator

_THREADS = "TVM_NUM_THREADS"
_creation = threading.Lock()  # the thread count travels through an environment variable


class RuntimeMissing(RuntimeError):
    """TVM's runtime library is not installed where Python can see it."""


class Device(Protocol):
    """What `Machine` asks of a device: `tvm_ffi.device("cuda", 0)` fits."""

    @property
    def index(self) -> int: ...

    def dlpack_device_type(self) -> int: ...


def aligned_empty(shape: Sequence[int], dtype: np.typing.DTypeLike) -> np.ndarray:
    """An uninitialised C-contiguous array that starts on an `ALIGNMENT` boundary."""
    item = np.dtype(dtype)
    size = item.itemsize * int(np.prod(shape, dtype=np.int64))
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(item).reshape(shape)


def is_ready(array: np.ndarray) -> bool:
    """Whether a kernel can read `array` where it lies."""
    return bool(
        array.flags.c_contiguous
        and array.flags.writeable  # DLPack before 1.0 cannot say "read-only", so exporters refuse
        and array.dtype.isnative
        and array.ctypes.data % ALIGNMENT == 0
    )


def as_tensor(array: np.ndarray) -> tvm_ffi.Tensor:
    """`array` as a tensor for `Machine.run`: the same memory if it is ready, else an aligned copy.

    A file mapped with mode "c" (copy on write) is ready where its entries lie on 64-byte offsets;
    mode "r" is not, because it is read-only.
    """
    if str(array.dtype) == "bfloat16":  # NumPy's DLPack has no name for it
        return to_device(array, tvm_ffi.device("cpu", 0))
    if not is_ready(array):
        copy = aligned_empty(array.shape, array.dtype.newbyteorder("="))
        copy[...] = array
        array = copy
    if array.size == 0:  # an empty view has no address worth checking
        return tvm_ffi.from_dlpack(array)
    return tvm_ffi.from_dlpack(array, require_alignment=ALIGNMENT, require_contiguous=True)


def as_array(tensor: tvm_ffi.Tensor) -> np.ndarray:
    """`tensor` for NumPy: the same memory, kept alive, if it is the host's, else a copy."""
    dtype = numpy_dtype("bf16") if str(tensor.dtype) == "bfloat16" else np.dtype(str(tensor.dtype))
    if tensor.device.dlpack_device_type() == _CPU and dtype.kind != "V":
        return np.from_dlpack(tensor)
    array = aligned_empty(tensor.shape, dtype)
    download = tvm_ffi.get_global_func("runtime.TVMTensorCopyToBytes")  # waits for the device
    download(tensor, ctypes.c_void_p(array.ctypes.data), array.nbytes)
    return array


def to_device(array: np.ndarray, device: Device) -> tvm_ffi.Tensor:
    """A copy of `array` in the memory of `device`, where weights should lie before the first run.

    For the CUDA device, load its runtime first.
    """
    array = np.asarray(array, order="C")
    load_runtime()
    allocate = tvm_ffi.get_global_func("runtime.TVMTensorAllocWithScope")
    upload = tvm_ffi.get_global_func("runtime.TVMTensorCopyFromBytes")
    tensor = allocate(tvm_ffi.Shape(array.shape), str(array.dtype), device, None)
    upload(tensor, ctypes.c_void_p(array.ctypes.data), array.nbytes)
    return tensor


@functools.cache
def load_runtime(name: str = "tvm_runtime") -> ctypes.CDLL:
    """Load one of TVM's runtime libraries, found beside the `tvm` package without importing it."""
    spec = importlib.util.find_spec("tvm")  # locates a top-level package, does not run it
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "lib" / f"lib{name}.so"
        if path.exists():
            # Global: libraries loaded later (CUDA's runtime, the network) link against it.
            return ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL)
    raise RuntimeMissing(f"lib{name}.so not found; it comes with TVM: pip install 'apache-tvm==0.27.0.post1'")


class Machine:
    """A loaded library, ready to run on `threads` threads: those asked for, or as many as cores.

    TVM sizes its thread pool per operating-system thread, when that thread first uses it, and
    cannot grow it afterwards.  So each machine owns one runner thread on which everything happens,
    and machines with different thread counts live side by side in one process.

        with Machine(Path("model.so"), threads=2) as machine:
            (y,) = machine.run([as_tensor(x), as_tensor(weight)])

    Calls from several threads are safe: they queue.  A result owns its memory and outlives the
    machine.  The library comes from the compiler's `export_library`:

        executable = relax.build(module, Target({"kind": "llvm", "mcpu": "znver4"}))
        executable.export_library("model.so")     # links with c++ or gcc or clang, see `cc=`
    """

    def __init__(self, library_path: Path, threads: int, device: Device | None = None) -> None:
        """Load `library_path`; raise `FileNotFoundError`, `ValueError` or `RuntimeMissing` early.

        `device` is where `main` computes, the host by default.  Arguments that lie elsewhere are
        copied there at every call.
        """
        if threads < 1:
            raise ValueError(f"threads must be at least 1, not {threads}")
        self.path = Path(library_path).resolve(strict=True)
        load_runtime()
        self._runner = ThreadPoolExecutor(1, thread_name_prefix=f"cnnir-{self.path.stem}")
        try:
            self.threads: int = self._runner.submit(size_pool, threads).result()
            self._virtual_machine = self._runner.submit(_load, self.path, device).result()
        except BaseException:
            self._runner.shutdown()
            raise
        self._main = self._virtual_machine["main"]
        self.arity = int(self._virtual_machine["get_function_arity"]("main"))
        """How many tensors `main` takes."""

    def run(self, arguments: Sequence[tvm_ffi.Tensor]) -> list[np.ndarray]:
        """Call `main`; one array per result, in order."""
        return [as_array(tensor) for tensor in self.call(arguments)]

    def call(self, arguments: Sequence[tvm_ffi.Tensor]) -> list[tvm_ffi.Tensor]:
        """Call `main` and leave the results where they are, for instance on a GPU."""
        result = self._runner.submit(self._main, *arguments).result()
        return [result] if isinstance(result, tvm_ffi.Tensor) else list(result)

    def profile(self, arguments: Sequence[tvm_ffi.Tensor]) -> list[float]:
        """Call `main` once; the seconds each kernel took, in the order of the calls.

        The hook costs a few microseconds around every kernel, so short kernels look longer than they are.
        """
        times: list[float] = []
        started = 0.0

        def hook(_function: Any, symbol: str, before: bool, _result: Any, *_arguments: Any) -> int:
            nonlocal started
            if before:
                started = time.perf_counter()
            elif not symbol.startswith("vm.builtin."):
                times.append(time.perf_counter() - started)
            return 0

        def run() -> None:
            instrument = self._virtual_machine["set_instrument"]
            instrument(tvm_ffi.convert(hook))
            try:
                self._main(*arguments)
            finally:
                instrument(None)

        self._runner.submit(run).result()
        return times

    def close(self) -> None:
        """Stop the runner thread and TVM's workers behind it.  Results stay valid."""
        self._runner.shutdown()

    def __enter__(self) -> Machine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def size_pool(threads: int) -> int:
    """Give the calling thread its pool; its size. Must be the thread's first use of TVM.

    The environment variable stays, at the largest count asked for so far: TVM reads it again at every parallel launch,
    and where it is missing or says 1 the launch is serial, whatever the size of the pool.
    """
    threads = min(threads, os.cpu_count() or threads)  # TVM warns about more, and does not use them
    with _creation:
        before = os.environ.get(_THREADS, "")
        os.environ[_THREADS] = str(threads)
        try:
            actual = int(tvm_ffi.get_global_func("runtime.NumThreads")())
        finally:
            os.environ[_THREADS] = str(max(threads, int(before) if before.isdigit() else 0))
    if actual > threads:
        raise RuntimeError(f"asked TVM for {threads} threads, got {actual}")
    return actual


def _load(path: Path, device: Device | None) -> Any:
    """Open the library and start its virtual machine."""
    machine = tvm_ffi.load_module(path)["vm_load_executable"]()
    # The host comes last: shape functions run there whatever `main` computes on.
    where = [] if device is None else [device.dlpack_device_type(), device.index, _POOLED]
    machine["vm_initialization"](*where, _CPU, 0, _POOLED)
    return machine
