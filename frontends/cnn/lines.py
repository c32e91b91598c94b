"""The line rule: which newlines end a statement."""

from __future__ import annotations

from collections.abc import Iterator

from lark import Token

_OPENING = {"LPAR", "LSQB", "LBRACE"}
_CLOSING = {"RPAR", "RSQB", "RBRACE"}


class LineRule:
    """Turns newlines and semicolons into `_SEP`, between lexer and parser.

    A newline counts unless it stands inside round or square brackets, before `->`, after `{`, before `}`, or beside
    another separator.
    """

    always_accept = ("_NEWLINE", "_SEMICOLON")

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """The tokens that the grammar sees."""
        open_brackets: list[str] = []
        pending: Token | None = None
        fresh = True  # nothing of the current body has been seen yet
        for token in stream:
            if token.type in self.always_accept:
                if token.type == "_SEMICOLON" or not (open_brackets and open_brackets[-1] != "LBRACE"):
                    pending = pending if pending is not None and pending.type == "_SEMICOLON" else token
                continue
            ends = pending is not None and (pending.type == "_SEMICOLON" or token.type != "_ARROW")
            if pending is not None and ends and not fresh and token.type != "RBRACE":
                yield Token.new_borrow_pos("_SEP", pending.value, pending)
            pending = None
            if token.type in _OPENING:
                open_brackets.append(token.type)
            elif token.type in _CLOSING and open_brackets:
                open_brackets.pop()
            fresh = token.type == "LBRACE"
            yield token
