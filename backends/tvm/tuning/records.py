"""What tuning found, on disk: a small file a kernel, found again by the kernel's own text, the target and the version of TVM.

The files lie in one folder, the cache's or another, and may be carried to any machine with the same CPU. Where a name is
mistaken nothing goes wrong but speed: a schedule is replayed on the kernel at hand, and computes what that kernel computes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnir.caches import folder
from cnnir.diagnostics import CnnirError, Diagnostic, warn
from cnnir.files import cannot_write, write_atomically

if TYPE_CHECKING:
    from tvm.tirx import PrimFunc

SCHEMA = "cnnir.tuning/1"


@dataclass(frozen=True)
class Record:
    """The outcome of tuning one kernel for `threads` threads. `before` and `after` are seconds; `rejected` differed in a bit."""

    target: str
    layers: tuple[str, ...]
    threads: int
    trials: int
    rejected: int
    before: float
    after: float
    trace: Any = None
    """The schedule as meta schedule's JSON; None where no schedule was faster than none."""


class Records:
    """A folder of records, the cache's where none is given, for one target (`llvm -mcpu=...`)."""

    def __init__(self, target: str, place: Path | None = None) -> None:
        self.target = target
        self.place = place or folder("tuning")

    def lookup(self, function: PrimFunc) -> Record | None:
        """The record of a kernel; a damaged one is as if it were not there, with a warning."""
        path = self._path(function)
        try:
            document = json.loads(path.read_text("utf-8"))
            if document.pop("schema") != SCHEMA or document["target"] != self.target:
                raise ValueError("of another schema or target")
            return Record(**{**document, "layers": tuple(document["layers"])})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            damaged(path, error)
            return None

    def keep(self, function: PrimFunc, record: Record) -> None:
        """Write a record, whole or not at all; raises CnnirError (exit code 2) where it cannot be written."""
        write_atomically(self._path(function), json.dumps({"schema": SCHEMA, **asdict(record)}).encode())

    def prepare(self) -> None:
        """Make the folder; raises CnnirError (exit code 2) where it cannot be, before any work is done."""
        try:
            self.place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(self.place, error) from error

    def require(self) -> None:
        """Raise CnnirError (exit code 2) unless the folder is there."""
        if not self.place.is_dir():
            raise CnnirError(Diagnostic("C0401", f"there is no folder of records `{self.place}`", help="`cnnc tune -o` makes one"), 2)

    def unusable(self, function: PrimFunc, error: Exception) -> None:
        """Warn that a record's schedule cannot be replayed."""
        damaged(self._path(function), error)

    def _path(self, function: PrimFunc) -> Path:
        parts = (SCHEMA, self.target, version("apache-tvm"), str(function.script()))
        return self.place / f"{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:32]}.json"


def damaged(path: Path, error: Exception) -> None:
    """Warn of a record that cannot be read."""
    what = f"`{path}` is damaged, and ignored: {type(error).__name__}"
    warn(Diagnostic("C0516", what, help="delete it, and tune again", severity="warning"))
