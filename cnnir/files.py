"""Writing files so that no half-written one is ever seen."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from .diagnostics import CnnirError, Diagnostic


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name beside `path` and rename it; raises CnnirError (exit code 2) where it cannot.

    A symbolic link is followed, so that the link stays and its target changes.
    """
    path = path.resolve() if path.is_symlink() else path
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise CnnirError(Diagnostic("C0501", f"cannot write `{path}`: {error.strerror}"), exit_code=2) from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise CnnirError(Diagnostic("C0501", f"cannot write `{path}`: {error.strerror}"), exit_code=2) from error
        raise
