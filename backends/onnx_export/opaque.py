"""Opaque nodes go out as they came in: the bytes of the node, on what it reads now."""

from __future__ import annotations

from typing import cast

from google.protobuf.message import DecodeError
from onnx import NodeProto, defs

from cnnir.ir.graph import Graph, Layer
from cnnir.ops.opaque import Opaque

from .builder import Builder, unsupported
from .protos import fed


def opset_of(graph: Graph) -> int | None:
    """The opset of ONNX's own operators that the opaque nodes of a network are of, the newest where they differ."""
    ops = [layer.op for layer in graph.layers() if isinstance(layer.op, Opaque)]
    found = [(_node(op), _opset(op)) for op in ops if op.kind.startswith("onnx.")]
    return max((opset for node, opset in found if node.domain in ("", "ai.onnx")), default=None)


def write(build: Builder, layer: Layer, outputs: list[str]) -> None:
    """Add the node; raises OpError where it is not one of ONNX's, or of an opset that is not the model's."""
    op = layer.op
    assert isinstance(op, Opaque)
    if not op.kind.startswith("onnx."):
        unsupported(f"`{op.kind}` is kept from another framework")
    node, opset, captures = _node(op), _opset(op), cast("tuple[str, ...]", dict(op.payload).get("captures", ()))
    _import(build, node, opset)
    operands = build.graph.operands(layer.name)
    operands += [None] * (len(node.input) + len(captures) - len(operands))
    names = ["" if value is None else build.names[value] for value in operands]
    if len(names) != len(node.input) + len(captures) or len(outputs) != len(node.output):
        unsupported(f"`{op.kind}` has other inputs and outputs than the node that it keeps")
    inner = dict(zip(captures, names[len(node.input) :], strict=True))
    build.nodes.append(fed(node, names[: len(node.input)], outputs, inner))


def _import(build: Builder, node: NodeProto, opset: int) -> None:
    domain = "" if node.domain == "ai.onnx" else node.domain
    known = build.domains.setdefault(domain, opset)
    if known == opset:
        return
    versions = [defs.get_schema(node.op_type, v, domain).since_version for v in (known, opset) if defs.has(node.op_type, v, domain)]
    if len(versions) < 2 or versions[0] != versions[1]:
        unsupported(f"`{node.op_type}` is of opset {opset}, and the model of opset {known}")


def _node(op: Opaque) -> NodeProto:
    content = dict(op.payload).get("node", b"")
    try:
        return NodeProto.FromString(content if isinstance(content, bytes) else b"")
    except DecodeError:
        unsupported(f"what `{op.kind}` keeps is no node of ONNX's")


def _opset(op: Opaque) -> int:
    opset = dict(op.payload).get("opset", 0)
    return opset if isinstance(opset, int) else 0
