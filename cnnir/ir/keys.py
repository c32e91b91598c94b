"""What the parser will call the layers of a text, and what must be written so that it finds their weights."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from . import spelling
from .graph import Layer
from .pieces import Block, Leaf, Piece, Repeat, Use


class Namer:
    """Gives names as the parser does: the path of blocks, the op and its ordinal there, stepping aside for names that are taken."""

    def __init__(self, orders: Mapping[Block, Sequence[int]], taken: Collection[str]) -> None:
        self._orders = orders
        self._taken = set(taken)
        self.missing: dict[str, tuple[str, ...]] = {}
        """Layer -> what its call lacks: names of weights that the parser would look for elsewhere."""

    def walk(self, pieces: Sequence[Piece], order: Sequence[int], path: str = "") -> Iterator[Leaf]:
        """The layers of a sequence in the order in which they are written; each is named on the way."""
        ordinals: dict[str, int] = {}
        pending = [iter([pieces[place] for place in order])]
        while pending:
            piece = next(pending[-1], None)
            if piece is None:
                pending.pop()
            elif isinstance(piece, Leaf):
                self._name(piece, path, ordinals)
                yield piece
            elif isinstance(piece, Repeat):
                pending.append(iter([p for copy in piece.copies for p in copy]))
            else:
                yield from self._inside(piece, path, ordinals)

    def _inside(self, use: Use, path: str, ordinals: dict[str, int]) -> Iterator[Leaf]:
        stem = use.block.name
        ordinals[stem] = ordinals.get(stem, 0) + 1
        yield from self.walk(use.pieces, self._orders[use.block], f"{path}{stem}{ordinals[stem]}/")

    def _name(self, leaf: Leaf, path: str, ordinals: dict[str, int]) -> None:
        layer, stem = leaf.layer, leaf.spelled.called
        named = any(text.startswith("name=") for text in leaf.pinned)
        if named and layer.name in self._taken:
            self.missing[layer.name] = _keys(layer)
        before = ordinals.get(stem, 0)
        name = layer.name if named else self._next(stem, path, ordinals)
        if not leaf.pinned and not _own(layer, name):
            self.missing[layer.name] = _keys(layer)
            if layer.name not in self._taken and _own(layer, layer.name):
                self.missing[layer.name] = (f"name={spelling.quoted(layer.name)}",)
                name, ordinals[stem] = layer.name, before  # a layer with a name of its own takes no ordinal
        self._taken.add(name)

    def _next(self, stem: str, path: str, ordinals: dict[str, int]) -> str:
        while True:
            ordinals[stem] = ordinals.get(stem, 0) + 1
            name = f"{path}{stem}{ordinals[stem]}"
            if name not in self._taken:
                return name


def _own(layer: Layer, name: str) -> bool:
    """Whether the weights are those that a layer of this name has."""
    return all(key == f"{name}.{role}" for role, key in layer.weights)


def _keys(layer: Layer) -> tuple[str, ...]:
    return tuple(f"{role}={spelling.quoted(key)}" for role, key in layer.weights)
