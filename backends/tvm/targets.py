"""Targets as users write them: `llvm`, `llvm -mcpu=haswell`, `cuda`, `cuda -arch=sm_90`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cnnir.diagnostics import CnnirError, Diagnostic

DEFAULT_ARCH = "sm_80"


@dataclass(frozen=True)
class TargetSpec:
    """A parsed target: `kind` is `llvm` or `cuda`; `mcpu` is for llvm, None for this CPU; `arch` is for cuda."""

    kind: str
    mcpu: str | None = None
    arch: str = DEFAULT_ARCH

    def __str__(self) -> str:
        if self.kind == "cuda":
            return f"cuda -arch={self.arch}"
        return "llvm" if self.mcpu is None else f"llvm -mcpu={self.mcpu}"


def parse_target(text: str, arch: str | None = None) -> TargetSpec:
    """Parse a target; raises CnnirError (exit code 2) for one that is malformed, 3 for a kind without code generation."""
    words = text.split()
    kind, options = (words[0], words[1:]) if words else ("", [])
    found = {m[1]: m[2] for w in options if (m := re.fullmatch(r"-(mcpu|arch)=([\w.+-]+)", w))}
    if not words or len(found) != len(options):
        help = "for instance `llvm`, `llvm -mcpu=haswell`, `cuda -arch=sm_90`"
        raise CnnirError(Diagnostic("C0507", f"malformed target `{text}`", help=help), 2)
    if kind not in ("llvm", "cuda"):
        raise CnnirError(Diagnostic("C0507", f"no code generation for target `{kind}`", help="`llvm` or `cuda`"), 3)
    return TargetSpec(kind, found.get("mcpu"), arch or found.get("arch") or DEFAULT_ARCH)
