"""The tokens of a text with its comments, and how many lines lie between them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any, cast

from lark import Lark, Token

from cnnir.diagnostics import Source

from ..lines import LineRule


@dataclass(frozen=True)
class Lexeme:
    """A token or comment: its kind in the grammar, what stands before it, and where it stood in its line."""

    kind: str
    text: str
    newlines: int
    """Line ends between the last lexeme and this one."""
    semicolon: bool
    """Whether a semicolon stood there."""
    gap: int
    """Characters between the last lexeme of the same line and this one."""
    line: int
    column: int


class _Everything:
    """Lets the line ends through that `LineRule` would turn into separators."""

    always_accept = LineRule.always_accept

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """The tokens as they are."""
        return stream


@functools.cache
def _lexer(comments: bool) -> Lark:
    """A lexer that gives comments and blanks too, or not. One each: lark's `dont_ignore` makes a lexer at every call."""
    grammar = resources.files("cnnir.grammar").joinpath("cnn.lark").read_text(encoding="utf-8")
    if comments:
        grammar = "\n".join(line for line in grammar.splitlines() if not line.startswith("%ignore"))
    return Lark(grammar, parser=None, lexer="basic", postlex=_Everything())


def _lex(text: str, comments: bool) -> Iterator[Token]:
    return cast(Any, _lexer(comments)).lex(text)


def tokens(source: Source) -> list[Lexeme]:
    """The lexemes of a text that is in the language."""
    found: list[Lexeme] = []
    newlines, semicolon, end = 0, False, 0
    for token in _lex(source.text, comments=True):
        if token.type == "_NEWLINE":
            newlines += token.count("\n")  # a token takes all blank lines that follow
        elif token.type == "_SEMICOLON":
            semicolon = True
        elif token.type != "BLANK":
            start = token.start_pos or 0
            line, column = source.position(start)
            found.append(Lexeme(token.type, str(token).rstrip(), newlines, semicolon, start - end, line, column))
            newlines, semicolon = 0, False
            end = start + len(str(token).rstrip())
    return found


def significant(source: Source) -> list[tuple[str, str]]:
    """What the parser sees of a text: it alone decides what the text means."""
    seen = LineRule().process(_lex(source.text, comments=False))
    return [(token.type, "" if token.type == "_SEP" else str(token)) for token in seen]
