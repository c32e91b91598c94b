"""Concatenations of many tensors as trees of small ones: a kernel's code grows with the square of its inputs."""

from __future__ import annotations

from collections.abc import Sequence

from cnnir.ir.graph import Graph, Value
from cnnir.ops.tensor import Concat

WIDTH = 8
"""Most inputs of one concatenation."""


def narrow_concats(graph: Graph) -> Graph:
    """The same network with no concatenation of more than `WIDTH` tensors; the graph itself where it has none."""
    wide = [layer.name for layer in graph.layers() if isinstance(layer.op, Concat) and len(graph.data(layer.name)) > WIDTH]
    if not wide:
        return graph
    narrowed = graph.copy()
    for name in wide:
        _narrow(narrowed, name)
    return narrowed


def _narrow(graph: Graph, name: str) -> None:
    """Put a tree in place of one layer; readers follow, and the layer itself goes."""
    layer = graph[name]
    level: Sequence[Value] = graph.data(name)
    while len(level) > 1:
        groups = [level[i : i + WIDTH] for i in range(0, len(level), WIDTH)]
        level = [g[0] if len(g) == 1 else graph.add(layer.op, g, name=graph.fresh(name), origin=layer.origin) for g in groups]
    graph.replace_uses(Value(name), level[0])
    graph.remove(name)
