"""From a Relax module to a library that runs on NVIDIA GPUs, built where there is no GPU.

TVM would compile CUDA C on the machine that loads the library, with the tool-chain of that machine
and fast mathematics.  Instead the source is taken out here, compiled by `cuda_toolchain`, and the
result stored beside the library, keyed by the source it came from:

    build = build_cuda(module, "sm_90")
    build.executable.export_library("model.so")              # host code; holds the CUDA source
    code = require_toolchain().compile(build.source, "sm_90")  # keep code.cubin under build.key

On the GPU machine, with neither a compiler nor `import tvm`:

    load_gpu_runtime()
    with serve_kernels({key: cubin}):                        # only while the library loads
        machine = Machine("model.so", threads=1, device=tvm_ffi.device("cuda", 0))
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tvm_ffi

from .runner import RuntimeMissing, load_runtime

if TYPE_CHECKING:
    import tvm
    from tvm.runtime import Executable

# True of every architecture since sm_75, in bytes, threads and lanes.  Without them TVM guesses
# the same and says so on stderr.
_LIMITS = {
    "max_shared_memory_per_block": 49152,
    "max_threads_per_block": 1024,
    "thread_warp_size": 32,
}

THREAD_PER_OUTPUT = "cnnir.thread_per_output"
"""Attribute of a function whose outputs are best computed by a thread each."""

_EXISTS, _COMPUTE_VERSION = 0, 4  # TVM's numbers for device attributes
_COMPILE = "tvm_callback_cuda_compile"  # how TVM's runtime asks for machine code

_environment = threading.Lock()
_registry = threading.Lock()


@tvm_ffi.register_error  # it crosses the runtime, which would make a plain RuntimeError of it
class KernelMissing(RuntimeError):
    """A library was loaded whose CUDA source has no stored machine code."""


@dataclass(frozen=True)
class CudaBuild:
    """Host code, ready to export, and the CUDA C of every kernel it launches."""

    executable: Executable
    source: str

    @property
    def key(self) -> str:
        """Under which the machine code of `source` is stored; the same for many architectures."""
        return source_key(self.source)


def source_key(source: str) -> str:
    """The SHA-256 of CUDA source, in hexadecimal."""
    return hashlib.sha256(source.encode()).hexdigest()


def build_cuda(mod: tvm.IRModule, arch: str) -> CudaBuild:
    """Lower `mod`, schedule every kernel for a GPU, and emit host code and CUDA C for `arch`.

    `main` may call Relax operators and unscheduled TE functions.  A function that arrives with the
    attribute `tirx.is_scheduled` keeps its schedule.  Functions need names that are C identifiers
    (a lambda's is not); `ValueError` otherwise.
    """
    import tvm
    from tvm import relax

    for name in (variable.name_hint for variable in mod.get_global_vars()):
        if not (name.isascii() and name.isidentifier()):
            raise ValueError(f"{name!r} cannot name a CUDA kernel")
    target = tvm.target.Target({"kind": "cuda", "arch": arch, **_LIMITS}, host={"kind": "llvm"})
    strict = tvm.transform.PassContext(opt_level=3, config={"tirx.enable_fast_math": False})
    with _source_only(), strict:
        executable = relax.build(mod, target, relax_pipeline=tvm.transform.Sequential(_passes()), tir_pipeline="default")
    kernels = [module for module in _walk(executable.mod) if module.kind == "cuda"]
    if len(kernels) > 1:
        raise AssertionError("TVM emitted several CUDA modules; the package holds one")
    return CudaBuild(executable, kernels[0].inspect_source() if kernels else "")


def _passes() -> list[Any]:
    """TVM's pipeline for CUDA, written out so that no release changes it silently."""
    from tvm import relax
    from tvm.s_tir import dlight

    gpu, step = dlight.gpu, relax.transform
    return [
        step.LegalizeOps(),
        step.AnnotateTIROpPattern(),
        step.FoldConstant(),
        step.FuseOps(),
        step.FuseTIR(),
        dlight.ApplyDefaultSchedule(  # the first rule that fits; Fallback fits everything
            _pool_rule(), gpu.Matmul(), gpu.GEMV(), gpu.Reduction(), gpu.GeneralReduction(), gpu.Fallback()
        ),
        step.RewriteDataflowReshape(),
        step.ToNonDataflow(),
        step.RemovePurityChecking(),
        step.CallTIRRewrite(),
        step.StaticPlanBlockMemory(),
        step.LowerAllocTensor(),
        step.KillAfterLastUse(),
        step.LowerRuntimeBuiltin(),
        step.ComputePrimValue(),
        step.VMShapeLower(),
        step.AttachGlobalSymbol(),
    ]


def _pool_rule() -> Any:
    """A thread per output for pools: windows are small, and dlight's reductions know no maximum that starts at -inf."""
    from tvm.s_tir.dlight import ScheduleRule, gpu

    class Pool(ScheduleRule):
        def apply(self, func: Any, target: Any, tunable: bool) -> Any:
            return gpu.Fallback().apply(func, target, tunable) if func.attrs and THREAD_PER_OUTPUT in func.attrs else None

    return Pool()


def _walk(module: Any) -> Iterator[Any]:
    yield module
    for inner in module.imports:
        yield from _walk(inner)


@contextmanager
def _source_only() -> Iterator[None]:
    """Keep TVM from compiling CUDA itself, as it would where a driver is installed."""
    name = "TVM_COMPILE_FORCE_FALLBACK"
    with _environment:
        before = os.environ.get(name)
        os.environ[name] = "1"
        try:
            yield
        finally:
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before


def load_gpu_runtime() -> None:
    """Load TVM's CUDA runtime; raise `RuntimeMissing` without an NVIDIA driver.

    CUDA's own runtime may come from the system or from `nvidia-cuda-runtime`.
    """
    load_runtime()
    spec = importlib.util.find_spec("nvidia")
    for root in (spec.submodule_search_locations or ()) if spec else ():
        for library in sorted(Path(root).glob("cu*/lib/libcudart.so.*")):
            ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    try:
        load_runtime("tvm_runtime_cuda")
    except OSError as error:
        raise RuntimeMissing(f"no NVIDIA driver here: {error}") from error


def gpu_arch(index: int = 0) -> str | None:
    """The architecture of GPU `index`, such as "sm_90"; None where there is no such GPU.

    Needs `load_gpu_runtime`.
    """
    device = tvm_ffi.device("cuda", index)
    ask = tvm_ffi.get_global_func("runtime.GetDeviceAttr")
    which = device.dlpack_device_type(), device.index
    return "sm_" + ask(*which, _COMPUTE_VERSION).replace(".", "") if ask(*which, _EXISTS) else None


@contextmanager
def serve_kernels(kernels: Mapping[str, bytes]) -> Iterator[None]:
    """Answer TVM's request for machine code from `kernels`, keyed by `source_key`.

    Values are cubins, or PTX in ASCII.  TVM asks once, while a library loads, so the answer is
    registered for that long only: a later `import tvm` registers its own under the same name.
    """

    def answer(source: str) -> bytes:
        code = kernels.get(source_key(source))
        if code is None:
            raise KernelMissing(f"no machine code for the CUDA source {source_key(source)}")
        return code if code.startswith(b"\x7fELF") else code.rstrip(b"\0") + b"\0"

    with _registry:
        before = tvm_ffi.get_global_func(_COMPILE, allow_missing=True)
        tvm_ffi.register_global_func(_COMPILE, answer, override=True)
        try:
            yield
        finally:
            if before is None:
                tvm_ffi.remove_global_func(_COMPILE)
            else:
                tvm_ffi.register_global_func(_COMPILE, before, override=True)
