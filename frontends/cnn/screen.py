"""What is refused before the grammar sees it: characters that deceive, brackets that do not match, sizes beyond reason.

One pass of one regular expression: a chain of a million layers or a hundred thousand brackets ends here, quickly.
"""

from __future__ import annotations

import re
import unicodedata

from cnnir.diagnostics import CnnirError, Source, Span
from cnnir.types import MAX_RANK

from ..brackets import Brackets
from ..problems import refuse

MAX_CHARACTERS = 64 * 1024 * 1024
MAX_LAYERS = 200_000
MAX_TOKENS = 20 * MAX_LAYERS
MAX_NESTING = 1_000
MAX_NAME = 1_000
MAX_DIGITS = 400

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\f\n;]+|\#[^\n]*)|(?P<name>[A-Za-z_][A-Za-z_0-9.]*)|(?P<number>\.?[0-9][0-9.]*)|(?P<arrow>->)"""
    r"""|(?P<open>[\[({])|(?P<close>[\])}])|(?P<string>"(?:[^"\\\n]|\\[^\n])*")|(?P<sign>[-+*/=:,])"""
)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_ARROWS = ">\u2192\u21d2\u27f6"
"""Characters that look or end like an arrow."""


def describe(character: str) -> str:
    """A character as its code point and Unicode name, printable whatever it is."""
    return f"U+{ord(character):04X} {unicodedata.name(character, 'control character')}"


def screen(source: Source) -> None:
    """Raise CnnirError where the text must not reach the parser."""
    text = source.text
    if len(text) > MAX_CHARACTERS:
        message = f"the text has {len(text):,} characters; a network may have {MAX_CHARACTERS:,}"
        raise refuse("C0105", message, Span(source, 0, 1))
    forbidden = _FORBIDDEN.search(text)
    if forbidden:
        span = Span(source, forbidden.start(), forbidden.end())
        help = f"remove it; in a quoted name, write it as the escape `\\u{{{ord(forbidden.group()):x}}}`"
        raise refuse("C0102", f"the text holds {describe(forbidden.group())}, which is not allowed", span, help=help)
    _scan(source)


def _scan(source: Source) -> None:
    text, place, tokens, layers, axes = source.text, 0, 0, 0, 0
    brackets = Brackets(source, MAX_NESTING)
    before = last = ""
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _stray(source, place)
        kind, start, place = match.lastgroup, place, match.end()
        if kind == "blank":
            continue
        tokens += 1
        called = kind == "open" and last == "name" and before != "arrow" and brackets.outermost == "{"
        layers += kind == "arrow" or (called and text[start] == "(")  # of `-> conv(` the arrow counts
        before, last = last, kind or ""
        if layers > MAX_LAYERS or tokens > MAX_TOKENS:
            raise refuse(
                "C0105", f"the network is too large: more than {MAX_LAYERS:,} layers", Span(source, start, place), "the limit is here"
            )
        if kind in ("name", "string") and place - start > MAX_NAME:
            raise refuse("C0105", f"a name of {place - start:,} characters; {MAX_NAME:,} are allowed", Span(source, start, place))
        if kind == "number" and place - start > MAX_DIGITS:
            raise refuse("C0106", f"a number of {place - start:,} digits; {MAX_DIGITS} are allowed", Span(source, start, place))
        if text[start] == "," and axes:
            axes += 1
            if axes > MAX_RANK + 1:  # a comma may end the list
                raise refuse("C0210", f"a tensor has at most {MAX_RANK} axes", Span(source, start, place), "one more begins here")
        if kind == "open":
            axes = int(before == "name" and text[start] == "[")  # of a type
            brackets.open(start)
        elif kind == "close":
            axes = 0
            brackets.close(start)
    brackets.finish()


def _stray(source: Source, place: int) -> CnnirError:
    """The diagnostic for a character that begins no token."""
    character = source.text[place]
    if character == '"':
        end = source.text.find("\n", place)
        span = Span(source, place, len(source.text) if end < 0 else end)
        return refuse("C0103", "a quoted name is not closed on its line", span, help='end it with `"`')
    span = Span(source, place, place + 1)
    if character in _ARROWS:
        begin = place - (source.text[place - 1 : place] in ("=", "-"))
        written = source.text[begin : place + 1]
        return refuse("C0101", f"`{written}` is no part of the language", Span(source, begin, place + 1), help="an arrow is written `->`")
    if ord(character) < 128:
        return refuse("C0101", f"`{character}` is no part of the language", span)
    help = f'names use a-z, A-Z, 0-9 and _; put others in quotes: `"{character}"`' if character.isalnum() else None
    return refuse("C0102", f"the text holds {describe(character)} outside a quoted name", span, help=help)
