"""Graph -> the pieces that a text is made of: every layer with its spelling, in an order in which what belongs together is together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cnnir.ops.activation import UserActivation
from cnnir.ops.arithmetic import Binary
from cnnir.ops.base import Op
from cnnir.ops.convolution import Conv
from cnnir.ops.opaque import Opaque
from cnnir.ops.registry import OPS
from cnnir.ops.tensor import Input
from cnnir.scalar.primitives import PRIMITIVES
from cnnir.types import TensorType

from . import spelling
from .graph import Graph, Layer, Value
from .pieces import Leaf, Slot, Spelled


class Reading:
    """The layers of one graph, inputs apart."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.functions: dict[UserActivation, str] = {}
        self._taken: set[str] = {*OPS, *PRIMITIVES, "depthwise"}
        self._numbers: dict[str, int] = {}
        self._spelled: dict[tuple[object, ...], Spelled] = {}
        self._layers = [layer for layer in graph.layers() if not isinstance(layer.op, Input)]
        self._operands = {layer.name: graph.operands(layer.name) for layer in self._layers}
        self._places = {layer.name: place for place, layer in enumerate(self._layers)}
        for layer in self._layers:
            self._spell(layer)  # activations are defined in the order of the layers
        self._order = self._together()

    def pieces(self, pinned: Mapping[str, tuple[str, ...]]) -> list[Leaf]:
        """The layers; `pinned` says by name what is written in a layer's call about its name and weights."""
        return [
            Leaf(
                layer,
                self._spell(layer),
                self._operands[layer.name],
                [Value(layer.name, slot) for slot in range(len(layer.outputs))],
                self._places[layer.name],
                pinned.get(layer.name, ()),
            )
            for layer in self._order
        ]

    def _together(self) -> list[Layer]:
        """Each layer after what it reads, by slot: whatever has one way in and one way out is written without interruption."""
        found: dict[str, Layer] = {}
        known = {layer.name: layer for layer in self._layers}
        for root in [*(value.layer for value in self.graph.results.values()), *known]:
            pending = [root]
            while pending:
                name = pending[-1]
                missing = None
                if name in known and name not in found:
                    missing = next((v.layer for v in self._operands[name] if v and v.layer in known and v.layer not in found), None)
                if missing is not None:
                    pending.append(missing)
                    continue
                pending.pop()
                if name in known:
                    found.setdefault(name, known[name])
        return list(found.values())

    # -- spelling -----------------------------------------------------------------------------------------------------

    def _spell(self, layer: Layer) -> Spelled:
        op = layer.op
        zeros = [str(v) for v in vars(op).values() if v == 0.0 and isinstance(v, float)]  # 0.0 equals -0.0
        data = self._data(layer) if isinstance(op, Conv) else None
        deep = isinstance(op, Conv) and data is not None and op.groups == data.channels
        key = (op, *zeros, deep)
        if key not in self._spelled:
            self._spelled[key] = self._make(op, data)
        return self._spelled[key]

    def _data(self, layer: Layer) -> TensorType | None:
        first = next((v for v in self._operands[layer.name] if v is not None), None)
        return None if first is None else self.graph.type(first)

    def _make(self, op: Op, data: TensorType | None) -> Spelled:
        if isinstance(op, UserActivation):
            name = self._function(op)
            return Spelled(name, (), spelling.name(name), (), name, name)
        if isinstance(op, Opaque):
            return Spelled(op.kind, (), op.kind, (), op, op)
        called, arguments = spelling.operation(op, data)
        chained = not (isinstance(op, Binary) and op.reverse)
        texts = spelling.written(arguments)
        slots = tuple(Slot(a.field, a.number, a.usual) for a in arguments if a.number is not None)
        strict = tuple("" if a.primary and a.number is not None else a.text for a in arguments)
        loose = tuple("" if a.number is not None else a.text for a in arguments)
        heavy = type(op).macs is not Op.macs
        text = f"{called}({', '.join(texts)})" if texts else called
        return Spelled(called, arguments, text, slots, (called, chained, *strict), (called, chained, *loose), heavy, chained)

    def _function(self, op: UserActivation) -> str:
        """The name that an activation is defined under: its own, unless an op or another activation has it."""
        if op not in self.functions:
            stem = op.function if spelling.name(op.function) == op.function else "f"
            name, number = stem, self._numbers.get(stem, 2)
            while name in self._taken:
                name, number = f"{stem}_{number}", number + 1
            self._numbers[stem] = number  # where the search ended: 10,000 of one name stay linear
            self._taken.add(name)
            self.functions[op] = name
        return self.functions[op]


def roles(graph: Graph, layer: Layer, operands: Sequence[Value | None]) -> list[str]:
    """The roles of a layer's weights, in the order of its op."""
    return list(layer.op.parameters([graph.type(v) for v in operands if v is not None]))
