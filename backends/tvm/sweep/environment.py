"""What a sweep holds for: the target, and everything that what is compiled for it depends on.

LLVM alone knows what it calls this CPU, and asking it takes the compiler, which a proof must not wait for. So whoever
sweeps notes the answer, and whoever only asks what has been swept reads the note. Without one, nothing has been swept here.
"""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from cnnir.caches import folder
from cnnir.facts.upgrade import library
from cnnir.files import cannot_write, write_atomically
from cnnir.scalar.expr import Expr

from ..targets import TargetSpec

_ROOM = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Environment:
    """A target with its CPU named, and versions by name."""

    target: str
    versions: tuple[tuple[str, str], ...]

    @classmethod
    def examined(cls, spec: TargetSpec) -> Environment:
        """As the compiler says; raises ValueError for a CPU that LLVM does not know."""
        from tvm.target import codegen

        from ..target import llvm_target

        found = {"mcpu": str(llvm_target(spec).attrs["mcpu"]), "llvm": str(codegen.llvm_version_major())}
        return cls(str(TargetSpec("llvm", found["mcpu"])), (("llvm", found["llvm"]), *_versions()))

    @classmethod
    def remembered(cls, spec: TargetSpec) -> Environment | None:
        """As noted when something was swept here; None where nothing was, or for a target that is not swept for."""
        if spec.kind != "llvm" or spec.foreign:
            return None
        try:
            found = json.loads(_note().read_text("utf-8"))
            return cls(f"llvm -mcpu={spec.mcpu or found['mcpu']}", (("llvm", str(found["llvm"])), *_versions()))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def versions_of(self, expr: Expr) -> tuple[tuple[str, str], ...]:
        """The versions that the code of a formula depends on: not that of the C library where it calls none."""
        return tuple(v for v in self.versions if v[0] not in ("libm", "cpu") or library(expr))


def take_note() -> None:
    """Note what LLVM calls this CPU; raises CnnirError where the cache cannot be written."""
    from tvm.target import codegen

    found = {"mcpu": str(codegen.llvm_get_system_cpu()), "llvm": str(codegen.llvm_version_major())}
    note = _note()
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(note.parent, error) from error
    write_atomically(note, json.dumps(found).encode())


def _note() -> Path:
    return folder("hosts") / f"{_cpu()}-{version('apache-tvm')}.json"


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    """The C library picks its functions by the CPU it runs on, whatever the target is: so that counts with it."""
    return (("tvm", version("apache-tvm")), ("kernels", _sources()), ("libm", _libm()), ("cpu", _cpu()))


def _libm() -> str:
    return " ".join(platform.libc_ver()).strip() or platform.platform()


@cache
def _cpu() -> str:
    """A digest of the CPU's name and features, as far as the system tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    wanted = ("vendor_id", "cpu family", "model", "model name", "flags", "Features", "CPU part")
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines) if key.strip() in wanted}
    return _digest(platform.machine(), platform.processor(), *(f"{k}={v}" for k, v in sorted(told.items())))


@cache
def _sources() -> str:
    """A digest of the modules that say how elementwise code is made."""
    modules = [
        _ROOM / "scalar.py",
        _ROOM / "target.py",
        _ROOM / "build.py",
        _ROOM / "plain_regions.py",
        *sorted((_ROOM / "kernels").glob("*.py")),
    ]
    return _digest(*(path.read_text("utf-8") for path in modules))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
