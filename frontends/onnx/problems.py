"""What is wrong with a model, gathered so that everything is said at once, each with its node."""

from __future__ import annotations

from dataclasses import dataclass, field

from cnnir.diagnostics import CnnirError, Diagnostic, Label, Source, Span

MOST = 50
"""Diagnostics shown at most: a model of another framework may have one a node."""


def refuse(code: str, message: str, span: Span | None = None, *, help: str | None = None, note: str = "", remark: str = "") -> CnnirError:
    """A diagnostic to raise."""
    return CnnirError(diagnostic(code, message, span, help=help, note=note, remark=remark))


def diagnostic(
    code: str, message: str, span: Span | None = None, *, help: str | None = None, note: str = "", remark: str = ""
) -> Diagnostic:
    """A diagnostic, at a place where there is one."""
    return Diagnostic(code, message, (Label(span, remark),) if span else (), (note,) if note else (), help)


@dataclass
class Problems:
    """The list of them."""

    found: list[Diagnostic] = field(default_factory=list[Diagnostic])

    def add(self, error: CnnirError) -> None:
        """Keep what an error says."""
        self.found.extend(error.diagnostics)

    def finish(self) -> None:
        """Raise what was found, if anything was."""
        if self.found:
            more = len(self.found) - MOST
            last = [Diagnostic(self.found[MOST].code, f"and {more} more", severity="note")] if more > 0 else []
            raise CnnirError([*self.found[:MOST], *last])


class Listing:
    """A model as lines of text, for diagnostics to point into: one line for its head, each input, and each node."""

    def __init__(self, name: str, lines: list[str]) -> None:
        clean = [line.replace("\n", " ").replace("\r", " ") for line in lines]
        self._source = Source(name, "\n".join(clean))
        self._starts: list[int] = []
        at = 0
        for line in clean:
            self._starts.append(at)
            at += len(line) + 1
        self._lengths = list(map(len, clean))

    def span(self, line: int) -> Span:
        """Line `line`, counted from 0."""
        start = self._starts[line]
        return Span(self._source, start, start + self._lengths[line])
