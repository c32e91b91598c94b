"""The rest of a model: what a file says besides its nodes, as far as it is still true."""

from __future__ import annotations

from onnx import ModelProto, NodeProto, ValueInfoProto, helper

from cnnir.ir.graph import Graph
from cnnir.ir.provenance import Provenance
from cnnir.ir.subgraphs import captured
from cnnir.types import TensorType

from .builder import Builder, Constant
from .naming import Names
from .store import inside
from .tensors import Tensors

TENSORS_APART = 4
"""The IR version since which a tensor need not be an input, too."""


def finish(build: Builder, source: Provenance, names: Names, tensors: Tensors, moved: bool, anew: bool) -> ModelProto:
    """The file's model without nodes and tensors; `build` gets the tensors of the file that are read, in their order.

    `moved` is whether any node is not as it was, `anew` whether any is written anew.
    """
    model = ModelProto.FromString(source.content)
    used = {name for node in build.nodes for name in (*node.input, *captured(node))} | {o.name for o in model.graph.output}
    read = {name for node in source.nodes for name in node.inputs}
    stored = [name for name in tensors.stored if name in used or name not in read]
    new = {name: constant for name, constant in build.constants.items() if name in used}
    build.constants = {}
    for name in stored:
        constant = tensors.constant(name)
        assert constant is not None
        build.constants[name] = constant
    if model.ir_version >= TENSORS_APART:
        build.constants |= new
    else:
        build.nodes[:0] = [_constant_node(name, constant) for name, constant in new.items()]
    _prune(model, names, {*build.constants, *(name for node in build.nodes for name in node.output)}, set(tensors.stored) - set(stored))
    _bind(model, build.graph, moved, anew)
    imported = {_domain(o.domain) for o in model.opset_import}
    for domain in sorted({_domain(node.domain) for node in build.nodes} - imported):
        model.opset_import.append(helper.make_opsetid(domain, build.domains[domain]))
    return model


def _domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _constant_node(name: str, constant: Constant) -> NodeProto:
    return helper.make_node("Constant", [], [name], name=name, value=inside(name, constant))


def _prune(model: ModelProto, names: Names, made: set[str], gone: set[str]) -> None:
    """Drop what is said of values that are not there, or of another type now."""
    graph = model.graph
    inputs = [info for info in graph.input if info.name not in gone]
    told = [info for info in graph.value_info if info.name in made and _true(names, info.name)]
    del graph.input[:], graph.value_info[:]
    graph.input.extend(inputs)
    graph.value_info.extend(told)


def _true(names: Names, name: str) -> bool:
    """Whether a name of the file says a value of the type that it had."""
    value = names.value(name)
    return value is None or names.graph.type(value) == names.source.types.get(name)


def _bind(model: ModelProto, graph: Graph, moved: bool, anew: bool) -> None:
    """Sizes that the file leaves open stay open while nothing has moved: a proof holds for the sizes that it was made for.

    No proof looks at the first axis; but a layer that is written anew may say its size.
    """
    if not moved:
        return
    for info in model.graph.input:
        if info.name in graph.inputs:
            _close(info, graph.inputs[info.name], 0 if anew else 1)
    for info in model.graph.output:
        if info.name in graph.results:
            _close(info, graph.type(graph.results[info.name]), 0 if anew else 1)


def _close(info: ValueInfoProto, t: TensorType, since: int) -> None:
    tensor = info.type.tensor_type
    if len(tensor.shape.dim) != t.rank:
        if since == 0 and not tensor.HasField("shape"):
            info.type.CopyFrom(helper.make_tensor_type_proto(tensor.elem_type, t.shape))
        return
    for axis in range(since, t.rank):
        if not tensor.shape.dim[axis].HasField("dim_value"):
            tensor.shape.dim[axis].dim_value = t.shape[axis]
