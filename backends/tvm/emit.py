"""What a network becomes on its way: Relax, TIR, LLVM IR, CUDA C, PTX, as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from tvm.tirx import PrimFunc

from cnnir.diagnostics import CnnirError, Diagnostic
from cnnir.ir.graph import Graph

from .algorithm import ConvAlgorithm
from .build import build_llvm
from .compile import cuda_code, lower
from .cuda_build import build_cuda
from .regions import Fusion
from .targets import TargetSpec

if TYPE_CHECKING:
    import tvm

Form = Literal["relax", "tir", "llvm-ir", "cuda", "ptx"]


def emit(graph: Graph, form: Form, spec: TargetSpec, fusion: Fusion = "full", conv: ConvAlgorithm = "auto") -> str:
    """The network in a form; CUDA source needs no tool-chain, PTX does. Raises CnnirError (2) where target and form differ."""
    wanted = {"llvm-ir": "llvm", "cuda": "cuda", "ptx": "cuda"}.get(form, spec.kind)
    if wanted != spec.kind:
        raise CnnirError(Diagnostic("C0509", f"--emit {form} needs --target {wanted}, got `{spec}`"), 2)
    plan, module, target = lower(graph, spec, fusion, conv)
    if form == "relax":
        return str(module["main"].script())
    if form == "tir":
        return _kernels(module)
    if form == "llvm-ir":
        executable = build_llvm(plan, target)
        return "\n".join(str(m.inspect_source("ll")) for m in _walk(executable.mod) if m.kind == "llvm")
    if form == "cuda":
        return build_cuda(module, spec.arch).source
    return cuda_code(module, spec.arch)[1].ptx


def _kernels(module: tvm.IRModule) -> str:
    functions = {v.name_hint: f for v, f in module.functions_items() if isinstance(f, PrimFunc)}
    return "\n".join(str(f.script()) for _, f in sorted(functions.items()))


def _walk(module: Any) -> Iterator[Any]:
    yield module
    for inner in module.imports:
        yield from _walk(inner)
