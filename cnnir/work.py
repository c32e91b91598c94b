"""Work, counted from the network alone: what does not drift from one afternoon to the next."""

from __future__ import annotations

from .ir.graph import Graph
from .ops.elementwise import Elementwise


def macs(graph: Graph) -> int:
    """Multiply-accumulate operations of one run."""
    return sum(layer.op.macs([graph.type(v) for v in graph.data(layer.name)], layer.outputs) for layer in graph.layers())


def activation_evaluations(graph: Graph, convolutional: bool = False) -> int:
    """Evaluations of activation functions in one run, one an element; `convolutional` counts feature maps (rank > 2) only."""
    found = [layer for layer in graph.layers() if isinstance(layer.op, Elementwise) and layer.op.activation]
    return sum(layer.type.elements for layer in found if layer.type.rank > 2 or not convolutional)
