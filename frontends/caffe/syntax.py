"""Text -> tree, by the grammar in `cnnir.grammar`."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any, cast

from lark import Lark, Token, UnexpectedInput, UnexpectedToken

from cnnir.diagnostics import CnnirError, Source, Span

from ..lexer import TerminalLexer
from ..problems import refuse
from .build import callbacks
from .screen import screen
from .tree import Message

_SPELLING = {
    "NAME": "a name", "NUMBER": "a number", "STRING": "a quoted text", "COLON": "`:`", "COMMA": "`,`", "SEMICOLON": "`;`", "MINUS": "`-`",
    "LBRACE": "`{`", "RBRACE": "`}`", "LANGLE": "`<`", "RANGLE": "`>`", "LSQB": "`[`", "RSQB": "`]`", "$END": "the end of the file",
}  # fmt: skip


@functools.cache
def _parser() -> Lark:
    grammar = resources.files("cnnir.grammar").joinpath("prototxt.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer=TerminalLexer, strict=True, transformer=callbacks())


def parse_text(source: Source) -> Message:
    """The tree of a text; raises CnnirError at the first place where it is not protobuf's text format."""
    screen(source)
    try:
        return cast(Any, _parser()).parse(source.text)  # lark declares texts of an unknown kind too
    except UnexpectedInput as error:
        raise _syntax(source, error) from None


def _syntax(source: Source, error: UnexpectedInput) -> CnnirError:
    """What stands where nothing like it may stand, and what may."""
    if not isinstance(error, UnexpectedToken):  # the screen lets no character through that begins no token
        place = error.pos_in_stream or 0
        return refuse("C0101", "this is no part of a prototxt", Span(source, place, place + 1))
    token = cast(Token, error.token)
    expected = sorted(_SPELLING.get(name, f"`{name.lower()}`") for name in error.accepts or error.expected)
    listing = expected[0] if len(expected) == 1 else f"{', '.join(expected[:-1])} or {expected[-1]}"
    remark = f"expected {listing}" if len(expected) <= 5 else ""
    if token.type == "$END":
        end = len(source.text.rstrip())
        return refuse("C0101", "the text ends too early", Span(source, max(0, end - 1), max(1, end)), remark)
    start = token.start_pos or 0
    return refuse("C0101", f"`{token}` cannot stand here", Span(source, start, token.end_pos or start + 1), remark)
