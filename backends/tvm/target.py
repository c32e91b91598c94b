"""The host target: this CPU by name, never LLVM's "generic" (which means SSE2 on x86)."""

from __future__ import annotations

import os
import platform

from tvm.target import Target, codegen

from cnnir.diagnostics import alike

from .targets import MACHINES, TargetSpec


def host_target(mcpu: str | None = None, threads: int | None = None) -> Target:
    """An llvm target for `mcpu` (default: the CPU we run on), parallel over `threads` cores.

    No fast-math flag is set: nothing is reassociated, NaN and infinities keep their meaning. LLVM still contracts
    a product and a sum into one fma wherever the CPU has it; `kernels/strict.py` says where we forbid that.
    Raises ValueError for a CPU that LLVM does not know.
    """
    return llvm_target(TargetSpec("llvm", mcpu), threads)


def llvm_target(spec: TargetSpec, threads: int | None = None) -> Target:
    """The same for any machine; raises ValueError for a CPU that LLVM does not know on it."""
    machine = spec.machine if spec.foreign else None
    mcpu = spec.mcpu or (MACHINES[machine] if machine else str(codegen.llvm_get_system_cpu()))
    if mcpu == "" or (mcpu == "generic" and machine is None):
        raise ValueError("LLVM does not know this CPU by name: pass mcpu (for instance x86-64-v3)")
    triple = {"mtriple": spec.mtriple} if spec.mtriple else {}
    known = [str(name) for name in codegen.llvm_get_cpu_archlist(Target({"kind": "llvm", **triple}))]
    if mcpu not in known:  # LLVM would go on with a CPU of its own choice
        hint = alike(mcpu.lower(), known)
        raise ValueError(f"LLVM knows no CPU `{mcpu}`" + (f": {hint}" if hint else ""))
    if (spec.machine or platform.machine()) == "x86_64":
        with Target({"kind": "llvm", "mcpu": mcpu, **triple}):
            if not codegen.llvm_cpu_has_features("64bit"):  # LLVM would end the process
                raise ValueError(f"`{mcpu}` is no 64-bit CPU")
    return Target({"kind": "llvm", "mcpu": mcpu, **triple, "num-cores": threads or os.cpu_count() or 1})


def lanes(target: Target) -> int:
    """How many float32 fit in one vector register: 16 with AVX-512, 8 with AVX2, 4 otherwise."""
    with target:
        if codegen.llvm_cpu_has_features("avx512f"):
            return 16
        return 8 if codegen.llvm_cpu_has_features("avx2") else 4


def describe_host() -> str:
    """The host target in words, such as `llvm -mcpu=znver4, 16 floats a vector`."""
    target = host_target()
    return f"llvm -mcpu={target.attrs['mcpu']}, {lanes(target)} floats a vector"
