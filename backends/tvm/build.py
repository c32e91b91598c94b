"""Plan -> shared library, through Relax."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvm import relax

from cnnir.diagnostics import CnnirError, Diagnostic

if TYPE_CHECKING:
    import tvm

LINKERS = ("c++", "g++", "clang++", "cc", "gcc", "clang")


def build_llvm(module: tvm.IRModule, target: Any) -> relax.VMExecutable:
    """Compile a Relax module for an llvm target. Kernels with a schedule keep it; the rest get TVM's default."""
    return relax.build(module, target)


def export(executable: relax.VMExecutable, path: Path) -> None:
    """Link an executable into a shared library; raises CnnirError with exit code 3 where no linker is installed."""
    linker = next((found for name in LINKERS if (found := shutil.which(name))), None)
    if linker is None:
        tried = ", ".join(LINKERS)
        raise CnnirError(
            Diagnostic("C0502", "no C compiler to link the library with", notes=(f"tried {tried}",), help="install gcc or clang"),
            exit_code=3,
        )
    try:
        executable.export_library(str(path), cc=linker)
    except (RuntimeError, subprocess.CalledProcessError) as error:
        raise CnnirError(Diagnostic("C0502", f"`{linker}` could not link the library", notes=(str(error)[-2000:],)), exit_code=3) from error
