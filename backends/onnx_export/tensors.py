"""The tensors of the file that a network was read from: those that it stores, and those that its nodes compute of shapes alone."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import TensorProto, numpy_helper

from cnnir.ir.provenance import KnownTensor, Provenance, SourceTensor
from cnnir.ir.weights import WeightSource

from .builder import ELEMENT_TYPES, Constant

SMALL = 1 << 12
"""Elements up to which a tensor may say what shape a node's output has."""


class Tensors:
    """Tensors by name."""

    def __init__(self, source: Provenance) -> None:
        self.stored: Mapping[str, SourceTensor] = {t.name: t for t in source.tensors}
        self._holding = {id(t.numbers): t.name for t in source.tensors if t.numbers is not None}
        self.computed: Mapping[str, KnownTensor] = {
            name: result for node in source.nodes for name, result in node.results if isinstance(result, KnownTensor)
        }

    def __contains__(self, name: str) -> bool:
        return name in self.stored or name in self.computed

    def small(self, name: str) -> TensorProto | None:
        """The tensor with its numbers, if there are few."""
        stored, computed = self.stored.get(name), self.computed.get(name)
        if stored is not None:
            return TensorProto.FromString(stored.content) if stored.numbers is None and stored.type.elements <= SMALL else None
        if computed is None or computed.numbers is None or computed.type.elements > SMALL:
            return None
        return numpy_helper.from_array(computed.numbers.array(), name)

    def constant(self, name: str) -> Constant | None:
        """The tensor as the writer takes it, its numbers read when they are written; None where there is nothing to write."""
        stored, computed = self.stored.get(name), self.computed.get(name)
        if stored is not None:
            numbers = stored.numbers
            return Constant(stored.type.dtype, stored.type.shape, numbers.array if numbers else None, stored.content, stored.field)
        if computed is None or computed.numbers is None or computed.type.dtype not in ELEMENT_TYPES:
            return None
        return Constant(computed.type.dtype, computed.type.shape, computed.numbers.array)

    def holding(self, numbers: WeightSource, shape: tuple[int, ...]) -> str | None:
        """The tensor that stores these very numbers in this shape, if one does."""
        found = self._holding.get(id(numbers))
        return found if found is not None and self.stored[found].type.shape == shape else None
