"""One layer of a network as nodes, under the names that its values are to have."""

from __future__ import annotations

from collections.abc import Sequence

from cnnir.diagnostics import OpError
from cnnir.ir.graph import Layer
from cnnir.ops.opaque import Opaque

from . import opaque
from .builder import Builder, unsupported
from .layers import write


def write_layer(build: Builder, layer: Layer, outputs: Sequence[str]) -> None:
    """Add the nodes of a layer, whose values are called `outputs`; a layer that ONNX cannot say is remembered by `build`."""
    build.begin(layer)
    try:
        if isinstance(layer.op, Opaque):
            opaque.write(build, layer, list(outputs))
        else:
            _write_known(build, layer, outputs)
    except OpError as error:
        build.refuse(layer, error)
    for value, name in zip(build.graph.values(layer.name), outputs, strict=True):  # of refused ones, too: the next are looked at
        build.bind(value, name)


def _write_known(build: Builder, layer: Layer, outputs: Sequence[str]) -> None:
    graph = build.graph
    if len(outputs) > 1 and any(graph.is_output(v) or graph.uses(v) for v in graph.values(layer.name)[1:]):
        unsupported(f"`{layer.op.name}` gives several values, and is no node of ONNX's")
    operands = graph.data(layer.name)
    before = len(build.nodes)
    name = write(build, layer, [build.names[v] for v in operands], [graph.type(v) for v in operands])
    if len(build.nodes) == before or build.nodes[-1].output[0] != name:  # the formula is its variable or a constant
        build.node("Identity", [name], layer.type.dtype)
    build.rename_last(outputs[0])
