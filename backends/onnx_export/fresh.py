"""A network that no ONNX file is known of, as a model of its own."""

from __future__ import annotations

from onnx import ModelProto, helper

from cnnir.ir.expand import expanded
from cnnir.ir.graph import Graph, Layer, Value
from cnnir.ops.tensor import Input

from .builder import ELEMENT_TYPES, OPSET, Builder
from .layers import has_rule
from .opaque import opset_of
from .write import write_layer


def write(graph: Graph) -> tuple[Builder, ModelProto]:
    """The builder with all nodes and tensors, and the model without them; raises CnnirError naming each layer that ONNX cannot say.

    Inputs and outputs keep their order, and their names unless an output is called as an input is. The opset is `OPSET`, or
    that of opaque nodes.
    """
    graph = expanded(graph, lambda op: not has_rule(op))
    build = Builder(graph, opset_of(graph) or OPSET)
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
            write_layer(build, layer, _names(build, layer, outputs))
    for free, value in build.results:
        if build.names[value] != free:  # an input, or a value that is an output twice
            build.begin(graph[value.layer])
            build.node("Identity", [build.names[value]], graph.type(value).dtype)
            build.rename_last(free)
    build.check()
    return build, _model(build)


def _names(build: Builder, layer: Layer, outputs: dict[Value, str]) -> list[str]:
    values = build.graph.values(layer.name)
    return [outputs.get(v) or build.unique(layer.name if v.slot == 0 else f"{layer.name}:{v.slot}") for v in values]


def _model(build: Builder) -> ModelProto:
    graph = build.graph
    inputs = [helper.make_tensor_value_info(build.names[Value(n)], ELEMENT_TYPES[t.dtype], t.shape) for n, t in graph.inputs.items()]
    outputs = [helper.make_tensor_value_info(n, ELEMENT_TYPES[graph.type(v).dtype], graph.type(v).shape) for n, v in build.results]
    body = helper.make_graph([], graph.name or "network", inputs, outputs)
    imports = [helper.make_opsetid(domain, opset) for domain, opset in build.domains.items()]
    version = max(9, helper.find_min_ir_version_for(imports, ignore_unknown=True))
    return helper.make_model(body, producer_name="cnnir", ir_version=version, opset_imports=imports)
