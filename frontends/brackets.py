"""Brackets of a text, matched as they come: one pass, no recursion, and a limit of how deep they nest."""

from __future__ import annotations

from cnnir.diagnostics import Label, Source, Span

from .problems import refuse

_PARTNER = {")": "(", "]": "[", "}": "{", ">": "<"}


class Brackets:
    """The brackets that are open at a place of a text.

    `most` is how many may be, and `what` is what they are called where there are more. Each method raises CnnirError.
    """

    def __init__(self, source: Source, most: int, what: str = "brackets") -> None:
        self._source = source
        self._most = most
        self._what = what
        self._opened: list[int] = []

    @property
    def outermost(self) -> str:
        """The bracket around all others; an empty text where none is open."""
        return self._source.text[self._opened[0]] if self._opened else ""

    def open(self, at: int) -> None:
        """Take the opening bracket at an offset; C0105 where it is one too many."""
        self._opened.append(at)
        if len(self._opened) > self._most:
            raise refuse("C0105", f"{self._what} are nested more than {self._most:,} deep", self._span(at))

    def close(self, at: int) -> None:
        """Match the closing bracket at an offset with the last opening one; C0104 where they are no pair."""
        closing, span = self._source.text[at], self._span(at)
        if not self._opened:
            raise refuse("C0104", f"`{closing}` closes nothing", span)
        start = self._opened.pop()
        opening = self._source.text[start]
        if opening != _PARTNER[closing]:
            begun = Label(self._span(start), "opened here", primary=False)
            raise refuse("C0104", f"`{closing}` does not close `{opening}`", span, "", None, begun)

    def finish(self) -> None:
        """The text ends here; C0104 where a bracket is open."""
        if self._opened:
            last = self._opened[-1]
            raise refuse("C0104", f"`{self._source.text[last]}` is never closed", self._span(last), "opened here")

    def _span(self, at: int) -> Span:
        return Span(self._source, at, at + 1)
