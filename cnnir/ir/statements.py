"""Pieces -> statements: chains as long as they go, in the order of the layers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass

from .graph import Value
from .pieces import Leaf, Piece


@dataclass(slots=True)
class Statement:
    """A chain, by the places of its pieces; `named` where others read what it makes."""

    chain: list[int]
    named: bool


def statements(pieces: Sequence[Piece], kept: Set[Value]) -> list[Statement]:
    """The statements of a sequence whose pieces come after what they read; `kept` are values that need a name, whoever reads them.

    A chain goes on into a piece that reads other values too, unless one of those is made after the chain began: then each gets a
    name, and layers are written in their order.
    """
    readers: defaultdict[Value, list[tuple[int, int]]] = defaultdict(list)
    made: dict[Value, int] = {}
    for place, piece in enumerate(pieces):
        for slot, value in enumerate(piece.operands):
            if value is not None:
                readers[value].append((place, slot))
        made.update(dict.fromkeys(piece.values, place))
    done: list[Statement] = []
    begun: dict[Value, list[int]] = {}
    for place, piece in enumerate(pieces):
        first, *others = piece.operands or [None]
        chain = begun.pop(first, []) if first else []
        if chain and any(v is not None and made.get(v, -1) > chain[0] for v in others):
            done.append(Statement(chain, named=True))
            chain = []
        chain.append(place)
        value = piece.values[0]
        goes_on = len(piece.values) == 1 and value not in kept and _follows(pieces, readers.get(value, ()))
        if goes_on:
            begun[value] = chain
        else:
            done.append(Statement(chain, named=True))
    done.sort(key=lambda statement: statement.chain[-1])
    return done


def _follows(pieces: Sequence[Piece], readers: Sequence[tuple[int, int]]) -> bool:
    """Whether a value has one reader, which can be written behind an arrow."""
    if len(readers) != 1 or readers[0][1] != 0:
        return False
    reader = pieces[readers[0][0]]
    return not isinstance(reader, Leaf) or reader.spelled.chained
