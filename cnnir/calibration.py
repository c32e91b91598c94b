"""What a machine can do at most, measured once (`cnnc doctor --calibrate`) and kept: prices and choices are made of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from . import records
from .decisions import Site
from .ir.graph import Graph
from .price import Price, Work

RECORDS = "machines"


@dataclass(frozen=True)
class Calibration:
    """Peaks of a machine. Rates are a second's, f32."""

    threads: int
    """The threads behind `flops` and `bytes`."""
    flops: float
    """Floating-point operations of all threads, where every one is half of a vector fma on registers."""
    flops_one: float
    """The same, of one thread."""
    bytes: float
    """Bytes that all threads read from memory, in order, from a buffer larger than any cache."""
    bytes_one: float
    """The same, of one thread."""

    def memory_cycles(self, lanes: int) -> float:
        """Cycles of one core, of one vector fma each, in which a byte comes from memory while all threads read."""
        return self.threads * self.flops_one / (2 * lanes) / self.bytes


def lookup(parts: Sequence[str]) -> Calibration | None:
    """What was measured on this machine, or None."""
    found = records.lookup(RECORDS, parts)
    return None if found is None else _read(found)


def keep(parts: Sequence[str], calibration: Calibration) -> None:
    """Write a measurement down; where that cannot be, warn."""
    records.keep(RECORDS, parts, asdict(calibration))


class Seconds:
    """The price of a machine that was calibrated: every operation as one lane of a vector fma, on all threads."""

    def __init__(self, calibration: Calibration) -> None:
        self._rate = calibration.flops / 2

    def saving(self, graph: Graph, site: Site, before: Work, after: Work) -> Price:
        """Estimated seconds."""
        del graph, site
        return Price(before.operations / self._rate, after.operations / self._rate, estimated=True)


def _read(found: Mapping[str, Any]) -> Calibration | None:
    try:
        values = {f.name: float(found[f.name]) for f in fields(Calibration)}
    except (KeyError, TypeError, ValueError):
        return None
    if not all(0 < v < math.inf for v in values.values()):
        return None
    return Calibration(int(values.pop("threads")), **values)
