"""Nodes that the IR has no layer for: their functions written out where ONNX has one, or the node kept word for word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import onnx
from onnx import FunctionProto, GraphProto, NodeProto, TypeProto, helper, shape_inference

from cnnir.ops.opaque import Attribute, Opaque
from cnnir.types import TensorType

from .elements import ELEMENTS
from .inputs import static_type
from .node import Known, Node
from .registry import Unreadable

SMALL = 1 << 16


def schema_of(op: str, domain: str, opset: int) -> onnx.defs.OpSchema | None:
    """What ONNX says of an operator at an opset version; None where it knows no such one."""
    try:
        return onnx.defs.get_schema(op, opset, "" if domain == "ai.onnx" else domain)
    except onnx.defs.SchemaError:
        return None


def type_proto(t: TensorType) -> TypeProto:
    """A tensor type as ONNX writes it."""
    return helper.make_tensor_type_proto(ELEMENTS[t.dtype], t.shape)


def function_body(node: Node, types: Sequence[TensorType | None]) -> FunctionProto | None:
    """The function that an operator stands for; None where it is a primitive."""
    schema: Any = schema_of(node.op, node.proto.domain, node.opset)  # whose stub knows nothing of functions
    if schema is None:
        return None
    if schema.has_function:
        return schema.function_body
    if not schema.has_context_dependent_function:
        return None
    kinds = [type_proto(t).SerializeToString() if t else b"" for t in types]
    proto = NodeProto()
    proto.CopyFrom(node.proto)
    del proto.attribute[:]
    proto.attribute.extend(node.attributes.values())
    version = max((v for v in schema.context_dependent_function_opset_versions if v <= node.opset), default=schema.since_version)
    try:
        body = schema.get_context_dependent_function_with_opset_version(version, proto.SerializeToString(), kinds)
        return FunctionProto.FromString(body) if body else None
    except Exception:  # C++ throws what it likes where attributes are odd
        return None


def output_types(
    node: Node, types: Sequence[TensorType | None], declared: Sequence[TensorType | None], extra: Sequence[tuple[str, TensorType]]
) -> tuple[TensorType, ...]:
    """The types of a node's outputs, by ONNX's inference or as the model declares them; raises Unreadable where unknown."""
    found = _inferred(node, types, extra)
    both = [mine or theirs for mine, theirs in zip(found, declared, strict=True)]
    missing = [name for name, t in zip(node.outputs, both, strict=True) if t is None]
    if missing:
        raise Unreadable(f"the type of its output `{missing[0]}` is not known")
    return tuple(t for t in both if t is not None)


def _inferred(node: Node, types: Sequence[TensorType | None], extra: Sequence[tuple[str, TensorType]]) -> list[TensorType | None]:
    nothing: list[TensorType | None] = [None] * len(node.outputs)
    names = [f"i{k}" if t else "" for k, t in enumerate(types)]
    outputs = [f"o{k}" for k in range(len(node.outputs))]
    proto = NodeProto()
    proto.CopyFrom(node.proto)
    proto.input[:], proto.output[:] = names, outputs
    del proto.attribute[:]
    proto.attribute.extend(node.attributes.values())
    graph = GraphProto(name="one", node=[proto])
    graph.input.extend(onnx.ValueInfoProto(name=n, type=type_proto(t)) for n, t in zip(names, types, strict=True) if t)
    graph.input.extend(onnx.ValueInfoProto(name=n, type=type_proto(t)) for n, t in extra)
    for name, operand in zip(names, node.inputs, strict=False):
        if isinstance(operand, Known) and operand.type.elements <= SMALL and not operand.narrow:
            graph.initializer.append(onnx.numpy_helper.from_array(operand.array(), name))
    graph.output.extend(helper.make_empty_tensor_value_info(n) for n in outputs)
    domains = [helper.make_opsetid("", node.opset)]
    if node.proto.domain not in ("", "ai.onnx"):
        domains = [helper.make_opsetid("", onnx.defs.onnx_opset_version()), helper.make_opsetid(node.proto.domain, node.opset)]
    try:
        model = helper.make_model(graph, opset_imports=domains, ir_version=10)
        done = shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # what it refuses is of no known type
        return nothing
    by_name = {info.name: static_type(info.type) for info in done.graph.output}
    return [by_name.get(name) for name in outputs]


def opaque(node: Node, types: tuple[TensorType, ...], reason: str, needs: Sequence[str], captures: Sequence[str]) -> Opaque:
    """The node word for word: its bytes, its opset, and why it is kept so."""
    payload: list[tuple[str, Attribute]] = [("node", node.proto.SerializeToString()), ("opset", node.opset), ("why", reason)]
    if needs:
        payload.append(("needs", tuple(needs)))
    if captures:
        payload.append(("captures", tuple(captures)))
    return Opaque(kind(node.op, node.proto.domain), types, tuple(payload))


def kind(op: str, domain: str) -> str:
    """What an opaque node is called: `onnx.Op`, or `onnx.domain.Op`."""
    words = ["onnx", *("" if domain in ("", "ai.onnx") else domain).split("."), op]
    clean = [re.sub(r"\W", "_", word, flags=re.ASCII) for word in words if word]
    return ".".join(word if not word[0].isdigit() else f"_{word}" for word in clean)
