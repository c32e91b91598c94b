"""The verifier: what every graph must satisfy, checked after every pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import networkx as nx

from cnnir.diagnostics import CnnirError, Diagnostic, Label, OpError
from cnnir.types import numpy_dtype

from .graph import Graph, Layer

if TYPE_CHECKING:
    Network = nx.MultiDiGraph[str]


def verify(graph: Graph) -> None:
    """Raise CnnirError listing everything wrong: cycles, missing inputs, wrong arity, types or weights, lost outputs."""
    found = [*_cycles(graph), *_outputs(graph)]
    if not found:
        for layer in graph.layers():
            found.extend(_layer(graph, layer))
    if found:
        raise CnnirError(found)


def _problem(layer: Layer | None, message: str, code: str = "C0301") -> Diagnostic:
    span = layer.origin.span if layer else None
    where = f"layer `{layer.name}`: " if layer else ""
    return Diagnostic(code, where + message, (Label(span),) if span else ())


def _cycles(graph: Graph) -> list[Diagnostic]:
    network = graph.network
    if nx.is_directed_acyclic_graph(network):
        return []
    edges = cast("list[tuple[str, ...]]", nx.find_cycle(network))  # pyright: ignore[reportUnknownMemberType] - its edges have any shape
    cycle = " -> ".join(edge[0] for edge in edges)
    return [_problem(None, f"the network has a cycle: {cycle}", "C0302")]


def _outputs(graph: Graph) -> list[Diagnostic]:
    if not graph.results:
        return [_problem(None, "the network has no output", "C0303")]
    return [_problem(None, f"output `{n}` is made by no layer", "C0303") for n, v in graph.results.items() if v.layer not in graph]


def _layer(graph: Graph, layer: Layer) -> list[Diagnostic]:
    types = [graph.type(v) for v in graph.data(layer.name)]
    try:
        layer.op.check_arity(len(types))
        op = layer.op.without(tuple(slot for slot, value in enumerate(graph.operands(layer.name)) if value is None))
        inferred = graph.infer(op, types)
    except OpError as error:
        return [_problem(layer, error.message, error.code)]
    found: list[Diagnostic] = []
    if op != layer.op:
        found.append(_problem(layer, "other inputs are absent than its op says"))
    if inferred != layer.outputs:
        found.append(_problem(layer, f"typed {', '.join(map(str, layer.outputs))}, but is {', '.join(map(str, inferred))}"))
    needed, given = layer.op.parameters(types), dict(layer.weights)
    if needed.keys() != given.keys():
        found.append(_problem(layer, f"needs weights {sorted(needed)}, has {sorted(given)}"))
        return found
    for role, key in given.items():
        if key not in graph.weights:
            found.append(_problem(layer, f"weight `{key}` is not in the store", "C0304"))
        elif graph.weights.shape(key) != needed[role].shape:
            shapes = f"{list(graph.weights.shape(key))}, {role} needs {list(needed[role].shape)}"
            found.append(_problem(layer, f"weight `{key}` has shape {shapes}", "C0304"))
        elif graph.weights.dtype(key) != numpy_dtype(needed[role].dtype):
            found.append(_problem(layer, f"weight `{key}` holds {graph.weights.dtype(key)}, {role} needs {needed[role].dtype}", "C0304"))
    return found
