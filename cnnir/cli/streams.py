"""Standard streams that fail in one way: an unwritable stdout is a diagnostic, an unwritable stderr changes nothing."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TextIO, cast

from cnnir.files import cannot_write


class ReaderGone(Exception):
    """Whoever read standard output went away, as `head` does: nothing is wrong. No OSError, which click ends with 1."""


class _Guarded(io.RawIOBase):
    """A descriptor to write to. Where it cannot be, `essential` raises once; then, or else at once, all goes nowhere."""

    def __init__(self, descriptor: int, essential: bool) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._essential = essential

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return self._descriptor >= 0 and os.isatty(self._descriptor)

    def write(self, data: memoryview, /) -> int:  # type: ignore[override]  # BufferedWriter gives nothing else
        try:
            return os.write(self._descriptor, data)
        except OSError as error:
            essential, self._essential = self._essential, False
            if essential and isinstance(error, BrokenPipeError):
                raise ReaderGone from None
            if essential:
                raise cannot_write(Path("standard output"), error) from error
            return len(data)


def guard() -> None:
    """Put guarded streams in the place of this process's standard ones."""
    opened = [_take(descriptor) for descriptor in range(3)]
    if not opened[0] or sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] - None where it was closed at the start
        sys.stdin = io.TextIOWrapper(io.BytesIO())
    sys.stdout = _text(sys.stdout, 1 if opened[1] else -1, essential=True)
    sys.stderr = _text(sys.stderr, 2 if opened[2] else -1, essential=False)


def _take(descriptor: int) -> bool:
    """Whether a descriptor is open; if not it is taken, or the next file opened would get what libraries print."""
    try:
        os.fstat(descriptor)
    except OSError:
        os.open(os.devnull, os.O_RDWR)
        return False
    return True


def _text(old: TextIO | None, descriptor: int, essential: bool) -> TextIO:
    if old is not None:
        old.flush()
    raw = _Guarded(descriptor, essential)
    encoding, errors = (old.encoding, old.errors) if old is not None else ("utf-8", "backslashreplace")
    return io.TextIOWrapper(io.BufferedWriter(cast("io.RawIOBase", raw)), encoding, errors, line_buffering=not essential or raw.isatty())
