"""Protobuf's text format as a tree: messages of fields, fields of values, values with their places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "number", "word"]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value as it is written: `"conv1"`, `-1.5f`, `MAX`; `content` is its text with quotes, escapes and a suffix undone."""

    start: int
    end: int
    kind: Kind
    content: str


@dataclass(frozen=True, slots=True)
class Message:
    """What stands between braces, or the whole file."""

    start: int
    end: int
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A name with its values: one, or those of a list `[1, 2]`. `start` and `end` are the name's own."""

    start: int
    end: int
    name: str
    values: tuple[Scalar | Message, ...]
