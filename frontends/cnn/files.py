"""Reading a `.cnn` file, and nothing that only looks like one."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from cnnir.diagnostics import CnnirError, Diagnostic, Label, Source, Span

from .. import files
from .screen import MAX_CHARACTERS


def read_text(path: Path) -> str:
    """The text of a regular UTF-8 file; raises CnnirError for anything else."""
    return decode(files.read_regular(path, 4 * MAX_CHARACTERS), str(path))


def read_stream(file: IO[bytes], name: str) -> str:
    """The text of a stream, read to its end or to the size that no network has; raises CnnirError."""
    return decode(files.read_stream(file, name, 4 * MAX_CHARACTERS), name)


def decode(content: bytes, name: str) -> str:
    """UTF-8 bytes as text; raises CnnirError at the first byte that is not."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        readable = content[: error.start].decode("utf-8")
        line = readable + "\N{REPLACEMENT CHARACTER}"
        source = Source(name, line)
        label = Label(Span(source, len(readable), len(line)), f"byte 0x{content[error.start]:02x}")
        raise CnnirError(Diagnostic("C0107", "the text is not UTF-8", (label,), help="save it as UTF-8")) from None
