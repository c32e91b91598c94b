"""Which nodes of the file still stand: all the layers that a node made are there, joined as they were, and do the same.

What such a group reads may have changed, and with it the types: then ONNX is asked whether the node, word for word, gives
on these what the layers give. If it does not, the layers are written out anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from onnx import NodeProto

from cnnir.ir.graph import Graph, Value
from cnnir.ir.provenance import Provenance, SourceNode

from .protos import gives
from .tensors import Tensors


@dataclass(frozen=True)
class Group:
    """A node of the file whose layers stand: what it reads now, by the names that it used, and whether no rule has been at it."""

    node: SourceNode
    number: int
    reads: Mapping[str, Value]
    untouched: bool

    @property
    def gives(self) -> dict[str, Value]:
        """Name in the file -> the value that the node's layers make."""
        own = {made.name for made in self.node.layers}
        return {name: v for name, v in self.node.results if isinstance(v, Value) and v.layer in own}


def standing(graph: Graph, source: Provenance, opsets: Mapping[str, int]) -> list[Group]:
    """Every node whose layers still do together what it says, in the order of the file."""
    tensors = Tensors(source)
    found: list[Group] = []
    for number, node in enumerate(source.nodes):
        if not node.layers or not all(source.keeps(graph, made) for made in node.layers):
            continue
        reads = _reads(graph, source, node)
        if reads is None or not _closed(graph, node):
            continue
        group = Group(node, number, reads, not any(graph[made.name].origin.made_by for made in node.layers))
        if _means_the_same(graph, source, group, tensors, opsets):
            found.append(group)
    return found


def _reads(graph: Graph, source: Provenance, node: SourceNode) -> dict[str, Value] | None:
    """Name that the node used -> the value that its layers read in that place now; None where they no longer agree."""
    own = {made.name for made in node.layers}
    types = {source.values[name]: source.types[name] for name in node.inputs if name in source.values}
    now: dict[Value, Value] = {}
    for made in node.layers:
        after = graph.operands(made.name)
        if len(after) != len(made.operands):
            return None
        for was, value in zip(made.operands, after, strict=True):
            if was is None or value is None:
                if was is not value:
                    return None
            elif was.layer in own or value.layer in own:
                if was != value:
                    return None
            elif now.setdefault(was, value) != value:
                return None
    named = {name: source.values[name] for name in node.inputs if name in source.values}
    if not now.keys() <= set(named.values()):
        return None
    for value in named.values():  # of the rest it looked at the shape
        if value not in now and (value.layer not in graph or graph[value.layer].outputs[value.slot] != types[value]):
            return None
    return {name: now.get(value, value) for name, value in named.items()}


def _closed(graph: Graph, node: SourceNode) -> bool:
    """Whether nobody else reads what the node keeps to itself."""
    own = {made.name for made in node.layers}
    returned = {value for _, value in node.results}
    inner = [v for made in node.layers for v in graph.values(made.name) if v not in returned] if len(own) > 1 else []
    return not any(graph.is_output(v) or any(use.layer not in own for use in graph.readers(v)) for v in inner)


def _means_the_same(graph: Graph, source: Provenance, group: Group, tensors: Tensors, opsets: Mapping[str, int]) -> bool:
    changed = {name: graph.type(v) for name, v in group.reads.items() if graph.type(v) != source.types[name]}
    if not changed:
        return True
    if any(n in changed for n in _captured(group.node)):
        return False  # a subgraph may do anything with it
    proto = NodeProto.FromString(group.node.content)
    types = {n: changed.get(n, source.types[n]) for n in group.node.inputs}
    small = {n: t for n in group.node.inputs if (t := tensors.small(n)) is not None}
    found = gives(proto, types, small, opsets)
    made = group.gives
    return all(t == graph.type(made[n]) for n, t in zip(proto.output, found, strict=True) if n in made)


def _captured(node: SourceNode) -> Iterable[str]:
    proto = NodeProto.FromString(node.content)
    return set(node.inputs) - set(proto.input)
