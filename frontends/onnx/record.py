"""What the file said, written down while it is read, so that a writer can give back what nobody has touched."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto

from cnnir.diagnostics import Span
from cnnir.ir.graph import Value
from cnnir.ir.provenance import KnownTensor, Provenance, SourceNode, SourceTensor, made_layer
from cnnir.ir.subgraphs import captured
from cnnir.ir.weights import Held
from cnnir.types import TensorType

from .context import Builder
from .extents import LEFT_IN_PLACE
from .node import Known, Operand
from .tensors import Place, left_in_file, stored_bytes

FORMAT = "onnx"
_LISTS: Mapping[int, str] = {TensorProto.FLOAT: "float_data", TensorProto.INT64: "int64_data", TensorProto.DOUBLE: "double_data"}
"""Element type -> the typed list whose elements are those of the tensor, one each."""

Names = Mapping[str, Operand | None]


class Recorder:
    """Collects the nodes of a model in the order of the file, and the layers that each has made."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._nodes: dict[int, tuple[NodeProto, list[str]]] = {}

    def node(self, number: int, proto: NodeProto, layers: list[str]) -> None:
        """A node of the model's own graph has been read, and these layers were added."""
        self._nodes[number] = proto, layers

    def provenance(self, model: ModelProto, names: Names, place: Place, span: Span) -> Provenance:
        """The record. `model` is emptied of its nodes and tensors, of which it would be a second copy."""
        graph = self._builder.graph
        values = {name: value for name, operand in names.items() if (value := self._value(operand)) is not None}
        shared = {value.layer for name, value in values.items() if isinstance(names[name], Known)}
        nodes = tuple(self._source(*self._nodes[number], names, values, shared) for number in sorted(self._nodes))
        tensors = tuple(_tensor(tensor, names[tensor.name], place, span) for tensor in model.graph.initializer)
        types = {
            n: operand.type if isinstance(operand, Known) else graph.type(operand) for n, operand in names.items() if operand is not None
        }
        del model.graph.node[:], model.graph.initializer[:]
        weights = {key: graph.weights.source(key) for key in graph.weights}
        return Provenance(FORMAT, model.SerializeToString(), nodes, tensors, values, types, weights)

    def _value(self, operand: Operand | None) -> Value | None:
        return self._builder.layer_of(operand) if isinstance(operand, Known) else operand

    def _source(self, proto: NodeProto, layers: list[str], names: Names, values: Mapping[str, Value], shared: set[str]) -> SourceNode:
        """Layers that give a tensor with a name are nobody's: the first node that reads it makes them."""
        inputs = tuple(dict.fromkeys([*filter(None, proto.input), *captured(proto)]))
        results = tuple((name, _result(names[name])) for name in proto.output if name)
        made = tuple(made_layer(self._builder.graph, name) for name in layers if name not in shared)
        return SourceNode(proto.SerializeToString(), inputs, results, made)


def _result(operand: Operand | None) -> Value | KnownTensor:
    assert operand is not None  # nothing is recorded of a model that is wrong
    if isinstance(operand, Value):
        return operand
    return KnownTensor(operand.type, None if operand.narrow else operand.source)


def _tensor(tensor: TensorProto, operand: Operand | None, place: Place, span: Span) -> SourceTensor:
    """A tensor of the file; many numbers are left where they are."""
    assert isinstance(operand, Known)
    field = _field(tensor, operand.type, place)
    if not field:
        return SourceTensor(tensor.name, operand.type, tensor.SerializeToString())
    numbers = operand.source
    if operand.narrow:
        needed = stored_bytes(operand.type, operand.narrow)
        numbers = left_in_file(tensor, tensor.name, place, needed, span) or Held(np.frombuffer(tensor.raw_data, np.uint8))
    header = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
    if tensor.HasField("doc_string"):
        header.doc_string = tensor.doc_string
    header.metadata_props.extend(tensor.metadata_props)
    return SourceTensor(tensor.name, operand.type, header.SerializeToString(), numbers, field)


def _field(tensor: TensorProto, kind: TensorType, place: Place) -> str:
    """Where the numbers go, if there are enough of them to be left out."""
    if tensor.data_location == TensorProto.EXTERNAL:
        return "external_data"
    if tensor.HasField("raw_data"):
        return "raw_data" if kind.bytes >= LEFT_IN_PLACE else ""
    if tensor.name in place.extents:
        return "raw_data"
    listed = _LISTS.get(tensor.data_type, "")
    return listed if listed and kind.bytes >= LEFT_IN_PLACE and len(getattr(tensor, listed)) else ""
