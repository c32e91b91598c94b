"""Patterns as frozen data: regular expressions whose letters are layers."""

from __future__ import annotations

from dataclasses import dataclass, field

from cnnir.diagnostics import Span


@dataclass(frozen=True)
class Word:
    """One layer: of a class (`CONV`), or of an op or activation by its name (`relu`)."""

    text: str
    span: Span = field(repr=False, compare=False)


@dataclass(frozen=True)
class Sequence:
    """One after another: `a -> b`."""

    items: tuple[Pattern, ...]


@dataclass(frozen=True)
class Choice:
    """One of several: `a | b`; where both go equally far, the first."""

    items: tuple[Pattern, ...]


@dataclass(frozen=True)
class Repeat:
    """`body?`, `body*3`, `body*` or `body*N`; `most` is None for any number, `name` is what the number is reported as."""

    body: Pattern
    least: int = 0
    most: int | None = None
    name: str = ""
    span: Span | None = field(default=None, repr=False, compare=False)


Pattern = Word | Sequence | Choice | Repeat
