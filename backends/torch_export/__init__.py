"""Networks as PyTorch modules that can be trained.

A layer becomes the function of PyTorch with its meaning and its gradient where there is one; any other elementwise layer is
written out from its formula. Weights lie under their keys, so that state dicts fit those of the module a network came from.
"""

from __future__ import annotations

from typing import Any

from cnnir.diagnostics import CnnirError, Diagnostic, OpError, warn
from cnnir.ir.expand import expanded
from cnnir.ir.graph import Graph, Layer, Value
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.tensor import Input


def to_torch(graph: Graph) -> Any:
    """The network as a `torch.nn.Module` in evaluation mode: inputs in their order, one output, or a tuple of all.

    Weights are copied. Raises CnnirError naming every layer that PyTorch cannot say; exit code 3 where PyTorch is missing.
    """
    try:
        from .builder import Builder, identifier
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] != "torch":
            raise
        help = "pip install 'cnnir[torch]'"
        raise CnnirError(Diagnostic("C0864", "making PyTorch modules needs the package `torch`", help=help), exit_code=3) from error
    from .layers import has_rule

    graph = expanded(graph, lambda op: not has_rule(op))
    _warn_of_moved(graph)
    build = Builder(graph)
    build.attach_weights()
    for name in graph.inputs:
        build.nodes[Value(name)] = build.fx.placeholder(identifier(name))
    needed = graph.live()
    for layer in graph.layers():
        if layer.name in needed and not isinstance(layer.op, Input):
            _write(build, layer)
    if build.problems:
        raise CnnirError(build.problems)
    outputs = tuple(build.nodes[value] for value in graph.results.values())
    build.fx.output(outputs[0] if len(outputs) == 1 else outputs)
    build.module.graph = build.fx
    return build.module.eval()


def _warn_of_moved(graph: Graph) -> None:
    """Say where training would go another way than that of the network as it was written."""
    moved = [n for n in graph.layers() if n.origin.made_by and isinstance(n.op, Elementwise) and (n.weights or not n.op.steady)]
    if moved:
        message = f"layers that training changes have traded places with a pool: {', '.join(f'`{n.name}`' for n in moved)}"
        help = "the answers are the same, training is not: place with `cnnir.optimize(net, training=True)`"
        warn(Diagnostic("C0872", message, help=help, severity="warning"))


def _write(build: Any, layer: Layer) -> None:
    from .layers import write

    operands = build.graph.data(layer.name)
    build.begin(layer)
    try:
        nodes = write(build, layer, [build.nodes[v] for v in operands], [build.graph.type(v) for v in operands])
    except OpError as error:
        build.refuse(layer, error)
        nodes = (None,) * len(layer.outputs)
    for value, node in zip(build.graph.values(layer.name), nodes, strict=True):
        build.nodes[value] = node
