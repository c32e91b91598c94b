"""A network goes back to the ONNX file that it was read from: nodes that stand are written as they were, the rest anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import networkx as nx
from onnx import ModelProto, NodeProto

from cnnir.ir.expand import expanded
from cnnir.ir.graph import Graph, Value
from cnnir.ir.provenance import Provenance
from cnnir.ops.tensor import Input

from .builder import OPSET, Builder
from .groups import Group, standing
from .layers import has_rule
from .naming import Names, named
from .protos import nested_names, renamed
from .shell import finish
from .tensors import Tensors
from .write import write_layer


@dataclass(frozen=True)
class Unit:
    """What is written in one go: a node of the file, or the nodes of a layer."""

    key: tuple[int, int, int]
    """Its place: the number of a node in the file, or of the last that it depends on."""
    needs: tuple[str, ...]
    gives: tuple[str, ...]
    write: Callable[[], None]
    number: int = -1
    """The number in the file, if it is a node of it."""


def restore(graph: Graph, source: Provenance) -> tuple[Builder, ModelProto]:
    """The builder with all nodes and tensors, and the model without them; raises CnnirError naming each layer that ONNX cannot say."""
    without: set[int] = set()
    while True:  # every turn writes one more node anew, and what is written anew depends on nothing but its operands
        attempt = Restoration(graph, source, frozenset(without))
        units = attempt.units()
        order = _sorted(units)
        if isinstance(order, set):
            without |= order
            continue
        for unit in order:
            unit.write()
        attempt.build.check()
        anew = any(unit.number < 0 for unit in order) or any(name in attempt.tensors for name in attempt.build.constants)
        moved = anew or not all(group.untouched for group in attempt.groups)
        return attempt.build, finish(attempt.build, source, attempt.names, attempt.tensors, moved, anew)


def _sorted(units: list[Unit]) -> list[Unit] | set[int]:
    """The units, producers first and otherwise as in the file; or the nodes of the file that are in a circle."""
    makers = {name: number for number, unit in enumerate(units) for name in unit.gives}
    net: nx.DiGraph[int] = nx.DiGraph()
    net.add_nodes_from(range(len(units)))
    net.add_edges_from((makers[name], number) for number, unit in enumerate(units) for name in unit.needs if name in makers)
    try:
        return [units[n] for n in nx.lexicographical_topological_sort(net, key=lambda n: units[n].key)]
    except nx.NetworkXUnfeasible:
        circles = [c for c in nx.strongly_connected_components(net) if len(c) > 1]
        return {units[n].number for circle in circles for n in circle} - {-1}


@dataclass
class Restoration:
    """One attempt: nodes numbered in `without` are not written as they were."""

    graph: Graph
    source: Provenance
    without: frozenset[int]
    build: Builder = field(init=False)
    names: Names = field(init=False)
    tensors: Tensors = field(init=False)
    groups: list[Group] = field(init=False)

    def __post_init__(self) -> None:
        model = ModelProto.FromString(self.source.content)
        opsets = {"" if o.domain == "ai.onnx" else o.domain: o.version for o in model.opset_import}
        opsets.setdefault("", OPSET)
        self.groups = self._standing(opsets)
        kept = {made.name for group in self.groups for made in group.node.layers}
        wide = expanded(self.graph, lambda op: not has_rule(op), kept)
        if wide is not self.graph:
            self.graph = wide
            self.groups = self._standing(opsets)
        self.build = Builder(self.graph, opsets[""])
        self.build.domains = opsets
        self.build.reserve(self._all_names(model))
        self.tensors = Tensors(self.source)
        self.names = named(self.graph, self.source, self.groups, self.build, self.tensors, self.without)
        self.build.names = self.names.of
        self._share()

    def _standing(self, opsets: dict[str, int]) -> list[Group]:
        return [group for group in standing(self.graph, self.source, opsets) if group.number not in self.without]

    def _all_names(self, model: ModelProto) -> Iterator[str]:
        yield from self.graph.results
        yield from self.source.types
        yield from (info.name for info in model.graph.input)
        for node in self.source.nodes:
            yield from nested_names(node.content)

    def _share(self) -> None:
        """What is written anew reads the tensors of the file where these hold its weights."""
        for key in self.graph.weights:
            shape = self.graph.weights.shape(key)
            found = self.tensors.holding(self.graph.weights.source(key), shape)
            if found is not None:
                self.build.share(key, shape, found)

    # -- units

    def units(self) -> list[Unit]:
        """Everything to be written."""
        found = [self._group(group) for group in self.groups]
        found += self._own(found)
        outputs = [self._output(name, value) for name, value in self.graph.results.items()]
        found += [unit for unit in outputs if isinstance(unit, Unit)]
        made = {name for unit in found for name in unit.gives}
        needed = [*(name for unit in found for name in unit.needs), *(name for name in outputs if isinstance(name, str))]
        return found + self._folded(needed, made)

    def _group(self, group: Group) -> Unit:
        """A node of the file that made layers."""
        names = {name: self.names.reading(name, value) for name, value in group.reads.items()}
        names |= {name: self.names.of[value] for name, value in group.gives.items()}
        needs = tuple(names.get(name, name) for name in group.node.inputs)
        gives = tuple(names[name] for name in group.gives)

        def write() -> None:
            self.build.nodes.append(renamed(group.node.content, names))

        return Unit((group.number, 0, 0), needs, gives, write, group.number)

    def _own(self, groups: list[Unit]) -> Iterator[Unit]:
        """Layers that no node of the file says."""
        kept = {made.name for group in self.groups for made in group.node.layers}
        places = {name: unit.number for unit in groups for name in unit.gives}
        for count, layer in enumerate(self.graph.layers()):
            value = Value(layer.name)
            if layer.name in kept or isinstance(layer.op, Input) or self.names.of[value] in self.tensors:
                continue
            needs = tuple(self.names.of[v] for v in self.graph.data(layer.name))
            gives = tuple(self.names.of[v] for v in self.graph.values(layer.name))
            place = max((places.get(name, -1) for name in needs), default=-1)
            places |= dict.fromkeys(gives, place)
            yield Unit((place, 1, count), needs, gives, lambda layer=layer, gives=gives: write_layer(self.build, layer, list(gives)))

    def _output(self, name: str, value: Value) -> Unit | str:
        """Under its name in the file, or else as an identity."""
        if self.names.value(name) == value:
            return name
        of = self.names.of[value]

        def write() -> None:
            self.build.begin(self.graph[value.layer])
            self.build.node("Identity", [of], self.graph.type(value).dtype)
            self.build.rename_last(name)

        return Unit((len(self.source.nodes), 2, 0), (of,), (name,), write)

    def _folded(self, needed: list[str], made: set[str]) -> list[Unit]:
        """Nodes of the file that made no layer, as far as somebody still reads them, or nobody ever did.

        Where what they look at is gone, or of another shape, the tensor that they gave stands in their place.
        """
        makers = {name: n for n, node in enumerate(self.source.nodes) if not node.layers for name, _ in node.results}
        read = {name for node in self.source.nodes for name in node.inputs} | set(self.graph.results)
        idle = [n for n, node in enumerate(self.source.nodes) if not node.layers and not any(name in read for name, _ in node.results)]
        found: dict[int, Unit] = {n: self._node(n) for n in idle if self._stands(n)}
        pending = [*needed, *(name for unit in found.values() for name in unit.needs)]
        while pending:
            name = pending.pop()
            number = makers.get(name)
            if name in made or number is None or number in found or name in self.build.constants:
                continue
            if self._stands(number):
                found[number] = self._node(number)
                pending += found[number].needs
            elif (constant := self.tensors.constant(name)) is not None:
                self.build.constants[name] = constant
        return list(found.values())

    def _node(self, number: int) -> Unit:
        node = self.source.nodes[number]
        gives = tuple(name for name, _ in node.results)

        def write() -> None:
            self.build.nodes.append(NodeProto.FromString(node.content))

        return Unit((number, 0, 0), node.inputs, gives, write, number)

    def _stands(self, number: int) -> bool:
        """Whether all that a node looks at is there under the same names, in the same shapes."""
        if number in self.without:
            return False
        return all(self._as_it_was(name) for name in self.source.nodes[number].inputs)

    def _as_it_was(self, name: str) -> bool:
        if name in self.tensors:
            return True
        value = self.names.value(name)
        return value is not None and self.graph.type(value) == self.source.types[name]
