"""Nodes of ONNX that hold graphs (branches, loops), as far as reading and writing a file both look into them.

Such a node reads more than its inputs: its graphs take values from around it by name. What a provenance says that a node reads,
the writer of the file must find again. Needs no `onnx`: it looks at nodes that its callers made.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

_GRAPH, _GRAPHS = 5, 10
"""AttributeProto.AttributeType of onnx.proto."""


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """The graphs among a node's attributes."""
    for attribute in node.attribute:
        if attribute.type == _GRAPH:
            yield attribute.g
        elif attribute.type == _GRAPHS:
            yield from attribute.graphs


def defined(graph: GraphProto) -> set[str]:
    """The names that a graph gives to values of its own."""
    return {i.name for i in graph.input} | {t.name for t in graph.initializer} | {o for node in graph.node for o in node.output}


def captured(node: NodeProto) -> list[str]:
    """The values that a node's subgraphs take from around it, each once, in order."""
    found: dict[str, None] = {}
    pending: list[tuple[GraphProto, frozenset[str]]] = [(g, frozenset()) for g in subgraphs(node)]
    while pending:
        graph, outside = pending.pop()
        own = outside | defined(graph)
        free = [name for n in graph.node for name in n.input] + [o.name for o in graph.output]
        found.update(dict.fromkeys(name for name in free if name and name not in own))
        pending.extend((g, own) for n in graph.node for g in subgraphs(n))
    return list(found)
