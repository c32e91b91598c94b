"""Opening the files that users name: regular ones, and nothing that only looks like one.

A FIFO could be waited for, and a device read, for ever.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO

from cnnir.diagnostics import CnnirError, Diagnostic

USAGE = 2
"""The exit code where the command line names a file that is not there."""


def open_regular(path: Path, wrong_kind: CnnirError | None = None) -> IO[bytes]:
    """A regular file, opened for its bytes; raises CnnirError C0401 where there is none or it may not be read.

    `wrong_kind` is raised where something else than a file is there.
    """
    try:
        if not path.exists():
            raise CnnirError(Diagnostic("C0401", f"there is no file `{path}`"), USAGE)
        if not stat.S_ISREG(path.stat().st_mode):
            raise wrong_kind or CnnirError(Diagnostic("C0401", f"`{path}` is not a file"), USAGE)
        return open(path, "rb", opener=_without_waiting)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None


def _without_waiting(path: str, flags: int) -> int:
    """Open as told, also where a FIFO has taken the place of the file since."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def unreadable(path: Path, error: OSError | ValueError) -> CnnirError:
    """The diagnostic (exit code 2) for a file that the system does not give."""
    reason = getattr(error, "strerror", None) or str(error)
    return CnnirError(Diagnostic("C0401", f"`{path}` cannot be read: {reason}"), USAGE)


def read_regular(path: Path, most: int) -> bytes:
    """The bytes of a regular file of `most` bytes at most; raises CnnirError."""
    with open_regular(path) as file:
        try:
            return read_stream(file, str(path), most)
        except OSError as error:
            raise unreadable(path, error) from None


def read_stream(file: IO[bytes], name: str, most: int) -> bytes:
    """The bytes of a stream, read to its end; raises CnnirError C0105 where there are more than `most`."""
    content = file.read(most + 1)
    if len(content) > most:
        raise CnnirError(Diagnostic("C0105", f"`{name}` is larger than any network: more than {most:,} bytes"))
    return content
