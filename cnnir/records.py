"""Small JSON records of what was measured on a machine, found again by everything that they depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from .caches import folder
from .diagnostics import CnnirError, Diagnostic, warn
from .files import write_atomically


def lookup(kind: str, parts: Sequence[str]) -> Mapping[str, Any] | None:
    """What was kept under these parts, or None. A file that cannot be read is as if it were not there, with a warning."""
    path = folder(kind) / f"{_digest(parts)}.json"
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        what = f"`{path}` is damaged, and ignored: {type(error).__name__}"
        warn(Diagnostic("C0516", what, help="delete it, and measure again", severity="warning"))
        return None
    found: Any = document.get("found") if isinstance(document, dict) and document.get("of") == list(parts) else None  # type: ignore[reportUnknownMemberType]
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else None


def keep(kind: str, parts: Sequence[str], found: Mapping[str, Any]) -> None:
    """Write down what was found, as JSON knows data, and what it is of; where that cannot be, warn."""
    place = folder(kind)
    try:
        place.mkdir(parents=True, exist_ok=True)
        document = {"of": list(parts), "found": dict(found)}
        write_atomically(place / f"{_digest(parts)}.json", json.dumps(document, indent=1).encode())
    except OSError as error:
        warn(Diagnostic("C0517", f"cannot keep what was measured: {error.strerror or error}", severity="warning"))
    except CnnirError as error:
        warn(Diagnostic("C0517", f"cannot keep what was measured: {error.diagnostics[0].message}", severity="warning"))


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
