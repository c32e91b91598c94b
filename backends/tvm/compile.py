"""Graph -> Program: plan, Relax module, machine code, packed weights."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from tvm.target import codegen

from cnnir.diagnostics import CnnirError, Diagnostic, alike
from cnnir.files import cannot_write
from cnnir.ir.expand import expanded
from cnnir.ir.graph import Graph
from cnnir.ir.limits import refuse_too_large
from cnnir.work import activation_evaluations, macs

from . import libraries
from .algorithm import MEMORY, Choose, ConvAlgorithm, choose
from .arena import arrange, least
from .build import build_llvm, export
from .concats import narrow_concats
from .cpu import FEATURES, kernel_flags
from .cuda_build import CudaBuild, build_cuda
from .cuda_program import CUBIN, PTX, SOURCE
from .cuda_toolchain import CompiledCuda, CudaError, ToolchainMissing, require_toolchain
from .machine import known
from .manifest import Manifest, Work
from .module import relax_module
from .plain import has_own_rule
from .plan import Plan
from .planner import plan
from .program import Program
from .races import Raced
from .regions import Fusion
from .runner import aligned_empty
from .target import lanes, llvm_target
from .targets import TargetSpec

if TYPE_CHECKING:
    import tvm


Tuned = bool | Path
"""No records, those of the cache, or those of a folder."""


def lower(
    graph: Graph, spec: TargetSpec, fusion: Fusion = "full", conv: ConvAlgorithm = "auto", tuned: Tuned = False
) -> tuple[Plan, tvm.IRModule, Any]:
    """The plan, the Relax module and the TVM target of a network; raises CnnirError for one too large, or `conv` not of the target."""
    found, target = scheduled(graph, spec, fusion, conv, tuned)
    return found, relax_module(found), target


def scheduled(
    graph: Graph, spec: TargetSpec, fusion: Fusion = "full", conv: ConvAlgorithm = "auto", tuned: Tuned = False, threads: int | None = None
) -> tuple[Plan, Any]:
    """The plan and the TVM target as `planned` finds them, plain kernels by the records of `cnnc tune`, in the cache or in a folder."""
    found, target = planned(graph, spec, fusion, conv, threads)
    if tuned is not False:
        from .tuning.tune import require_llvm, with_records  # meta schedule, which few compilations need

        require_llvm(spec)
        found = with_records(found, target, tuned if isinstance(tuned, Path) else None)
    return found, target


def planned(
    graph: Graph, spec: TargetSpec, fusion: Fusion = "full", conv: ConvAlgorithm = "auto", threads: int | None = None
) -> tuple[Plan, Any]:
    """The plan and the TVM target (None for cuda) of a network; raises CnnirError for one too large, or `conv` not of the target.

    `threads` run what `conv=measure` races.
    """
    require_algorithm(conv, spec)
    refuse_too_large(graph)
    graph = narrow_concats(expanded(graph, lambda op: not has_own_rule(op)))
    if spec.kind == "cuda":
        return plan(graph, "cuda", 1, fusion, lambda _: None), None
    target = _llvm_target(spec)
    return plan(graph, "llvm", lanes(target), fusion, _chooser(spec, target, conv, threads or _cores())), target


def _chooser(spec: TargetSpec, target: Any, conv: ConvAlgorithm, threads: int) -> Choose:
    width = lanes(target)
    if conv == "measure":
        return Raced(spec, target, width, threads)
    calibration = known(spec)
    memory = MEMORY if calibration is None else calibration.memory_cycles(width)
    return lambda geometry: choose(geometry, conv, width, memory)


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def require_algorithm(conv: str, spec: TargetSpec) -> None:
    """Raise CnnirError (exit code 2) unless the algorithm is known, and there is code of it for the target."""
    known = get_args(ConvAlgorithm)
    if conv not in known:
        help = alike(conv, known) or f"choose {', '.join(f'`{name}`' for name in known)}"
        raise CnnirError(Diagnostic("C0508", f"no convolution algorithm `{conv}`", help=help), 2)
    if conv in ("winograd", "measure") and spec.kind != "llvm":
        raise CnnirError(Diagnostic("C0509", f"`conv={conv}` is for CPUs, and the target is `{spec}`", help="use `conv=auto`"), 2)
    if conv == "measure" and spec.foreign:
        raise CnnirError(Diagnostic("C0509", f"`conv=measure` runs code, and this is no machine for `{spec}`", help="use `conv=auto`"), 2)


def compile_graph(
    graph: Graph, spec: TargetSpec, threads: int | None = None, fusion: Fusion = "full", conv: ConvAlgorithm = "auto",
    tuned: Tuned = False,
) -> Program:  # fmt: skip
    """Compile a network; raises CnnirError (exit code 3) where a tool-chain is missing."""
    found, target = scheduled(graph, spec, fusion, conv, tuned, threads)
    folder = Path(tempfile.mkdtemp(prefix="cnnir-"))
    try:
        return _built(graph, spec, threads, found, target, folder)
    except BaseException as error:  # an interrupt too: nobody else knows the folder
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):  # the disk is full
            raise cannot_write(folder, error) from error
        raise


def _built(graph: Graph, spec: TargetSpec, threads: int | None, found: Plan, target: Any, folder: Path) -> Program:
    """The program of a planned network, with its library in `folder`, which goes when the program does."""
    library = folder / "library.so"
    files: dict[str, bytes] = {}
    features: tuple[str, ...] = ()
    if spec.kind == "cuda":
        files = _cuda_files(relax_module(found), spec.arch, library)
    else:
        _build_library(found, spec, target, library)
        with target:
            features = kernel_flags(f for f in FEATURES if codegen.llvm_cpu_has_features(f))
    manifest = Manifest(
        name=graph.name,
        target=str(spec if spec.kind == "cuda" else replace(spec, mcpu=str(target.attrs["mcpu"]))),
        threads=threads or _cores(),
        inputs=graph.inputs,
        outputs=graph.outputs,
        work=count_work(graph, found, spec.kind),
        versions={"cnnir": version("cnnir"), "apache-tvm": version("apache-tvm"), "apache-tvm-ffi": version("apache-tvm-ffi")},
        ranges=graph.ranges,
        calls=tuple(call.layers for call in found.calls),
        cpu_features=features,
    )
    return Program(manifest, library, [_aligned(c.make(), c.buffer.dtype) for c in found.constants], files, folder)


def _build_library(found: Plan, spec: TargetSpec, target: Any, library: Path) -> None:
    """Compile a plan, or take what was compiled of one alike."""
    key = libraries.key(found, str(target))
    kept = None if key is None else libraries.find(key)
    if kept is not None:
        library.write_bytes(kept)
        return
    export(build_llvm(found, target), library, spec.machine if spec.foreign else None)
    if key is not None:
        libraries.keep(key, library.read_bytes())


def count_work(graph: Graph, found: Plan, kind: str = "llvm") -> Work:
    """Counted work of one run of the network under a plan."""
    bound = least(found)
    memory = arrange(found).bytes + sum(b.bytes for b in found.results) if kind == "llvm" else bound
    return Work(len(found.calls), found.bytes, macs(graph), activation_evaluations(graph), memory, bound)


def _llvm_target(spec: TargetSpec) -> Any:
    try:
        return llvm_target(spec)
    except ValueError as error:
        raise CnnirError(Diagnostic("C0507", str(error)), 3) from error


def _aligned(array: np.ndarray[Any, Any], dtype: str) -> np.ndarray[Any, Any]:
    copy = aligned_empty(array.shape, dtype)
    copy[...] = array
    return copy


def cuda_code(module: tvm.IRModule, arch: str) -> tuple[CudaBuild, CompiledCuda]:
    """Build for CUDA and compile the source; raises CnnirError (exit code 3) without a tool-chain that takes `arch`."""
    try:
        toolchain = require_toolchain()
        toolchain.check_arch(arch)
        build = build_cuda(module, arch)
        return build, toolchain.compile(build.source, arch)
    except ToolchainMissing as error:
        raise CnnirError(
            Diagnostic("C0505", "no CUDA tool-chain found", notes=(str(error),), help="pip install 'cnnir[cuda]'"), 3
        ) from error
    except CudaError as error:
        raise CnnirError(Diagnostic("C0505", f"cannot compile CUDA code for `{arch}`", notes=(str(error),)), 3) from error


def _cuda_files(module: tvm.IRModule, arch: str, library: Path) -> dict[str, bytes]:
    """The package's CUDA files; the host library goes to `library`."""
    build, code = cuda_code(module, arch)
    export(build.executable, library)
    return {SOURCE: build.source.encode(), CUBIN: code.cubin, PTX: code.ptx.encode()}
