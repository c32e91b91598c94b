"""A sweep as JSON and back. Numbers are written in hexadecimal: exact, and infinities are no JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnnir.facts.evidence import Swept
from cnnir.facts.lattice import Direction, Turn


def as_record(swept: Swept) -> dict[str, Any]:
    """What `from_record` reads back equal."""
    return {
        "valley": _turn(swept.direction.valley),
        "peak": _turn(swept.direction.peak),
        "dtype": swept.dtype,
        "target": swept.target,
        "range": [swept.lo.hex(), swept.hi.hex()],
        "inputs": swept.inputs,
        "violations": swept.violations,
        "first": _numbers(swept.first),
        "last": None if swept.last is None else swept.last.hex(),
        "bound": swept.bound.hex(),
        "nan": _numbers(swept.nan),
        "zeros_agree": swept.zeros_agree,
        "versions": [list(v) for v in swept.versions],
        "seconds": round(swept.seconds, 3),
    }


def from_record(record: Mapping[str, Any]) -> Swept:
    """Raises ValueError, KeyError, TypeError or AttributeError for what is no record of a sweep."""
    lo, hi = map(float.fromhex, record["range"])
    last, bound = record["last"], float.fromhex(record["bound"])
    inputs, violations = int(record["inputs"]), int(record["violations"])
    first, nan = _pair(record["first"]), _pair(record["nan"])
    agree = bool(record["zeros_agree"])
    clean = first is None and nan is None and agree
    if not (lo <= hi and inputs > 0 and violations >= 0 and bound >= 0) or (violations == 0) != clean:
        raise ValueError("a sweep that contradicts itself")
    return Swept(
        direction=Direction(_turning(record["valley"]), _turning(record["peak"])),
        dtype=str(record["dtype"]),
        target=str(record["target"]),
        lo=lo,
        hi=hi,
        inputs=inputs,
        violations=violations,
        first=first,
        last=None if last is None else float.fromhex(last),
        bound=bound,
        nan=nan,
        zeros_agree=agree,
        versions=tuple((str(name), str(version)) for name, version in record["versions"]),
        seconds=float(record["seconds"]),
    )


def _numbers(values: Sequence[float] | None) -> list[str] | None:
    return None if values is None else [float(v).hex() for v in values]


def _turn(turn: Turn | None) -> list[str] | None:
    return turn and _numbers((turn.until, turn.since))


def _pair(written: Sequence[str] | None) -> tuple[float, float] | None:
    if written is None:
        return None
    a, b = map(float.fromhex, written)
    return a, b


def _turning(written: Sequence[str] | None) -> Turn | None:
    pair = _pair(written)
    return None if pair is None else Turn(*pair)
