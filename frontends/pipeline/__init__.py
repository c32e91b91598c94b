"""Text of `cnnc opt -p` -> passes to make: `place{place=always},dce`."""

from __future__ import annotations

from typing import Any

from lark import Token, Transformer

from cnnir.diagnostics import Source
from cnnir.pipeline import Option, PassCall

from ..phrase import parse_phrase, span_of

__all__ = ["parse"]

Children = list[Any]


def parse(text: str, name: str = "<pipeline>") -> tuple[PassCall, ...]:
    """The passes that a text names; raises CnnirError, exit code 2, where it is no pipeline."""
    source = Source(name, text)
    return parse_phrase(source, "pipeline", _Builder(source))


class _Builder(Transformer[Token, tuple[PassCall, ...]]):
    """One method a rule of the grammar."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source

    def start(self, children: Children) -> tuple[PassCall, ...]:
        return tuple(children)

    def call(self, children: Children) -> PassCall:
        name, *options = children
        return PassCall(str(name), span_of(self._source, name), tuple(option for option in options if option is not None))

    def option(self, children: Children) -> Option:
        key, (value, token) = children
        return Option(str(key), value, span_of(self._source, key), span_of(self._source, token))

    def word(self, children: Children) -> tuple[str, Token]:
        return str(children[0]), children[0]

    def number(self, children: Children) -> tuple[int | float, Token]:
        text = str(children[0])
        return int(text) if text.lstrip("-").isdigit() and len(text) < 20 else float(text), children[0]

    def string(self, children: Children) -> tuple[str, Token]:
        return str(children[0])[1:-1], children[0]
