"""Plan -> shared library, through Relax."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tvm import relax

from cnnir.diagnostics import CnnirError, Diagnostic

from .module import relax_module
from .offsets import lower
from .plan import Plan

LINKERS = ("c++", "g++", "clang++", "cc", "gcc", "clang")


def build_llvm(plan: Plan, target: Any) -> relax.VMExecutable:
    """Compile a plan for an llvm target. Kernels with a schedule keep it; the rest get TVM's default."""
    with target:
        module = lower(relax_module(plan), plan)
    return relax.build(module, target, relax_pipeline=None)


def export(executable: relax.VMExecutable, path: Path, machine: str | None = None) -> None:
    """Link an executable into a shared library, for another `machine` than this where one is given.

    Raises CnnirError with exit code 3 where no linker is installed.
    """
    linker = _linker() if machine is None else _cross_linker(machine)

    def link(output: str, objects: Sequence[str], **_: object) -> None:
        subprocess.run([*linker, "-shared", "-fPIC", "-o", output, *objects], check=True, capture_output=True, text=True)

    link.output_format = "so"  # type: ignore[attr-defined]  # TVM asks the function
    try:
        executable.export_library(str(path), fcompile=link)
    except (RuntimeError, subprocess.CalledProcessError) as error:
        said = str(getattr(error, "stderr", None) or error)
        raise CnnirError(Diagnostic("C0502", f"`{linker[0]}` could not link the library", notes=(said[-2000:],)), exit_code=3) from error


def _linker() -> list[str]:
    found = next((found for name in LINKERS if (found := shutil.which(name))), None)
    if found is None:
        raise _missing("no C compiler to link the library with", LINKERS, "install gcc or clang")
    return [found]


def _cross_linker(machine: str) -> list[str]:
    names = [f"{machine}-linux-gnu-{name}" for name in ("g++", "gcc")]
    found = next((found for name in names if (found := shutil.which(name))), None)
    if found is not None:
        return [found]
    if find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc", "-target", f"{machine}-linux-gnu"]
    help = f"install gcc for it (Debian's `gcc-{machine.replace('_', '-')}-linux-gnu`), or `pip install 'cnnir[cross]'`"
    raise _missing(f"no C compiler that links for {machine}", (*names, "ziglang"), help)


def _missing(what: str, tried: Sequence[str], help: str) -> CnnirError:
    return CnnirError(Diagnostic("C0502", what, notes=(f"tried {', '.join(tried)}",), help=help), exit_code=3)
