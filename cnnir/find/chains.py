"""A network as chains: every layer is in exactly one, and nobody else sees the values inside."""

from __future__ import annotations

from cnnir.ir.graph import Graph, Layer, Value


def chains(graph: Graph) -> list[list[Layer]]:
    """The longest chains, in topological order of their first layers.

    A layer goes on the chain of the one it reads where that is its only input, has no other reader, and is no output.
    """
    found: list[list[Layer]] = []
    ends: dict[Value, list[Layer]] = {}
    results = set(graph.results.values())
    for layer in graph.layers():
        data = graph.data(layer.name)
        chain = ends.pop(data[0], None) if len(data) == 1 else None
        if chain is None:
            chain = list[Layer]()
            found.append(chain)
        chain.append(layer)
        value = Value(layer.name)
        if len(layer.outputs) == 1 and value not in results and len(graph.uses(value)) == 1:
            ends[value] = chain
    return found
