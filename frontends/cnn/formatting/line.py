"""Lines on their way to text."""

from __future__ import annotations

from dataclasses import dataclass, field

from .tokens import Lexeme

WIDTH = 120
INDENT = 4


@dataclass
class Piece:
    """A token in a line: the spaces before it, and those added to put it below its like."""

    token: Lexeme
    gap: int
    breakable: bool = False
    """An arrow of a statement's own chain, before which a line may end."""
    anchor: bool = False
    """Whether it may be put below its like in the next line."""
    pad: int = 0


@dataclass
class Statement:
    """What the lines of one statement share: where it begins, and how far in its lines go on."""

    indent: int
    goes_on: int = 0
    lines: int = 1
    wrapped: bool = False


@dataclass
class Line:
    """One line: its indentation and its tokens. Without tokens it is blank."""

    indent: int = 0
    pieces: list[Piece] = field(default_factory=list[Piece])
    statement: Statement = field(default_factory=lambda: Statement(0))
    used: int = 0
    """Characters of the tokens with the spaces between them, as they were added."""

    def add(self, piece: Piece) -> None:
        """Put a token at the end."""
        self.pieces.append(piece)
        self.used += piece.gap + len(piece.token.text) if piece.token.kind != "COMMENT" else 0

    def column(self, place: int) -> int:
        """Where the piece at `place` begins."""
        return (
            self.indent
            + sum(p.gap + p.pad + len(p.token.text) for p in self.pieces[:place])
            + self.pieces[place].gap
            + self.pieces[place].pad
        )

    def width(self) -> int:
        """Characters, a comment at the end not counted."""
        return self.indent + sum(p.gap + p.pad + len(p.token.text) for p in self.pieces if p.token.kind != "COMMENT")

    def text(self) -> str:
        """The line as text."""
        return " " * self.indent * bool(self.pieces) + "".join(" " * (p.gap + p.pad) + p.token.text for p in self.pieces)
