"""Chains that are the same several times over become repetitions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise

from .graph import Value
from .pieces import Leaf, Piece, Repeat, Use

PERIOD = 16
"""Most pieces in the brackets of a repetition."""


def repetitions(pieces: list[Piece], outputs: Sequence[Value]) -> None:
    """Chains that are the same several times over, with the same numbers; then the same chains where they occur once."""
    known: dict[Hashable, int] = {}
    readers: defaultdict[Value, int] = defaultdict(int)
    for value in (*outputs, *(v for piece in pieces for v in piece.operands if v is not None)):
        readers[value] += 1
    keys, period = _Keys(pieces, known, readers), 1
    while period <= min(PERIOD, len(pieces) // 2):
        found = _rounds(pieces, period, keys)
        if len(found) < len(pieces):
            pieces[:] = found
            keys = _Keys(pieces, known, readers)
        period += 1
    bodies = {b for piece in pieces if isinstance(piece, Repeat) and (b := _body(piece.copies[0])) and _large(piece.copies[0])}
    for length in sorted({len(body) for body in bodies}, reverse=True):
        pieces[:] = _once(pieces, length, bodies, readers)


def _large(body: Sequence[Piece]) -> bool:
    return len(body) > 1 or isinstance(body[0], Use)


def _body(body: Sequence[Piece]) -> tuple[Hashable, ...]:
    return tuple(piece.shape(strict=True) for piece in body)


def _once(pieces: list[Piece], length: int, bodies: set[tuple[Hashable, ...]], readers: Mapping[Value, int]) -> list[Piece]:
    """Put chains that are repeated elsewhere into repetitions of one round."""
    found: list[Piece] = []
    linked, shapes = _linked(pieces, readers), [piece.shape(strict=True) for piece in pieces]
    place = 0
    while place < len(pieces):
        body = pieces[place : place + length]
        if len(body) == length and _begins(body, linked, place) and tuple(shapes[place : place + length]) in bodies:
            found.append(Repeat([body]))
            place += length
        else:
            found.append(pieces[place])
            place += 1
    return found


class _Keys:
    """What `_rounds` asks of a sequence."""

    def __init__(self, pieces: Sequence[Piece], known: dict[Hashable, int], readers: Mapping[Value, int]) -> None:
        self.same = [known.setdefault((piece.shape(strict=False), tuple(map(str, piece.slots))), len(known)) for piece in pieces]
        self.linked = _linked(pieces, readers)


def _rounds(pieces: list[Piece], period: int, keys: _Keys) -> list[Piece]:
    """Put the repetitions of chains of `period` pieces in brackets."""
    same, linked = keys.same, keys.linked
    runs = [0] * (len(pieces) + 1)
    for place in range(len(pieces) - period - 1, -1, -1):
        if same[place] == same[place + period] and linked[place + period]:
            runs[place] = runs[place + 1] + 1
    if max(runs) < period:
        return pieces
    found: list[Piece] = []
    place = 0
    while place < len(pieces):
        times = 1 + runs[place] // period
        body = pieces[place : place + period]
        if times > 1 and _begins(body, linked, place) and not eager(body) and not any(isinstance(piece, Repeat) for piece in body):
            found.append(Repeat([pieces[place + i * period : place + (i + 1) * period] for i in range(times)]))
            place += times * period
        else:
            found.append(pieces[place])
            place += 1
    return found


def eager(pieces: Sequence[Piece]) -> bool:
    """Whether pieces begin too early: they have a heavy layer, and another one comes first."""

    def heavy(piece: Piece) -> bool:
        return piece.spelled.heavy if isinstance(piece, Leaf) else True

    return not heavy(pieces[0]) and any(map(heavy, pieces))


def _linked(pieces: Sequence[Piece], readers: Mapping[Value, int]) -> list[bool]:
    """Whether each piece reads the one before it, and nothing else does."""
    return [
        before is not None
        and _follows(piece)
        and len(before.values) == 1
        and piece.operands[0] == before.values[0]
        and readers[before.values[0]] == 1
        for before, piece in pairwise([None, *pieces])
        if piece is not None
    ]


def _follows(piece: Piece) -> bool:
    """Whether a piece may stand behind an arrow."""
    return len(piece.operands) == 1 and (not isinstance(piece, Leaf) or piece.spelled.chained)


def _begins(body: Sequence[Piece], linked: Sequence[bool], place: int) -> bool:
    """Whether the pieces from a place on are a chain, of which the first may read anything, but one value."""
    return _follows(body[0]) and all(linked[place + 1 : place + len(body)])
