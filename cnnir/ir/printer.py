"""One network as text: blocks where they make it shorter, names of weights where the parser would give others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from cnnir.ops.registry import OPS
from cnnir.ops.tensor import Input
from cnnir.scalar.primitives import PRIMITIVES

from . import spelling
from .graph import Graph, Value
from .keys import Namer
from .pieces import Block, Leaf, Piece
from .reading import Reading, roles
from .recover import recover
from .scope import Scope, wrapped
from .statements import statements

TRIES = 3
"""How often names are written into calls before they are listed beside the network: each may change the names of others."""


REMARK = 40
"""Characters that the name of a weight in a call is worth: it draws the eye away from the network."""


@dataclass(frozen=True)
class _Attempt:
    """A text, its layers in order, and what the calls of some lack: names of weights that the parser would look for elsewhere."""

    lines: list[str]
    layers: list[Leaf]
    blocks: int
    missing: Mapping[str, tuple[str, ...]]


class Printer:
    """Prints one graph, once."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._reading = Reading(graph)
        self._inputs = [layer for layer in graph.layers() if isinstance(layer.op, Input)]
        self._results: dict[Value, list[str]] = {}
        for name, value in graph.results.items():
            self._results.setdefault(value, []).append(name)

    def text(self, weights: str | None) -> str:
        """The whole text; `weights` is the name of the file that holds its weights."""
        lines, cost, blocks = self._lines(with_blocks=True)
        if blocks:  # the names of weights may cost more than blocks save
            plain, other, _ = self._lines(with_blocks=False)
            lines = plain if other <= cost else lines
        head = [f"weights {spelling.quoted(weights)}", ""] if weights else []
        head += [f"activation {spelling.name(f)}(x) = {spelling.expression(op.body)}" for op, f in self._reading.functions.items()]
        head += [""] if self._reading.functions else []
        return "\n".join([*head, *lines, ""])

    def _lines(self, with_blocks: bool) -> tuple[list[str], int, int]:
        """Blocks, network and names of weights; what they cost the reader, and how many blocks there are."""
        first = attempt = self._attempt({}, with_blocks)
        weighted = sum(bool(leaf.layer.weights) for leaf in first.layers)
        pinned: dict[str, tuple[str, ...]] = {}
        for _ in range(TRIES):
            pinned.update(attempt.missing)
            if not attempt.missing or 2 * len(pinned) >= weighted + 3:
                break
            attempt = self._attempt(pinned, with_blocks)
        if not attempt.missing:
            return attempt.lines, sum(map(len, attempt.lines)) + REMARK * len(pinned), attempt.blocks
        lines = [*first.lines, "", *self._listing(first)]
        return lines, sum(map(len, lines)), first.blocks

    def _listing(self, attempt: _Attempt) -> Iterator[str]:
        yield f"weights {spelling.name(self._graph.name)} {{"
        for leaf in attempt.layers:
            known = roles(self._graph, leaf.layer, leaf.operands)
            if known:
                usual = {role: f"{leaf.layer.name}.{role}" for role in known}
                keys = {**usual, **dict(leaf.layer.weights)}
                listed = "" if keys == usual else f": {', '.join(spelling.name(keys[role]) for role in known)}"
                yield f"    {spelling.name(leaf.layer.name)}{listed}"
        yield "}"

    # -- blocks and network -------------------------------------------------------------------------------------------

    def _attempt(self, pinned: Mapping[str, tuple[str, ...]], with_blocks: bool) -> _Attempt:
        pieces: list[Piece] = [*self._reading.pieces(pinned)]
        outputs = list(self._graph.results.values())
        taken = {*OPS, *PRIMITIVES, "depthwise", *self._reading.functions.values(), *spelling.KEYWORDS}
        blocks = recover(pieces, outputs, taken) if with_blocks else []
        orders: dict[Block, list[int]] = {}
        lines = [line for block in blocks for line in self._block(block, orders)]
        lines += [""] if blocks else []
        pieces.sort(key=lambda piece: piece.place)
        order, network = self._network(pieces)
        namer = Namer(orders, [layer.name for layer in self._inputs])
        layers = list(namer.walk(pieces, order))
        return _Attempt([*lines, *network], layers, len(blocks), namer.missing)

    def _block(self, block: Block, orders: dict[Block, list[int]]) -> Iterator[str]:
        written = block.uses[0].pieces
        texts = iter(block.texts)
        slices = [list(islice(texts, len(piece.slots))) for piece in written]
        places = sorted(range(len(written)), key=lambda i: written[i].place)
        pieces = [written[i] for i in places]
        found = statements(pieces, frozenset())
        orders[block] = [places[i] for statement in found for i in statement.chain]
        entry = block.uses[0].operands[0]
        assert entry is not None
        names = {entry: "in"}
        parameters = [parameter.name for parameter in block.parameters]
        letters = _letters({*parameters, *spelling.KEYWORDS})
        scope = Scope(pieces, [slices[i] for i in places], names, last_alone=True)
        chains = scope.lines(found, lambda _: next(letters))
        head = f"block {block.name}({', '.join(parameters)})" if parameters else f"block {block.name}"
        if len(chains) == 1 and chains[0][0] == "in":
            yield from wrapped(chains[0][1:], f"{head} = ", "     ")
            return
        yield f"{head} {{"
        for chain in chains:
            yield from wrapped(chain, "    ", "         ")
        yield "}"

    def _network(self, pieces: Sequence[Piece]) -> tuple[list[int], list[str]]:
        """The order in which pieces are written, and the lines."""
        results = self._graph.results
        found = statements(pieces, self._results.keys())
        last = pieces[-1].values[0] if pieces and len(pieces[-1].values) == 1 else None
        alone = list(results.items()) == [("output", last)] and found[-1].chain[-1] == len(pieces) - 1
        alone = alone and not any(last in piece.operands for piece in pieces)
        names = {Value(layer.name): spelling.name(layer.name) for layer in self._inputs}
        chosen = _Names({layer.name for layer in self._inputs}, self._results)
        scope = Scope(pieces, None, names, alone)
        lines = [line for chain in scope.lines(found, chosen.name) for line in wrapped(chain, "    ", "         ")]
        if results and not alone:
            items = ((spelling.name(name), names[value]) for name, value in results.items())
            lines.append(f"    return {', '.join(n if n == v else f'{n} = {v}' for n, v in items)}")
        declared = ", ".join(map(self._input, range(len(self._inputs))))
        lines = [f"network {spelling.name(self._graph.name)}({declared}) {{", *lines, "}"]
        return [place for statement in found for place in statement.chain], lines

    def _input(self, place: int) -> str:
        layer = self._inputs[place]
        assert isinstance(layer.op, Input)
        bounds = layer.op.range
        within = f" in [{spelling.number(bounds[0])}, {spelling.number(bounds[1])}]" if bounds else ""
        return f"{spelling.name(layer.name)}: {layer.op.type}{within}"


class _Names:
    """Names for the values of a network: those of its results, or of the layers that make them."""

    def __init__(self, taken: set[str], results: Mapping[Value, Sequence[str]]) -> None:
        self._taken = taken
        self._results = results
        self._numbers: dict[str, int] = {}

    def name(self, value: Value) -> str:
        """A name that no other value has."""
        named = next((n for n in self._results.get(value, ()) if n not in self._taken), None)
        return spelling.name(self._unique(named or value.layer.rpartition("/")[2] or "value"))

    def _unique(self, stem: str) -> str:
        name, number = stem, self._numbers.get(stem, 2)
        while name in self._taken:
            name, number = f"{stem}_{number}", number + 1
        self._numbers[stem] = number  # where the search ended: 100,000 values of one name stay linear
        self._taken.add(name)
        return name


def _letters(taken: set[str]) -> Iterator[str]:
    """Names for the values of a block."""
    number = 1
    while True:
        for letter in "abcdefghijklmnopqrstuvwxyz":
            name = letter if number == 1 else f"{letter}{number}"
            if name not in taken:
                yield name
        number += 1
