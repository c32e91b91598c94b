"""Tokens -> lines: a statement begins a line, and so does whatever the writer put on a line of its own inside it."""

from __future__ import annotations

from .line import INDENT, WIDTH, Line, Piece, Statement
from .spacing import CLOSING, OPENING, gap, is_tight
from .tokens import Lexeme

_FARTHEST = 40
"""Arrows further right than this do not draw the lines below them along."""


class Layout:
    """One text. `lines()` may be asked for once."""

    def __init__(self, tokens: list[Lexeme]) -> None:
        self._tokens = tokens
        self._found: list[Line] = []
        self._line = Line()
        self._body = 0  # bodies around: 0 or 1
        self._bodies: list[bool] = []  # of each open brace, whether it holds a body
        self._brackets: list[int] = []  # of each open bracket in the statement, the indentation of the line that opened it
        self._statement = Statement(0)
        self._arrows = 0
        self._equals = 0
        self._one_line = False  # the body that is open is kept on its network's line
        self._header = False  # the statement is a network, block or listing whose body has not begun

    def lines(self) -> list[Line]:
        """The lines, none of them wrapped or aligned yet."""
        before: Lexeme | None = None
        tight = False
        for place, token in enumerate(self._tokens):
            after = (
                next((t for t in self._tokens[place + 1 : place + 50] if t.kind != "COMMENT"), None) if token.kind == "COMMENT" else None
            )
            self._begin_line(token, before, after)
            depth = len(self._brackets) - (token.kind in ("RPAR", "RSQB"))
            space = 0
            if self._line.pieces and before is not None:
                space = self._space(before, token, tight, depth)
            self._add(token, space, place)
            if token.kind != "COMMENT":
                tight = is_tight(token, before)
                before = token
        self._flush()
        while self._found and not self._found[-1].pieces:
            self._found.pop()
        return self._found

    # -- where lines begin --------------------------------------------------------------------------------------------

    def _begin_line(self, token: Lexeme, before: Lexeme | None, after: Lexeme | None) -> None:
        inside = bool(self._brackets)
        if token.kind == "COMMENT":
            if token.newlines or (not self._found and not self._line.pieces):
                goes_on = inside or (after is not None and after.kind == "_ARROW" and before is not None)
                self._flush(blank=not goes_on and self._wants_blank(token))
                self._line = Line(self._goes_on(after) if goes_on else INDENT * self._body, statement=self._statement)
            return
        own_line = not self._line.pieces or self._line.pieces[-1].token.kind == "COMMENT"
        if inside or (token.kind == "_ARROW" and before is not None):
            if token.newlines or own_line:
                self._flush()
                self._line = Line(self._goes_on(token), statement=self._statement)
                self._statement.lines += 1
            return
        if token.kind == "RBRACE" and self._bodies and self._bodies[-1]:
            if not self._one_line and before is not None and not (before.kind == "LBRACE" and not own_line):
                self._flush()
                self._line = Line(0)
            return
        if before is not None and before.kind == "LBRACE" and self._one_line:
            return
        if before is None or token.semicolon or token.newlines or own_line or (before.kind == "LBRACE" and self._body):
            self._new_statement(token, before)

    def _new_statement(self, token: Lexeme, before: Lexeme | None) -> None:
        first = before is None or before.kind == "LBRACE"
        commented = bool(self._line.pieces) and len(self._line.pieces) == 1 and self._line.pieces[0].token.kind == "COMMENT"
        self._flush(blank=(not first or commented) and self._wants_blank(token))
        self._statement = Statement(INDENT * self._body, INDENT * (self._body + 1))
        self._line = Line(self._statement.indent, statement=self._statement)
        self._arrows = self._equals = 0
        self._header = token.kind in ("NETWORK", "BLOCK", "WEIGHTS")

    def _wants_blank(self, token: Lexeme) -> bool:
        pieces = self._line.pieces or (self._found[-1].pieces if self._found else [])
        last = next((piece.token.kind for piece in reversed(pieces) if piece.token.kind != "COMMENT"), "COMMENT")
        return token.newlines > 1 and bool(pieces) and last != "LBRACE"

    def _flush(self, blank: bool = False) -> None:
        if self._line.pieces:
            self._found.append(self._line)
        if blank:
            self._found.append(Line())
        self._line = Line(statement=self._statement)

    def _goes_on(self, token: Lexeme | None) -> int:
        """The indentation of a line that goes on with a statement."""
        if not self._brackets:
            return self._statement.goes_on
        return self._brackets[-1] + (0 if token is not None and token.kind in CLOSING else INDENT)

    # -- what a line holds --------------------------------------------------------------------------------------------

    def _space(self, before: Lexeme, token: Lexeme, tight: bool, depth: int) -> int:
        if token.kind == "LBRACE":
            return 1 if self._header and not self._brackets else 0
        if before.kind == "LBRACE" or token.kind == "RBRACE":
            body = bool(self._bodies) and self._bodies[-1]
            return int(body and not (before.kind == "LBRACE" and token.kind == "RBRACE")) if token.kind != "COMMENT" else 2
        return gap(before, token, tight, depth)

    def _add(self, token: Lexeme, space: int, place: int) -> None:
        line = self._line
        piece = Piece(token, space)
        outside = not self._brackets
        column = line.indent + line.used + space
        line.add(piece)
        if token.kind in OPENING:
            self._open(token, place)
        elif token.kind in CLOSING:
            self._close(token)
        elif token.kind == "COMMENT":
            piece.anchor = len(line.pieces) > 1
        elif outside and token.kind == "_ARROW":
            self._arrows += 1
            piece.breakable = len(line.pieces) > 1 and not self._one_line
            piece.anchor = piece.breakable and self._arrows > 1
            if self._arrows == 1 and column <= _FARTHEST and self._statement.lines == 1:
                self._statement.goes_on = column
        elif outside and token.kind == "EQUAL":
            self._equals += 1
            piece.anchor = self._equals == 1 and self._arrows == 0

    def _open(self, token: Lexeme, place: int) -> None:
        if token.kind != "LBRACE":
            self._brackets.append(self._line.indent)
            return
        body = self._header and not self._brackets
        self._bodies.append(body)
        if body:
            self._one_line = self._fits_one_line(place)
            self._body, self._header = 1, False
            self._statement = Statement(INDENT, 2 * INDENT) if self._one_line else self._statement
            self._arrows = self._equals = 0
        else:
            self._brackets.append(self._line.indent)

    def _close(self, token: Lexeme) -> None:
        if token.kind != "RBRACE":
            self._brackets.pop()
        elif self._bodies.pop():
            self._body, self._one_line = 0, False
        else:
            self._brackets.pop()

    def _fits_one_line(self, place: int) -> bool:
        """Whether the body that opens here was written on one line, holds one statement, and may stay so."""
        width = self._line.indent + self._line.used
        for token in self._tokens[place + 1 :]:
            if token.newlines or token.semicolon or token.kind == "COMMENT" or width > WIDTH:
                return False
            width += len(token.text)
            if token.kind == "RBRACE":
                return True
        return False
