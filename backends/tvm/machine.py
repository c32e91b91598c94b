"""What is known of this machine, for those who only ask: no compiler is imported."""

from __future__ import annotations

import os

from cnnir import calibration
from cnnir.calibration import Calibration
from cnnir.diagnostics import CnnirError, Diagnostic, warn

from .sweep.environment import Environment, take_note
from .targets import TargetSpec


def known(spec: TargetSpec) -> Calibration | None:
    """What was measured for a target with all cores of this machine, or None."""
    parts = _parts(spec)
    return None if parts is None else calibration.lookup(parts)


def keep(spec: TargetSpec, found: Calibration) -> None:
    """Write a measurement down; where that cannot be, warn."""
    try:
        take_note()
    except CnnirError as error:
        warn(Diagnostic("C0517", f"cannot keep what was measured: {error.diagnostics[0].message}", severity="warning"))
        return
    parts = _parts(spec)
    if parts is not None:
        calibration.keep(parts, found)


def _parts(spec: TargetSpec) -> list[str] | None:
    """None where nothing was measured here, or nothing is for such a target."""
    environment = Environment.remembered(spec)
    if environment is None:
        return None
    return [environment.target, *("=".join(v) for v in environment.versions if v[0] == "cpu"), f"threads={len(os.sched_getaffinity(0))}"]
