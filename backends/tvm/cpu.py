"""Which instruction sets a library needs, and whether this CPU has them."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from pathlib import Path

from cnnir.diagnostics import CnnirError, Diagnostic

from .targets import parse_target

_LLVM_TO_KERNEL = {
    "avx": "avx", "avx2": "avx2", "fma": "fma", "avx512f": "avx512f", "avx512bw": "avx512bw", "avx512dq": "avx512dq",
    "avx512vl": "avx512vl",
    "avx512vnni": "avx512_vnni", "avx512bf16": "avx512_bf16", "avx512vbmi": "avx512vbmi", "avx512fp16": "avx512_fp16", "bmi2": "bmi2",
    "neon": "asimd", "sve": "sve",
}  # fmt: skip
"""LLVM's feature name -> the flag in /proc/cpuinfo."""

FEATURES = tuple(_LLVM_TO_KERNEL)


def kernel_flags(features: Iterable[str]) -> tuple[str, ...]:
    """The /proc/cpuinfo flags of LLVM features."""
    return tuple(sorted(_LLVM_TO_KERNEL[f] for f in features))


def check_machine(target: str, path: Path) -> None:
    """Raise CnnirError (exit code 3) where code for a target is not for this kind of machine."""
    spec = parse_target(target)
    if spec.foreign:
        raise CnnirError(
            Diagnostic(
                "C0504",
                f"`{path}` was compiled for another machine",
                notes=(f"it is for {spec.machine}, and this is {platform.machine()}",),
                help=f"run it there: on {spec.machine} with the same versions of cnnir and TVM",
            ),
            exit_code=3,
        )


def check_cpu(needed: Iterable[str], path: Path) -> None:
    """Raise CnnirError (exit code 3) where this CPU lacks a needed flag: running would die of an illegal instruction.

    Where the system does not tell its flags, nothing is checked.
    """
    missing = sorted(set(needed) - flags) if (flags := _flags()) else []
    if missing:
        raise CnnirError(
            Diagnostic(
                "C0504",
                f"`{path}` was compiled for another CPU",
                notes=(f"it needs {', '.join(missing)}, which this {platform.machine()} CPU does not have",),
                help="compile it here, or with a `--target` that names this CPU",
            ),
            exit_code=3,
        )


def _flags() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()
