"""What must not reach the parser: stray characters, open strings, brackets that do not match, sizes beyond reason.

One pass of one regular expression: 10^5 nested messages end here, quickly.
"""

from __future__ import annotations

import re

from cnnir.diagnostics import CnnirError, Source, Span

from ..brackets import Brackets
from ..problems import refuse

MAX_CHARACTERS = 16 * 1024 * 1024
MAX_TOKENS = 2_000_000
MAX_NESTING = 100
"""Protobuf's own limit; Caffe's messages nest 5 deep."""
MAX_TOKEN = 1_000

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n\f\v]+|\#[^\n]*)|(?P<word>[A-Za-z_][A-Za-z_0-9]*)|(?P<number>\.?[0-9](?:[eE][+-]|[0-9A-Za-z.])*)"""
    r"""|(?P<open>[{<\[])|(?P<close>[}>\]])|(?P<string>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*')|(?P<sign>[-:,;])"""
)
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?[fF]?)")


def screen(source: Source) -> None:
    """Raise CnnirError where the text is not made of the format's tokens, properly nested and of a sensible size."""
    text, place, tokens = source.text, 0, 0
    if len(text) > MAX_CHARACTERS:
        raise refuse("C0105", f"the text has {len(text):,} characters; a network may have {MAX_CHARACTERS:,}", Span(source, 0, 1))
    brackets = Brackets(source, MAX_NESTING, "messages")
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _stray(source, place)
        kind, start, place = match.lastgroup, place, match.end()
        if kind == "blank":
            continue
        tokens += 1
        if tokens > MAX_TOKENS:
            raise refuse("C0105", f"the text is too large: more than {MAX_TOKENS:,} words and signs", Span(source, start, place))
        if kind == "open":
            brackets.open(start)
        elif kind == "close":
            brackets.close(start)
        elif place - start > MAX_TOKEN:
            raise refuse("C0105", f"a {kind} of {place - start:,} characters; {MAX_TOKEN:,} are allowed", Span(source, start, place))
        elif kind == "number" and not _NUMBER.fullmatch(text, start, place):
            raise refuse("C0106", f"`{text[start:place]}` is not a number", Span(source, start, place))
    brackets.finish()


def _stray(source: Source, place: int) -> CnnirError:
    """The diagnostic for a character that begins no token."""
    character, span = source.text[place], Span(source, place, place + 1)
    if character in "\"'":
        end = source.text.find("\n", place)
        return refuse("C0103", "a text is not closed on its line", Span(source, place, len(source.text) if end < 0 else end))
    if character == "\N{REPLACEMENT CHARACTER}":
        return refuse("C0107", "the text is not UTF-8 here", span, help="save it as UTF-8")
    if ord(character) < 32 or ord(character) > 126:
        return refuse("C0102", f"the text holds U+{ord(character):04X} outside a quoted text or a comment", span)
    slashes = source.text.startswith(("//", "/*"), place)
    return refuse("C0101", f"`{character}` is no part of a prototxt", span, help="a comment begins with `#`" if slashes else None)
