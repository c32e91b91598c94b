"""Where a network was read from, kept as data: what a file said, node by node, and which layers came of it.

A frontend writes it down; a backend of the same format gives back word for word what nobody has touched since. It is no
part of the network: networks are equal, print and hash alike with it and without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnir.ops.base import Op
from cnnir.types import TensorType

from .weights import WeightSource

if TYPE_CHECKING:
    from .graph import Graph, Value


@dataclass(frozen=True, slots=True)
class MadeLayer:
    """A layer as it was when it was read: `types` are those of the operands that are present."""

    name: str
    op: Op
    operands: tuple[Value | None, ...]
    types: tuple[TensorType, ...]
    weights: tuple[tuple[str, str], ...]


def made_layer(graph: Graph, name: str) -> MadeLayer:
    """The record of a layer as it is now."""
    layer, types = graph[name], tuple(graph.type(v) for v in graph.data(name))
    return MadeLayer(name, layer.op, tuple(graph.operands(name)), types, layer.weights)


@dataclass(frozen=True, slots=True)
class SourceTensor:
    """A tensor of the file, whose numbers may have stayed where they are.

    `content` is the tensor as it is written, without its numbers where `numbers` says what they are. `field` is the field
    of the message that they go into.
    """

    name: str
    type: TensorType
    content: bytes
    numbers: WeightSource | None = None
    field: str = ""


@dataclass(frozen=True, slots=True)
class KnownTensor:
    """What a node gave that depends on no input, only on shapes: it was computed when the file was read."""

    type: TensorType
    numbers: WeightSource | None
    """None where its elements have no type of their own here."""


@dataclass(frozen=True, slots=True)
class SourceNode:
    """One node of the file: its bytes, the names of what it reads (in subgraphs, too), what it gives, and its layers.

    A node may have made no layer: of an identity the result is an operand, of arithmetic with shapes it is known.
    """

    content: bytes
    inputs: tuple[str, ...]
    results: tuple[tuple[str, Value | KnownTensor], ...]
    layers: tuple[MadeLayer, ...]


@dataclass(frozen=True, slots=True)
class Provenance:
    """A file that a network was read from.

    `content` is the file without its nodes and tensors; `values` are what its names meant, known tensors among them where they
    became layers; `types` theirs, and those of known tensors; `weights` the sources of the network's weights at that time.
    """

    format: str
    content: bytes
    nodes: tuple[SourceNode, ...]
    tensors: tuple[SourceTensor, ...]
    values: Mapping[str, Value]
    types: Mapping[str, TensorType]
    weights: Mapping[str, WeightSource]

    def keeps(self, graph: Graph, made: MadeLayer) -> bool:
        """Whether a layer is there with the op and the weights that it had; what it reads may be something else now."""
        if made.name not in graph:
            return False
        layer = graph[made.name]
        if layer.op != made.op or layer.weights != made.weights:
            return False
        return all(graph.weights.source(key) is self.weights.get(key) for _, key in layer.weights)
