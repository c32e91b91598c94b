"""Reading a prototxt file, and nothing that only looks like one."""

from __future__ import annotations

from pathlib import Path

from cnnir.diagnostics import CnnirError, Diagnostic

from .screen import MAX_CHARACTERS


def read_text(path: Path) -> str:
    """The text of a regular file; bytes that are not UTF-8, as old comments have, are U+FFFD. Raises CnnirError."""
    try:
        if not path.exists():
            raise CnnirError(Diagnostic("C0401", f"there is no file `{path}`"), exit_code=2)
        if not path.is_file():
            raise CnnirError(Diagnostic("C0401", f"`{path}` is not a file"), exit_code=2)
        with path.open("rb") as file:
            content = file.read(4 * MAX_CHARACTERS + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CnnirError(Diagnostic("C0401", f"`{path}` cannot be read: {reason}"), exit_code=2) from None
    if len(content) > 4 * MAX_CHARACTERS:
        raise CnnirError(Diagnostic("C0105", f"`{path}` is larger than any network: more than {4 * MAX_CHARACTERS:,} bytes"))
    return content.decode("utf-8", "replace").removeprefix("\ufeff")
