"""Libraries kept on disk: code that was compiled once is found again by everything that it depends on.

That is the kernels of the plan, as their keys describe them, how they are called, the target, the versions of TVM and
of this package, to the letter of its sources. Weights are not in a library, so networks that differ in them alone share one.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np

from cnnir import caches
from cnnir.diagnostics import CnnirError
from cnnir.files import write_atomically
from cnnir.scalar.expr import Expr
from cnnir.scalar.fingerprint import fingerprint

from .plan import Buffer, Plan

MOST_BYTES = 1 << 30
"""The libraries that were used last stay, as many as this holds."""
_PACKAGE = Path(caches.__file__).resolve().parent
_ROOM = Path(__file__).resolve().parent


def key(plan: Plan, target: str) -> str | None:
    """What the library of a plan for a target is kept under; None where a kernel's key says no more than where it lies in memory."""
    try:
        calls = [(_described(c.kernel), [_buffer(b) for b in c.operands], _buffer(c.output)) for c in plan.calls]
    except Undescribed:
        return None
    ports = [[_buffer(b) for b in (*plan.inputs.values(), *(c.buffer for c in plan.constants))], [b.name for b in plan.outputs.values()]]
    return _digest([target, *_versions(), calls, ports])


def find(key: str) -> bytes | None:
    """The library kept under a key, or None; one that is not what was written is as if it were not there."""
    try:
        for path in caches.folder("libraries").glob(f"{key}-*.so"):
            content = path.read_bytes()
            if path.stem.endswith(_checksum(content)):
                path.touch()
                return content
    except OSError:
        pass
    return None


def keep(key: str, content: bytes) -> None:
    """Write a library down, and drop those that were not used for longest. Where that cannot be, it is compiled again next time."""
    place = caches.folder("libraries")
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(place / f"{key}-{_checksum(content)}.so", content)
        found = sorted(((p.stat().st_mtime, p.stat().st_size, p) for p in place.glob("*.so")), reverse=True)
        total = 0
        for _, size, path in found:
            total += size
            if total > MOST_BYTES:
                path.unlink(missing_ok=True)
    except (OSError, CnnirError):
        pass


class Undescribed(Exception):
    """Something whose text does not say all that it is."""


def _described(value: object) -> object:
    """All that a part of a kernel's key is, as text; raises Undescribed. Zeros of either sign are told apart."""
    if isinstance(value, Expr):
        return fingerprint(value)
    if value is None or isinstance(value, bool | int | float | str | bytes | np.dtype | np.generic):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, tuple | list):
        return [type(value).__name__, *map(_described, cast("Sequence[object]", value))]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields: list[Any] = [f.name for f in dataclasses.fields(value)]
        return [type(value).__qualname__, *((name, _described(getattr(value, name))) for name in fields)]
    raise Undescribed(type(value).__qualname__)


def _buffer(buffer: Buffer) -> object:
    return (buffer.name, buffer.shape, buffer.dtype)


@cache
def sources() -> str:
    """A digest of this package's sources."""
    found = sorted({*_PACKAGE.rglob("*.py"), *_ROOM.rglob("*.py")})
    return _digest([hashlib.sha256(p.read_bytes()).hexdigest() for p in found])


def _versions() -> tuple[str, ...]:
    return (version("apache-tvm"), version("apache-tvm-ffi"), sources())


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _digest(parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
