"""What values are called when a network goes back to the file it came from: so that most nodes need no other word.

What no rule has touched keeps its names. What one has moved is called as its readers used to say: behind a pool that now
comes first, the activation's result has the name that the pool's had, and the layer after it is written as it was.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cnnir.ir.graph import Graph, Layer, Value
from cnnir.ir.provenance import KnownTensor, Provenance, SourceNode
from cnnir.ops.tensor import Input

from .builder import Builder
from .groups import Group
from .tensors import Tensors


@dataclass(frozen=True)
class Alias:
    """A name of the file for what another name says already: the result of an identity, which may look at `others`, too."""

    node: int
    of: str
    others: tuple[str, ...]


def aliases(source: Provenance, without: Collection[int]) -> dict[str, Alias]:
    """Name -> what it is another name for, of every result that no layer of its node makes; but for nodes that are left out."""
    found: dict[str, Alias] = {}
    for number, node in enumerate(source.nodes):
        own = {made.name for made in node.layers}
        for name, value in node.results:
            if number not in without and not isinstance(value, KnownTensor) and value.layer not in own:
                of = next((n for n in node.inputs if source.values.get(n) == value), None)
                if of is not None:
                    found[name] = Alias(number, of, tuple(n for n in node.inputs if n != of))
    return {name: alias for name, alias in found.items() if found.keys().isdisjoint(alias.others)}


@dataclass
class Names:
    """The name of each value, and the value behind each name of the file."""

    graph: Graph
    source: Provenance
    aliases: Mapping[str, Alias]
    tensors: Tensors
    of: dict[Value, str] = field(default_factory=dict[Value, str])
    values: dict[str, Value] = field(default_factory=dict[str, Value])
    _bases: dict[str, str] = field(default_factory=dict[str, str])
    _standing: dict[str, bool] = field(default_factory=dict[str, bool])

    def base(self, name: str) -> str:
        """The name that a name is only another one for."""
        chain = [name]
        while chain[-1] in self.aliases and chain[-1] not in self._bases:
            chain.append(self.aliases[chain[-1]].of)
        found = self._bases.get(chain[-1], chain[-1])
        self._bases.update(dict.fromkeys(chain, found))  # so that a chain of identities is gone through once
        return found

    def value(self, name: str) -> Value | None:
        """What a name of the file says now; None where its value is gone, or where a node between would look at another type.

        To be asked when every value has its name.
        """
        value = self.values.get(self.base(name))
        return value if value is not None and self.graph.results.get(name, value) == value and self._stands(name) else None

    def _stands(self, name: str) -> bool:
        """Whether the nodes between a name and its base see what they saw."""
        chain: list[str] = []
        while name in self.aliases and name not in self._standing:
            chain.append(name)
            name = self.aliases[name].of
        standing = self._standing.get(name, True)
        for link in reversed(chain):
            standing = standing and all(self._as_it_was(n) for n in (self.base(link), *self.aliases[link].others))
            self._standing[link] = standing
        return standing

    def _as_it_was(self, name: str) -> bool:
        value = self.values.get(name)
        return name in self.tensors if value is None else self.graph.type(value) == self.source.types[name]

    def reading(self, name: str, value: Value) -> str:
        """How a node that used to say `name` says `value`: as before where that is still right."""
        return name if self.value(name) == value else self.of[value]

    def give(self, value: Value, name: str) -> bool:
        """Call a value so, if it has no name and the name no value."""
        if value in self.of or name in self.values:
            return False
        self.of[value], self.values[name] = name, value
        return True


def named(graph: Graph, source: Provenance, groups: Sequence[Group], build: Builder, tensors: Tensors, without: Collection[int]) -> Names:
    """Names for all values of a network. Every name of the file is reserved in `build`; those that are free are used first."""
    names = Names(graph, source, aliases(source, without), tensors)
    for value, name in _fixed(graph, source):
        names.give(value, name)
        names.values[name] = value  # several names may say one tensor
    for name, value in graph.results.items():
        names.give(value, names.base(name))
    for group in groups:
        if group.untouched:
            for name, value in group.gives.items():
                names.give(value, name)
    wanted: dict[Value, list[str]] = {}
    for group in groups:
        if group.untouched:
            for name, value in group.reads.items():
                wanted.setdefault(value, []).append(names.base(name))
    for value, stems in wanted.items():
        any(names.give(value, stem) for stem in stems)
    own = {v: n for n, v in source.values.items() if names.base(n) == n}
    for layer in graph.layers():
        for value in graph.values(layer.name):
            stem = own.get(value) or value.layer
            if value not in names.of and not (value in own and names.give(value, stem)):
                names.give(value, build.unique(stem))
    return names


def _fixed(graph: Graph, source: Provenance) -> Iterator[tuple[Value, str]]:
    """Inputs, and tensors of the file that are layers here."""
    for name in graph.inputs:
        yield Value(name), name
    made = _makers(source.nodes)
    for name, value in source.values.items():
        if name not in made and value.layer in graph and not isinstance(graph[value.layer].op, Input):
            layer = graph[value.layer]
            if layer.outputs[value.slot] == source.types[name] and _weights_stay(graph, source, layer):
                yield value, name


def _weights_stay(graph: Graph, source: Provenance, layer: Layer) -> bool:
    return all(graph.weights.source(key) is source.weights.get(key) for _, key in layer.weights)


def _makers(nodes: Sequence[SourceNode]) -> set[str]:
    """Names that are results of layers."""
    return {name for node in nodes for name, result in node.results if not isinstance(result, KnownTensor)}
