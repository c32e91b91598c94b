"""Every runtime by name. A new one is a file with `RUNTIMES` beside this one, and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from cnnir.diagnostics import CnnirError, Diagnostic

from . import mnn, ncnn, onnxruntime, openvino
from .session import Runtime

RUNTIMES: Mapping[str, Runtime] = {r.name: r for r in (*onnxruntime.RUNTIMES, *openvino.RUNTIMES, *ncnn.RUNTIMES, *mnn.RUNTIMES)}
"""Name -> runtime, installed or not."""


def runtime(name: str) -> Runtime:
    """The runtime called `name`; raises CnnirError (exit code 2) where there is none."""
    if name not in RUNTIMES:
        help = f"the runtimes are {', '.join(RUNTIMES)}"
        raise CnnirError(Diagnostic("C0710", f"no runtime is called `{name}`", help=help), exit_code=2)
    return RUNTIMES[name]


def variants(name: str) -> list[str]:
    """The ways to run one: `onnxruntime` stands for all its variants; raises CnnirError (exit code 2) for an unknown name."""
    return [n for n, r in RUNTIMES.items() if r.package == runtime(name).package] if runtime(name).package == name else [name]


def usual(name: str) -> str:
    """The variant that a runtime is unless told otherwise; raises CnnirError (exit code 2) for an unknown name."""
    return {"onnxruntime": "onnxruntime-spinning"}.get(runtime(name).name, name)
