"""Diagnostics as frozen data: what is wrong, where the user wrote it, and what would fix it."""

from __future__ import annotations

import bisect
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, eq=False)
class Source:
    """A text that spans point into: its display name (a file name) and its content."""

    name: str
    text: str

    @cached_property
    def line_starts(self) -> list[int]:
        """Offset of the first character of each line."""
        return [0, *(i + 1 for i, c in enumerate(self.text) if c == "\n")]

    def position(self, offset: int) -> tuple[int, int]:
        """The 1-based (line, column) of a character offset."""
        line = bisect.bisect_right(self.line_starts, offset) - 1
        return line + 1, offset - self.line_starts[line] + 1

    def line(self, number: int) -> str:
        """The text of 1-based line `number`, without its newline."""
        start = self.line_starts[number - 1]
        end = self.line_starts[number] if number < len(self.line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of character offsets in a source."""

    source: Source
    start: int
    end: int

    @property
    def location(self) -> str:
        """`file:line:column` of the first character."""
        line, column = self.source.position(self.start)
        return f"{self.source.name}:{line}:{column}"

    @property
    def text(self) -> str:
        """The characters that the span covers."""
        return self.source.text[self.start : self.end]


@dataclass(frozen=True)
class Label:
    """A span with a remark; the primary label is underlined with `^`, the others with `-`."""

    span: Span
    text: str = ""
    primary: bool = True


@dataclass(frozen=True)
class Diagnostic:
    """One message that stands alone. `code` is a key of `cnnir.codes.CODES`."""

    code: str
    message: str
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None
    severity: Severity = "error"


class CnnirError(Exception):
    """The model, an option or the environment is not acceptable; carries at least one diagnostic.

    `exit_code` is what the command line ends with: 1 model rejected, 2 usage, 3 target or tool-chain unavailable.
    """

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic], exit_code: int = 1) -> None:
        found = (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        super().__init__("\n".join(f"{d.severity}[{d.code}]: {d.message}" for d in found))
        self.diagnostics = found
        self.exit_code = exit_code


class CnnirWarning(UserWarning):
    """Something to know that stops nothing; carries a diagnostic."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}")
        self.diagnostic = diagnostic


def warn(diagnostic: Diagnostic) -> None:
    """Warn in Python's way; the command line shows the diagnostic."""
    warnings.warn(CnnirWarning(diagnostic), stacklevel=2)


def nearest(word: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The known word that is written most like this one, if any is near enough: what was probably meant."""
    from difflib import get_close_matches  # loaded where something is wrong

    close = get_close_matches(word[:100], list(known), 1, likeness)
    return close[0] if close else None


def alike(word: str, known: Iterable[str]) -> str | None:
    """A help line naming the known word that looks most like this one."""
    near = nearest(word, known)
    return f"did you mean `{near}`?" if near else None


class OpError(Exception):
    """An op refuses its attributes or input types; whoever knows the place turns it into a `CnnirError`.

    `slot` is the input at fault, where there is one.
    """

    def __init__(self, code: str, message: str, *, help: str | None = None, remark: str = "", slot: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.help = help
        self.remark = remark
        self.slot = slot


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a layer comes from: the place the user wrote it, and the rule that made it, if one did."""

    span: Span | None = field(default=None, compare=False)
    made_by: str = ""
