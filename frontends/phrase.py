"""Texts of one line, such as a pattern or a pipeline: parsed by a grammar of their own, refused with a caret."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources
from typing import Any, TypeVar, cast

from lark import Lark, Token, Transformer, UnexpectedInput, UnexpectedToken
from lark.exceptions import VisitError

from cnnir.diagnostics import CnnirError, Source, Span

from . import problems

T = TypeVar("T")

MAX_CHARACTERS = 10_000
MAX_NESTING = 50
USAGE = 2
"""A phrase comes from the command line: a wrong one is wrong usage."""

_SPELLING: Mapping[str, str] = {
    "WORD": "a word", "NAME": "a name", "NUMBER": "a number", "STRING": "a quoted text", "$END": "the end", "LSQB": "`[`", "RSQB": "`]`",
    "LBRACE": "`{`", "RBRACE": "`}`", "COMMA": "`,`", "EQUAL": "`=`", "STAR": "`*`", "QMARK": "`?`", "VBAR": "`|`",
    "__ANON_0": "`->`",
}  # fmt: skip


refuse = functools.partial(problems.refuse, exit_code=USAGE)
"""A diagnostic about a place of a phrase, ready to raise."""


@functools.cache
def _parser(grammar: str) -> Lark:
    text = resources.files("cnnir.grammar").joinpath(f"{grammar}.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", lexer="basic", strict=True, propagate_positions=True)


def parse_phrase(source: Source, grammar: str, builder: Transformer[Token, T]) -> T:
    """What `builder` makes of the tree; raises CnnirError with exit code 2 where the text is not in the grammar."""
    text = source.text
    if len(text) > MAX_CHARACTERS:
        raise refuse("C0105", f"a text of {len(text):,} characters; {MAX_CHARACTERS:,} are allowed", Span(source, 0, 1))
    depth = 0
    for place, character in enumerate(text):
        depth += (character in "[{") - (character in "]}")
        if depth > MAX_NESTING:
            raise refuse("C0105", f"brackets are nested more than {MAX_NESTING} deep", Span(source, place, place + 1))
    try:
        tree = cast(Any, _parser(grammar)).parse(text)  # lark declares texts of an unknown kind too
        return cast(Any, builder).transform(tree)
    except UnexpectedInput as error:
        raise _syntax(source, error) from None
    except VisitError as error:  # lark's wrapping of what the builder refuses
        raise error.orig_exc from None


def span_of(source: Source, token: Token) -> Span:
    """The place of a token."""
    start = token.start_pos or 0
    return Span(source, start, token.end_pos or start + 1)


def _syntax(source: Source, error: UnexpectedInput) -> CnnirError:
    """What stands where nothing like it may stand, and what may."""
    if not isinstance(error, UnexpectedToken):
        place = error.pos_in_stream or 0
        return refuse("C0101", f"`{source.text[place]}` cannot stand here", Span(source, place, place + 1))
    token = cast(Token, error.token)
    expected = sorted(_SPELLING.get(name, f"`{name.lower()}`") for name in error.accepts or error.expected)
    listing = expected[0] if len(expected) == 1 else f"{', '.join(expected[:-1])} or {expected[-1]}"
    if token.type == "$END":
        end = len(source.text.rstrip())
        return refuse("C0101", "the text ends too early", Span(source, max(0, end - 1), max(1, end)), f"expected {listing}")
    return refuse("C0101", f"`{token}` cannot stand here", span_of(source, token), f"expected {listing}")
