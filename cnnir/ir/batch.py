"""The same network on another number of images."""

from __future__ import annotations

from dataclasses import replace

from cnnir.diagnostics import CnnirError, Diagnostic, OpError
from cnnir.ops.shape import Reshape
from cnnir.ops.tensor import Input

from .graph import Graph, Value


def with_batch(graph: Graph, size: int) -> Graph:
    """The network with `size` as the first size of every input, on the same weights; reshapes that name the old size follow.

    It is another network than the file says, so it carries none. Raises CnnirError where a layer cannot follow.
    """
    old = {type.shape[0] for type in graph.inputs.values() if type.rank}
    made = Graph(graph.name, graph.weights)
    known: dict[Value, Value] = {}
    for layer in graph.layers():
        if isinstance(layer.op, Input):
            type = graph.inputs[layer.name]
            known[Value(layer.name)] = made.add_input(layer.name, type.with_shape((size, *type.shape[1:])), graph.ranges.get(layer.name))
            continue
        op = layer.op
        if isinstance(op, Reshape) and op.shape and op.shape[0] in old:
            op = replace(op, shape=(size, *op.shape[1:]))
        operands = [None if value is None else known[value] for value in graph.operands(layer.name)]
        try:
            first = made.add(op, operands, name=layer.name, weights=dict(layer.weights), origin=layer.origin)
        except OpError as error:
            raise CnnirError(Diagnostic("C0509", f"`{layer.name}` does not work on a batch of {size}: {error}"), 2) from None
        known |= {value: Value(first.layer, value.slot) for value in graph.values(layer.name)}
    made.results = {name: known[value] for name, value in graph.results.items()}
    return made
