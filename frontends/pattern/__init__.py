"""Text of `cnnc find` -> pattern: `[[CONV -> ACT]*N -> POOL?]*M`."""

from __future__ import annotations

from typing import Any

from lark import Token, Transformer

from cnnir.diagnostics import Label, Source, Span
from cnnir.find.pattern import Choice, Pattern, Repeat, Sequence, Word

from ..phrase import parse_phrase, refuse, span_of

__all__ = ["MAX_TIMES", "parse"]

MAX_TIMES = 1_000
"""Greatest number of times in `*3`."""

Children = list[Any]


def parse(text: str, name: str = "<pattern>") -> Pattern:
    """The pattern that a text describes; raises CnnirError, exit code 2, where it is none."""
    source = Source(name, text)
    return parse_phrase(source, "pattern", _Builder(source))


class _Builder(Transformer[Token, Pattern]):
    """One method a rule of the grammar."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._names: dict[str, Span] = {}

    def start(self, children: Children) -> Pattern:
        return children[0]

    def choice(self, children: Children) -> Pattern:
        return children[0] if len(children) == 1 else Choice(tuple(children))

    def sequence(self, children: Children) -> Pattern:
        return children[0] if len(children) == 1 else Sequence(tuple(children))

    def word(self, children: Children) -> Word:
        return Word(str(children[0]), span_of(self._source, children[0]))

    def repeated(self, children: Children) -> Pattern:
        body, suffix = children
        return body if suffix is None else Repeat(body, *suffix)

    def optional(self, children: Children) -> tuple[int, int]:
        return 0, 1

    def star(self, children: Children) -> tuple[int, None]:
        return 0, None

    def counted(self, children: Children) -> tuple[int, None, str, Span]:
        name, span = str(children[0]), span_of(self._source, children[0])
        if name in self._names:
            first = Label(self._names[name], "first counted here", primary=False)
            raise refuse("C0306", f"two repetitions are counted as `{name}`", span, "", "give one of them another name", first)
        self._names[name] = span
        return 0, None, name, span

    def times(self, children: Children) -> tuple[int, int]:
        digits, span = str(children[0]), span_of(self._source, children[0])
        if len(digits) > 9 or int(digits) > MAX_TIMES:
            raise refuse(
                "C0105", f"a pattern repeats at most {MAX_TIMES:,} times by number", span, help="`*` and `*N` are any number of times"
            )
        return int(digits), int(digits)
