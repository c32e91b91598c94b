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


@dataclass(frozen=True)
class Alias:
    """A name of the file for what another name says already: the result of an identity."""

    node: int
    of: str


def aliases(source: Provenance, without: Collection[int]) -> dict[str, Alias]:
    """Name -> what it is another name for, of every result that no layer of its node makes; but for nodes that are left out."""
    found: dict[str, Alias] = {}
    made = _makers(source.nodes)
    for number, node in enumerate(source.nodes):
        if number in without:
            continue
        own = {made.name for made in node.layers}
        for name, value in node.results:
            if not isinstance(value, KnownTensor) and value.layer not in own:
                of = next((n for n in node.inputs if source.values.get(n) == value), None)
                others = [n for n in node.inputs if n != of]
                if of is not None and not any(n in made for n in others):
                    found[name] = Alias(number, of)
    return found


@dataclass
class Names:
    """The name of each value, and the value behind each name of the file."""

    graph: Graph
    source: Provenance
    aliases: Mapping[str, Alias]
    of: dict[Value, str] = field(default_factory=dict[Value, str])
    values: dict[str, Value] = field(default_factory=dict[str, Value])

    def base(self, name: str) -> str:
        """The name that a name is only another one for."""
        while name in self.aliases:
            name = self.aliases[name].of
        return name

    def value(self, name: str) -> Value | None:
        """What a name of the file says now; None where its value is gone, or an alias would be one of another type."""
        base = self.base(name)
        value = self.values.get(base)
        if value is None or (base != name and self.graph.type(value) != self.source.types[name]):
            return None
        return value if self.graph.results.get(name, value) == value else None

    def reading(self, name: str, value: Value) -> str:
        """How a node that used to say `name` says `value`: as before where that is still right."""
        return name if self.value(name) == value else self.of[value]

    def give(self, value: Value, name: str) -> bool:
        """Call a value so, if it has no name and the name no value."""
        if value in self.of or name in self.values:
            return False
        self.of[value], self.values[name] = name, value
        return True


def named(graph: Graph, source: Provenance, groups: Sequence[Group], build: Builder, without: Collection[int]) -> Names:
    """Names for all values of a network. Every name of the file is reserved in `build`; those that are free are used first."""
    names = Names(graph, source, aliases(source, without))
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
