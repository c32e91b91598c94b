"""Text -> AST, by the grammar in `cnnir.grammar`."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources
from threading import Lock
from typing import Any, cast

from lark import Lark, Token, UnexpectedInput, UnexpectedToken

from cnnir.diagnostics import CnnirError, Diagnostic, Label, Source, Span

from ..lexer import TerminalLexer
from .ast import File
from .build import Builder
from .hints import hint
from .lines import LineRule
from .screen import screen

_SPELLING = {
    "_SEP": "a new line", "_ARROW": "`->`", "NAME": "a name", "NUMBER": "a number", "STRING": "a quoted name",
    "$END": "the end of the file",
    "LPAR": "`(`", "RPAR": "`)`", "LSQB": "`[`", "RSQB": "`]`", "LBRACE": "`{`", "RBRACE": "`}`", "COMMA": "`,`", "COLON": "`:`",
    "EQUAL": "`=`", "PLUS": "`+`", "MINUS": "`-`", "TIMES": "`*`", "OVER": "`/`",
}  # fmt: skip


@dataclass(frozen=True)
class _Parser:
    """The parser, and what it calls for every rule: that knows one text at a time."""

    lark: Lark
    builder: Builder
    alone: Lock


@functools.cache
def _parser() -> _Parser:
    grammar = resources.files("cnnir.grammar").joinpath("cnn.lark").read_text(encoding="utf-8")
    builder = Builder()
    return _Parser(
        Lark(grammar, parser="lalr", lexer=TerminalLexer, strict=True, postlex=LineRule(), transformer=builder.callbacks()), builder, Lock()
    )


def parse_file(source: Source) -> File:
    """The AST of a text; raises CnnirError at the first place where it is not in the language."""
    screen(source)
    parser = _parser()
    with parser.alone:
        parser.builder.source = source
        try:
            return cast(Any, parser.lark).parse(source.text)  # lark declares texts of an unknown kind too
        except UnexpectedInput as error:
            raise CnnirError(_syntax(source, error)) from None


def _syntax(source: Source, error: UnexpectedInput) -> Diagnostic:
    """What stands where nothing like it may stand, and what may."""
    if not isinstance(error, UnexpectedToken):  # the screen lets no character through that begins no token
        place = error.pos_in_stream or 0
        return Diagnostic("C0101", "this is no part of the language", (Label(Span(source, place, place + 1)),))
    token = cast(Token, error.token)
    expected = sorted(_spell(name) for name in error.accepts or error.expected)
    if token.type == "$END":
        end = len(source.text.rstrip())
        span, found = Span(source, max(0, end - 1), end), "the text ends too early"
    else:
        start = token.start_pos or 0
        span = Span(source, start, token.end_pos or start + 1)
        found = "the statement ends too early" if token.type == "_SEP" else f"`{token}` cannot stand here"
        if token.type == "_ARROW":
            found = "`->` cannot stand here"
    listing = expected[0] if len(expected) == 1 else f"{', '.join(expected[:-1])} or {expected[-1]}"
    return Diagnostic(
        "C0101", found, (Label(span, f"expected {listing}" if len(expected) <= 5 else ""),), help=hint(source, token, expected)
    )


def _spell(terminal: str) -> str:
    return _SPELLING.get(terminal, f"`{terminal.lower()}`")
