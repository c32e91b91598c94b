"""Reading a prototxt file, and nothing that only looks like one."""

from __future__ import annotations

from pathlib import Path

from ..files import read_regular
from .screen import MAX_CHARACTERS


def read_text(path: Path) -> str:
    """The text of a regular file; bytes that are not UTF-8, as old comments have, are U+FFFD. Raises CnnirError."""
    content = read_regular(path, 4 * MAX_CHARACTERS)
    return content.decode("utf-8", "replace").removeprefix("\ufeff")
