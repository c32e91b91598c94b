"""Layers that give their input back are taken away: dropout, `activation f(x) = x`, a flatten of what is flat."""

from __future__ import annotations

from dataclasses import dataclass

from cnnir.ir.graph import Graph, Layer, Value
from cnnir.ops.elementwise import Elementwise
from cnnir.scalar.expr import Var


@dataclass(frozen=True)
class Canonicalize:
    """`canonicalize` as a pass of a pipeline. It has no options."""

    def __call__(self, graph: Graph) -> Graph:
        """The network without identities; every value left is bit for bit what it was."""
        result = graph.copy()
        for layer in list(result.layers()):
            if is_identity(result, layer):
                result.replace_uses(Value(layer.name), result.data(layer.name)[0])
                result.remove(layer.name)
        return result


def is_identity(graph: Graph, layer: Layer) -> bool:
    """Whether a layer's output is its only input, element by element and in the same shape: its op is asked."""
    data = graph.data(layer.name)
    if len(data) != 1 or len(layer.outputs) != 1 or graph.type(data[0]) != layer.type:
        return False
    if isinstance(layer.op, Elementwise):
        return layer.op.formula() == Var(0)
    return layer.op.keeps_elements
