"""Nodes of a model as they are: their names changed, and whether ONNX still understands them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import onnx
from onnx import GraphProto, NodeProto, TensorProto, TypeProto, helper, shape_inference

from cnnir.ir.subgraphs import defined, subgraphs
from cnnir.types import TensorType

from .builder import ELEMENT_TYPES


def nested_names(content: bytes) -> Iterator[str]:
    """The names of values that the subgraphs of a node have for themselves."""
    pending = list(subgraphs(NodeProto.FromString(content)))
    while pending:
        graph = pending.pop()
        yield from defined(graph)
        pending.extend(g for node in graph.node for g in subgraphs(node))


def renamed(content: bytes, names: Mapping[str, str]) -> NodeProto:
    """The node of these bytes with values called otherwise, also where its subgraphs take them from around it."""
    node = NodeProto.FromString(content)
    changed = {old: new for old, new in names.items() if old != new}
    if changed:
        _rename(node, changed)
        node.output[:] = [changed.get(name, name) for name in node.output]
    return node


def fed(node: NodeProto, inputs: Sequence[str], outputs: Sequence[str], captures: Mapping[str, str]) -> NodeProto:
    """The node with other inputs and outputs, slot by slot; `captures` is what its subgraphs take from around it."""
    _rename(node, captures)
    node.input[:], node.output[:] = inputs, outputs
    return node


def _rename(node: NodeProto, names: Mapping[str, str]) -> None:
    """Change the names of what a node reads, and of what its subgraphs capture: those hide what they define."""
    pending: list[tuple[NodeProto, Mapping[str, str]]] = [(node, names)]
    while pending:
        inner, known = pending.pop()
        inner.input[:] = [known.get(name, name) for name in inner.input]
        for graph in subgraphs(inner):
            own = defined(graph)
            outer = {old: new for old, new in known.items() if old not in own}
            for output in graph.output:
                output.name = outer.get(output.name, output.name)
            pending.extend((n, outer) for n in graph.node)


def type_proto(t: TensorType) -> TypeProto:
    """A tensor type as ONNX writes it."""
    return helper.make_tensor_type_proto(ELEMENT_TYPES[t.dtype], t.shape)


def gives(
    node: NodeProto, types: Mapping[str, TensorType], tensors: Mapping[str, TensorProto], opsets: Mapping[str, int]
) -> list[TensorType | None]:
    """What ONNX says a node's outputs are, for inputs of these types and tensors; None where it refuses or does not know.

    The node is alone in a model of these opsets. An attribute that asks for padding by size never means the same elsewhere.
    """
    unknown: list[TensorType | None] = [None] * len(node.output)
    if any(a.name == "auto_pad" and a.s not in (b"NOTSET", b"VALID") for a in node.attribute):
        return unknown
    graph = GraphProto(name="one", node=[node])
    graph.input.extend(onnx.ValueInfoProto(name=n, type=type_proto(t)) for n, t in types.items() if n not in tensors)
    graph.initializer.extend(tensors.values())
    graph.output.extend(helper.make_empty_tensor_value_info(n) for n in node.output if n)
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    model = helper.make_model(graph, opset_imports=imports, ir_version=10)
    try:
        done = shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except Exception:  # C++ throws what it likes where a node does not fit
        return unknown
    found = {info.name: _static(info.type) for info in done.graph.output}
    return [found.get(name) for name in node.output]


_DTYPES: Mapping[int, str] = {element: dtype for dtype, element in ELEMENT_TYPES.items()}


def _static(proto: TypeProto) -> TensorType | None:
    sizes: Sequence[Any] = proto.tensor_type.shape.dim
    if proto.tensor_type.elem_type not in _DTYPES or not all(d.HasField("dim_value") for d in sizes):
        return None
    return TensorType(_DTYPES[proto.tensor_type.elem_type], tuple(d.dim_value for d in sizes))
