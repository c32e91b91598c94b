"""Networks as ONNX models, for every other runtime.

A layer becomes the ONNX operator with exactly its meaning where there is one; any other elementwise layer is written
out from its formula. Inputs and outputs keep their order, and their names unless an output is called as an input is.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from cnnir.diagnostics import CnnirError, Diagnostic, OpError
from cnnir.ir.expand import expanded
from cnnir.ir.graph import Graph, Layer, Value
from cnnir.ops.tensor import Input
from cnnir.types import numpy_dtype

if TYPE_CHECKING:
    import onnx

    from .builder import Builder, Constant

LIMIT = 2**31 - 2**24
"""Bytes of weights that fit into one file; a serialized model ends at 2 GB."""


def export(graph: Graph) -> onnx.ModelProto:
    """The network as an ONNX model (opset 20), weights inside.

    Raises CnnirError naming every layer that ONNX cannot say, or where the weights do not fit into one message.
    """
    return _whole(_build(graph))


def _whole(build: Builder) -> onnx.ModelProto:
    if _size(build) > LIMIT:
        raise CnnirError(Diagnostic("C0702", "the weights do not fit into one ONNX message (2 GB)", help="save with external data"))
    from .store import inside

    return _assemble(build, inside)


def save(graph: Graph, path: str | Path, *, external: bool | None = None) -> None:
    """Write the network as an ONNX file; with `external` the weights go to `<path>.data` beside it.

    By default they do only where they must, above 2 GB. Raises CnnirError.
    """
    from cnnir.files import write_atomically

    from .store import ExternalFile

    path, build = Path(path), _build(graph)
    if external is None:
        external = _size(build) > LIMIT
    if not external:
        write_atomically(path, _whole(build).SerializeToString())
        return
    with ExternalFile(path.with_name(path.name + ".data")) as data:
        model = _assemble(build, data.add)
    write_atomically(path, model.SerializeToString())


def _size(build: Builder) -> int:
    return sum(prod(c.shape) * numpy_dtype(c.dtype).itemsize for c in build.constants.values())


def _build(graph: Graph) -> Builder:
    try:
        from .builder import Builder
    except ImportError as error:
        help = "pip install 'cnnir[peers]'"
        raise CnnirError(Diagnostic("C0703", "writing ONNX needs the package `onnx`", help=help), exit_code=3) from error
    from .layers import has_rule

    graph = expanded(graph, lambda op: not has_rule(op))
    build = Builder(graph)
    for name in graph.inputs:
        build.bind(Value(name), build.unique(name))
    outputs: dict[Value, str] = {}
    for name, value in graph.results.items():
        free = build.unique(name)
        build.results.append((free, value))
        if not isinstance(graph[value.layer].op, Input):
            outputs.setdefault(value, free)
    needed = graph.live()
    for layer in graph.layers():
        if layer.name in needed and not isinstance(layer.op, Input):
            _write(build, layer, outputs.get(Value(layer.name)))
    for free, value in build.results:
        if build.names[value] != free:  # an input, or a value that is an output twice
            build.begin(graph[value.layer])
            build.node("Identity", [build.names[value]], graph.type(value).dtype)
            build.rename_last(free)
    build.check()
    return build


def _write(build: Builder, layer: Layer, output: str | None) -> None:
    from .layers import write

    graph = build.graph
    operands = graph.data(layer.name)
    build.begin(layer)
    before = len(build.nodes)
    try:
        name = write(build, layer, [build.names[v] for v in operands], [graph.type(v) for v in operands])
        if len(build.nodes) == before or build.nodes[-1].output[0] != name:  # the formula is its variable or a constant
            build.node("Identity", [name], layer.type.dtype)
        name = build.rename_last(output or build.unique(layer.name))
    except OpError as error:
        build.refuse(layer, error)
        for value in graph.values(layer.name):  # so that the layers after it are looked at too
            build.bind(value, layer.name)
        return
    build.bind(Value(layer.name), name)


def _assemble(build: Builder, tensor: Callable[[str, Constant], onnx.TensorProto]) -> onnx.ModelProto:
    """The model, each constant written by `tensor`."""
    from onnx import helper

    from .builder import ELEMENT_TYPES, OPSET

    graph = build.graph
    inputs = [helper.make_tensor_value_info(build.names[Value(n)], ELEMENT_TYPES[t.dtype], t.shape) for n, t in graph.inputs.items()]
    outputs = [helper.make_tensor_value_info(n, ELEMENT_TYPES[graph.type(v).dtype], graph.type(v).shape) for n, v in build.results]
    body = helper.make_graph(build.nodes, graph.name or "network", inputs, outputs)
    for name, constant in build.constants.items():
        body.initializer.append(tensor(name, constant))
    return helper.make_model(body, producer_name="cnnir", ir_version=9, opset_imports=[helper.make_opsetid("", OPSET)])
