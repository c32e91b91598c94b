"""Writing files so that no half-written one is ever seen."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from .diagnostics import CnnirError, Diagnostic


def cannot_write(path: Path, error: Exception) -> CnnirError:
    """The diagnostic (exit code 2) for a place that cannot be written to."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return CnnirError(Diagnostic("C0501", f"cannot write `{path}`: {reason}"), exit_code=2)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name beside `path` and rename it; raises CnnirError (exit code 2) where it cannot.

    A symbolic link is followed, so that the link stays and its target changes. A device or a FIFO is written into: it is
    a place that data go through, and never replaced. A file that is there keeps its mode.
    """
    try:
        place = path.resolve()
        mode = _mode(place)
        if mode is None or stat.S_ISREG(mode):
            _replace(place, content, mode)
        else:
            with os.fdopen(os.open(place, os.O_WRONLY), "wb") as file:  # never creates and never truncates; a folder is refused
                file.write(content)
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links is a RuntimeError, a NUL in a name a ValueError
        raise cannot_write(path, error) from error


def _mode(path: Path) -> int | None:
    """Kind and permissions of what is at a path; None where nothing is."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _replace(path: Path, content: bytes, mode: int | None) -> None:
    temporary = path.with_name(f".cnnir-{secrets.token_hex(8)}")  # short: a name may be as long as the system allows
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:  # as the umask says
            file.write(content)
        if mode is not None:
            temporary.chmod(stat.S_IMODE(mode))
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
