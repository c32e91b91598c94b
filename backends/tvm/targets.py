"""Targets as users write them: `llvm`, `llvm -mcpu=haswell`, `llvm -mtriple=aarch64-linux-gnu`, `cuda`, `cuda -arch=sm_90`."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass

from cnnir.diagnostics import CnnirError, Diagnostic, alike

MACHINES = {"x86_64": "x86-64-v3", "aarch64": "generic", "riscv64": "generic-rv64"}
"""The machines that code is made for, by the first part of a triple, and the CPU where none is named and this one is another."""
DEFAULT_ARCH = "sm_80"


@dataclass(frozen=True)
class TargetSpec:
    """A parsed target: `kind` is `llvm` or `cuda`; `mcpu` and `mtriple` are for llvm, None for this machine; `arch` is for cuda."""

    kind: str
    mcpu: str | None = None
    arch: str = DEFAULT_ARCH
    mtriple: str | None = None

    @property
    def machine(self) -> str | None:
        """The machine that the code is for, as `platform.machine` calls it; None for this one's."""
        return None if self.mtriple is None else self.mtriple.split("-")[0]

    @property
    def foreign(self) -> bool:
        """Whether the code is for another kind of machine than this one."""
        return self.machine not in (None, platform.machine())

    def __str__(self) -> str:
        if self.kind == "cuda":
            return f"cuda -arch={self.arch}"
        options = {"mtriple": self.mtriple, "mcpu": self.mcpu}
        return " ".join(["llvm", *(f"-{name}={value}" for name, value in options.items() if value is not None)])


def parse_target(text: str, arch: str | None = None) -> TargetSpec:
    """Parse a target; raises CnnirError (exit code 2) for one that is malformed, 3 for a kind without code generation."""
    words = text.split()
    kind, options = (words[0], words[1:]) if words else ("", [])
    found = {m[1]: m[2] for w in options if (m := re.fullmatch(r"-(mcpu|mtriple|arch)=([\w.+-]+)", w))}
    if not words or len(found) != len(options):
        help = "for instance `llvm`, `llvm -mcpu=haswell`, `cuda -arch=sm_90`"
        raise CnnirError(Diagnostic("C0507", f"malformed target `{text}`", help=help), 2)
    if kind not in ("llvm", "cuda"):
        raise CnnirError(Diagnostic("C0507", f"no code generation for target `{kind}`", help="`llvm` or `cuda`"), 3)
    spec = TargetSpec(kind, found.get("mcpu"), arch or found.get("arch") or DEFAULT_ARCH, found.get("mtriple"))
    if spec.machine is not None and spec.machine not in MACHINES:
        help = alike(spec.machine, MACHINES) or f"a triple begins with {', '.join(f'`{m}`' for m in MACHINES)}, such as `aarch64-linux-gnu`"
        raise CnnirError(Diagnostic("C0507", f"no code generation for machine `{spec.machine}`", help=help), 3)
    return spec
