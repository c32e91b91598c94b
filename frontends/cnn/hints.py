"""What was probably meant where the grammar knows nothing like it: a way out for the commonest slips."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lark import Token

from cnnir.diagnostics import Source

from .problems import alike

ITEMS = ("network", "block", "activation", "weights")
"""Words that an item begins with."""
_WORDS = frozenset(word.upper() for word in (*ITEMS, "return", "in"))
_SIGNS = {
    "==": "a value is given its name with one `=`",
    "**": "write `x*x` for a square, and `[relu]*2` for a chain twice over",
    "//": "a comment begins with `#`",
    "/*": "a comment begins with `#`",
}
"""Pairs of signs that other languages have."""


def hint(source: Source, token: Token, expected: Sequence[str]) -> str | None:
    """The help line for a token that cannot stand where it does; None where nothing is near."""
    if token.type in _WORDS:
        return f'`{token}` is a word of the language; to use it as a name, quote it: `"{token}"`'
    start = token.start_pos or 0
    for begin in (start - 1, start):
        if source.text[max(0, begin) : begin + 2] in _SIGNS:
            return _SIGNS[source.text[begin : begin + 2]]
    if token.type == "NAME" and "`network`" in expected:
        return alike(str(token), ITEMS)
    return _between(source.text, start, token)


def _between(text: str, start: int, token: Token) -> str | None:
    """Two words in a row: the first may be a misspelt keyword, or an arrow is missing between them."""
    line = text[text.rfind("\n", 0, start) + 1 : start]
    before = re.search(r"(?:^|[{;=>\s])([A-Za-z_][A-Za-z_0-9.]*)[ \t]+$", line[-200:])
    if before is None or token.type not in ("NAME", "STRING"):
        return None
    word, after = before.group(1), text[start + len(token) :].lstrip(" \t")[:1] if len(token) < 200 else ""
    if near := alike(word, ("return",)):
        return near
    return None if after in ("=", ",", ":") else f"data go along arrows: `{word} -> {str(token)[:40]}`"
