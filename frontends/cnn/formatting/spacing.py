"""Spaces between two tokens of a line."""

from __future__ import annotations

from .tokens import Lexeme

KEYWORDS = frozenset({"NETWORK", "BLOCK", "ACTIVATION", "WEIGHTS", "RETURN", "IN"})
OPENING = frozenset({"LPAR", "LSQB", "LBRACE"})
CLOSING = frozenset({"RPAR", "RSQB", "RBRACE"})
_SIGNS = frozenset({"PLUS", "MINUS", "TIMES", "OVER"})
_NAMES = frozenset({"NAME", "STRING"})
_BEFORE_OPERAND = frozenset({*OPENING, *_SIGNS, *(KEYWORDS - {"IN"}), "COMMA", "EQUAL", "COLON", "_ARROW"})


def is_tight(token: Lexeme, before: Lexeme | None) -> bool:
    """Whether nothing may come between the token and the next: the minus of `-x`, the star of `[...]*n`."""
    if token.kind == "TIMES":
        return before is not None and before.kind == "RSQB"
    return token.kind == "MINUS" and (before is None or before.kind in _BEFORE_OPERAND)


def gap(before: Lexeme, token: Lexeme, tight: bool, depth: int) -> int:
    """Spaces before a token; `tight`: nothing comes after the token before; `depth`: round and square brackets around it."""
    if token.kind == "COMMENT":
        return 2
    if tight or before.kind in ("LPAR", "LSQB") or token.kind in ("RPAR", "RSQB", "COMMA", "COLON"):
        return 0
    if token.kind in ("LPAR", "LSQB") and before.kind in _NAMES:
        return 0
    if "EQUAL" in (token.kind, before.kind):
        return 1 if depth == 0 else 0
    if before.kind == "RSQB" and token.kind == "TIMES":
        return 0
    return 1
