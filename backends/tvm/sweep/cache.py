"""Sweeps on disk: one small file for each, found again by everything that its result depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from cnnir.caches import folder
from cnnir.diagnostics import CnnirError, Diagnostic, warn
from cnnir.facts.evidence import Swept, fittest
from cnnir.facts.interval import Interval
from cnnir.facts.lattice import Direction
from cnnir.files import write_atomically
from cnnir.ir.spelling import expression
from cnnir.scalar.expr import Expr
from cnnir.scalar.fingerprint import fingerprint

from ..targets import TargetSpec
from .environment import Environment, take_note
from .record import as_record, from_record


@dataclass(frozen=True)
class Entry:
    """A cached sweep and the formula it is of, as text."""

    formula: str
    swept: Swept


class Cache:
    """The evidence on disk for one target: what was swept with the versions at hand. It never sweeps by itself.

    A file that cannot be read is as if it were not there, with a warning.
    """

    def __init__(self, spec: TargetSpec) -> None:
        self._environment = Environment.remembered(spec)
        self._known: dict[str, list[Swept]] = {}

    def lookup(self, expr: Expr, dtype: str, direction: Direction, domain: Interval) -> Swept | None:
        """The sweep of this formula that says most about the direction on `domain`."""
        environment = self._environment
        if environment is None:
            return None
        key = _key(expr, dtype, environment)
        if key not in self._known:
            self._known[key] = [e.swept for e in _read(key) if e.swept.versions == environment.versions_of(expr)]
        return fittest(self._known[key], direction, domain)


def keep(expr: Expr, swept: Swept) -> None:
    """Write a sweep down, and the name of this CPU with it; where that cannot be, warn."""
    key = _key(expr, swept.dtype, Environment(swept.target, swept.versions))
    name = _digest(str(swept.direction), swept.lo.hex(), swept.hi.hex())[:16]
    try:
        place = folder("sweeps")
        place.mkdir(parents=True, exist_ok=True)
        document = {"formula": expression(expr), "swept": as_record(swept)}
        write_atomically(place / f"{key}-{name}.json", json.dumps(document, indent=1).encode())
        take_note()
    except OSError as error:
        warn(Diagnostic("C0517", f"cannot keep what was swept: {error.strerror or error}", severity="warning"))
    except CnnirError as error:
        warn(Diagnostic("C0517", f"cannot keep what was swept: {error.diagnostics[0].message}", severity="warning"))


def entries() -> list[Entry]:
    """Everything in the cache, whatever the target and the versions, by formula."""
    return sorted(_read(""), key=lambda e: (e.formula, e.swept.dtype, e.swept.target, e.swept.lo, e.swept.hi))


def _read(key: str) -> Iterator[Entry]:
    try:
        paths = sorted(folder("sweeps").glob(f"{key}*.json"))
    except OSError:
        return
    for path in paths:
        try:
            found = json.loads(path.read_text("utf-8"))
            yield Entry(str(found["formula"]), from_record(found["swept"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            what = f"`{path}` is damaged, and ignored: {type(error).__name__}"
            warn(Diagnostic("C0516", what, help="delete it, and sweep again", severity="warning"))


def _key(expr: Expr, dtype: str, environment: Environment) -> str:
    return _digest(fingerprint(expr), dtype, environment.target, *map("=".join, sorted(environment.versions_of(expr))))[:32]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
