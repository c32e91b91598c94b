"""The inside of a network or of a block as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from cnnir.ops.opaque import Opaque

from . import spelling
from .blocks import folded
from .graph import Value
from .payload import opaque
from .pieces import Leaf, Piece, Repeat, Slot
from .statements import Statement

WIDTH = 110
Texts = Sequence[str | None]
"""What stands for the numbers of a piece, None for one that is left out."""


class Scope:
    """Statements over some pieces. `names` are values that have one already; `name` finds one for another value."""

    def __init__(self, pieces: Sequence[Piece], texts: Sequence[Texts] | None, names: dict[Value, str], last_alone: bool) -> None:
        self._pieces = pieces
        self._texts = texts
        self._names = names
        self._last_alone = last_alone

    def lines(self, statements: Sequence[Statement], name: Callable[[Value], str]) -> list[list[str]]:
        """Each statement as its head and the steps of its chain."""
        for place, statement in enumerate(statements):
            if not (self._last_alone and place == len(statements) - 1):
                for value in self._pieces[statement.chain[-1]].values:
                    self._names[value] = name(value)
        return [self._statement(s, place == len(statements) - 1) for place, s in enumerate(statements)]

    def _statement(self, statement: Statement, last: bool) -> list[str]:
        first, *rest = statement.chain
        piece = self._pieces[first]
        head = self._operands(piece)
        if len(head) != 1 or (isinstance(piece, Leaf) and not piece.spelled.chained):
            steps = [self._leaf(piece, head, self._own(first))] if isinstance(piece, Leaf) else []
        else:
            steps = [head[0], *self._steps(piece, self._own(first))]
        begin, *chain = steps
        chain += [step for place in rest for step in self._steps(self._pieces[place], self._own(place))]
        if not (last and self._last_alone):
            targets = ", ".join(self._names[value] for value in self._pieces[statement.chain[-1]].values)
            begin = f"{targets} = {begin}"
        return [begin, *folded(chain)]

    def _own(self, place: int) -> Iterator[str | None] | None:
        """What stands for the numbers of a piece; None where they stand for themselves."""
        return None if self._texts is None else iter(self._texts[place])

    def _operands(self, piece: Piece) -> list[str]:
        return ["none" if value is None else self._names.get(value, "") for value in piece.operands]

    def _steps(self, piece: Piece, texts: Iterator[str | None] | None) -> list[str]:
        """A piece behind an arrow."""
        if isinstance(piece, Leaf):
            return [self._leaf(piece, self._operands(piece)[1:], texts)]
        if isinstance(piece, Repeat):
            return self._repeat(piece, texts)
        arguments = [text for text in (texts or map(_literal, piece.slots)) if text is not None]
        return [f"{piece.block.name}({', '.join(arguments)})" if arguments else piece.block.name]

    def _repeat(self, piece: Repeat, texts: Iterator[str | None] | None) -> list[str]:
        own = list(texts or map(_literal, piece.slots))
        rest, count = iter(own[:-1]), own[-1] or ""
        steps = [step for p in piece.copies[0] for step in self._steps(p, islice(rest, len(p.slots)))]
        return steps * int(count) if count.isdigit() else [f"[{' -> '.join(folded(steps))}]*{count}"]

    def _leaf(self, leaf: Leaf, operands: Sequence[str], texts: Iterator[str | None] | None) -> str:
        spelled = leaf.spelled
        if isinstance(leaf.layer.op, Opaque):
            return opaque(leaf.layer.op, operands, leaf.pinned)
        if texts is None and not operands and not leaf.pinned:
            return spelled.text
        own = texts or map(_literal, spelled.slots)
        chosen = [(None if a.usual else a.text) if a.number is None else next(own) for a in spelled.arguments]
        arguments = spelling.written(spelled.arguments, chosen)
        every = [*operands, *arguments] if spelled.chained else [*arguments, *operands]
        every += leaf.pinned
        called = spelling.name(spelled.called)
        return f"{called}({', '.join(every)})" if every else called


def _literal(slot: Slot) -> str | None:
    return None if slot.usual else spelling.number(slot.value)


def wrapped(pieces: Sequence[str], begin: str, goes_on: str) -> Iterator[str]:
    """A statement in lines that are not too long."""
    line = begin + pieces[0]
    for piece in pieces[1:]:
        if len(line) + len(piece) + 4 > WIDTH:
            yield line
            line = goes_on
        line += f" -> {piece}"
    yield line
