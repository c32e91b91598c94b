"""What a reader makes layers with. They are kept aside until it is done, so that one which gives up has changed nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from cnnir.diagnostics import OpError, Origin
from cnnir.ir.graph import Graph, Value
from cnnir.ops.base import Op
from cnnir.ops.constant import Constant
from cnnir.ops.convert import Cast
from cnnir.types import DType, TensorType

from .elements import ELEMENTS
from .node import Array, Known, Node, Operand, known
from .registry import Unreadable


@dataclass(frozen=True, eq=False)
class _Layer:
    op: Op
    inputs: list[Value | None]
    weights: dict[str, Known]
    outputs: tuple[TensorType, ...]


LONGEST = 2**31 - 1
_DRAFT = "\0"  # no name of ONNX's is this followed by a number, and no layer is called so


class Builder:
    """The graph that is being made, and which weights and constants it has."""

    def __init__(self, graph: Graph, reserved: set[str]) -> None:
        self.graph = graph
        self._reserved = reserved
        self._constants: dict[int, tuple[Known, Value]] = {}
        self._keys: dict[str, Known] = {}
        self._added: list[str] = []
        self.narrow: dict[Value, int] = {}
        """Values of less than a byte an element, which are kept in bytes -> ONNX's element type."""

    def add(self, op: Op, inputs: Sequence[Value | None], name: str, weights: Mapping[str, str], origin: Origin) -> Value:
        """Add a layer."""
        self._added.append(name)
        return self.graph.add(op, inputs, name=name, weights=weights, origin=origin)

    def mark(self) -> int:
        """How much there is now, to go back to."""
        return len(self._added)

    def since(self, mark: int) -> list[str]:
        """The layers that have been added since."""
        return self._added[mark:]

    def rollback(self, mark: int) -> None:
        """Remove every layer that has been added since."""
        gone = set(self._added[mark:])
        for name in reversed(self._added[mark:]):
            self.graph.remove(name)
        del self._added[mark:]
        self._constants = {k: (t, v) for k, (t, v) in self._constants.items() if v.layer not in gone}

    def name_of(self, output: str) -> str:
        """The name of the layer that makes an output: its own, unless a function gave it away."""
        return output if output and output not in self.graph else self.name(output or "layer")

    def name(self, stem: str) -> str:
        """A layer name that no value of the model has."""
        found = self.graph.fresh(stem)
        while found in self._reserved:
            found = self.graph.fresh(found + "_")
        return found

    def weight(self, tensor: Known) -> str:
        """The key of a known tensor in the store of weights."""
        key = tensor.name
        if self._keys.get(key) is not tensor:
            key = self.graph.weights.fresh(tensor.name or "weight")
            self._keys[key] = tensor
            self.graph.weights[key] = tensor.source
        return key

    def layer_of(self, tensor: Known) -> Value | None:
        """The layer that gives a known tensor, if there is one."""
        found = self._constants.get(id(tensor))
        return None if found is None else found[1]

    def constant(self, tensor: Known, origin: Origin) -> Value:
        """The layer that gives a known tensor."""
        if id(tensor) not in self._constants:
            key = {"value": self.weight(tensor)}
            value = self.add(Constant(tensor.type), [], self.name(tensor.name or "constant"), key, origin)
            self._constants[id(tensor)] = tensor, value
        return self._constants[id(tensor)][1]


class Context:
    """One reader's layers."""

    def __init__(self, builder: Builder, node: Node) -> None:
        self._builder = builder
        self._node = node
        self._layers: list[_Layer] = []
        self._narrow: dict[Value, int] = {}

    def element(self, operand: Operand) -> int:
        """ONNX's element type of an operand."""
        narrow = operand.narrow if isinstance(operand, Known) else self._narrow.get(operand) or self._builder.narrow.get(operand, 0)
        return narrow or ELEMENTS[self.type(operand).dtype]

    def narrowed(self, value: Value, element: int) -> Value:
        """A value whose elements are of less than a byte."""
        self._narrow[value] = element
        return value

    def empty(self, shape: Sequence[int], like: Operand) -> Known:
        """A tensor without elements, which is always known."""
        return self.constant(np.empty(tuple(shape), self.type(like).numpy), "empty")

    def type(self, operand: Operand) -> TensorType:
        """The type of an input or of what was made."""
        if isinstance(operand, Known):
            return operand.type
        if operand.layer.startswith(_DRAFT):
            return self._layers[int(operand.layer[1:])].outputs[operand.slot]
        return self._builder.graph.type(operand)

    def emit(self, op: Op, *inputs: Operand | None, **weights: Known | None) -> Value:
        """Add a layer and give its first output; raises OpError where op and inputs do not fit."""
        values = [self.value(v) if isinstance(v, Known) else v for v in inputs]
        present = [v for v in values if v is not None]
        while values and values[-1] is None:
            values.pop()
        op = op.without(tuple(slot for slot, v in enumerate(values) if v is None))
        op.check_arity(len(present))
        outputs = self._builder.graph.infer(op, [self.type(v) for v in present])
        if any(n > LONGEST for t in outputs for n in t.shape):
            raise OpError("C0210", f"it makes a tensor of {outputs[0]}", help="an axis has at most 2^31-1 elements")
        return self._add(_Layer(op, values, {role: w for role, w in weights.items() if w is not None}, outputs))

    def _add(self, layer: _Layer) -> Value:
        self._layers.append(layer)
        return Value(f"{_DRAFT}{len(self._layers) - 1}")

    def cast(self, operand: Operand, dtype: str) -> Value:
        """The same numbers in another of our element types."""
        return self.emit(Cast(cast("DType", dtype)), operand)

    def outputs(self, value: Value) -> list[Value]:
        """All outputs of the layer that makes a value."""
        return [Value(value.layer, slot) for slot in range(len(self._layers[int(value.layer[1:])].outputs))]

    def value(self, operand: Operand) -> Value:
        """An operand as the output of a layer."""
        if isinstance(operand, Value):
            return operand
        return self._add(_Layer(Constant(operand.type), [], {"value": operand}, (operand.type,)))

    def constant(self, array: Array, what: str) -> Known:
        """An array that the reader made, as an operand."""
        return known(f"{self._node.outputs[0]}.{what}", array)

    def known(self, slot: int) -> Known:
        """An input that must be known; raises Unreadable where it is computed."""
        found = self._node.data(slot)
        if isinstance(found, Known):
            return found
        name = self._node.proto.input[slot]
        raise Unreadable(f"its input `{name}` is computed when the network runs", [name])

    def array(self, slot: int) -> Array:
        """The elements of an input that must be known."""
        return self.known(slot).array()

    def integers(self, slot: int) -> tuple[int, ...]:
        """The whole numbers of an input that must be known."""
        return tuple(int(n) for n in np.ravel(self.array(slot)).tolist())

    def optional_integers(self, slot: int) -> tuple[int, ...] | None:
        """The same, of an input that may be absent."""
        return None if self._node.input(slot) is None else self.integers(slot)

    def commit(self, results: Sequence[Operand], origin: Origin) -> list[Operand]:
        """Add the layers to the graph, those that make the node's outputs under their names; gives the outputs."""
        names: dict[str, str] = {}
        for name, result in zip(self._node.outputs, results, strict=False):
            if isinstance(result, Value) and name and result.slot == 0 and result.layer.startswith(_DRAFT):
                names.setdefault(result.layer, name)
        first = next(filter(None, self._node.outputs), "layer")
        made: dict[str, Value] = {}

        def real(value: Value) -> Value:
            return Value(made[value.layer].layer, value.slot) if value.layer in made else value

        for number, layer in enumerate(self._layers):
            draft = f"{_DRAFT}{number}"
            if isinstance(layer.op, Constant) and draft not in names:
                made[draft] = self._builder.constant(layer.weights["value"], origin)
                continue
            inputs = [None if v is None else real(v) for v in layer.inputs]
            weights = {role: self._builder.weight(w) for role, w in layer.weights.items()}
            name = names.get(draft) or self._builder.name(f"{first}/{layer.op.name}")
            if name in self._builder.graph:
                name = self._builder.name(name)
            made[draft] = self._builder.add(layer.op, inputs, name, weights, origin)
        self._builder.narrow.update({real(value): element for value, element in self._narrow.items()})
        return [real(r) if isinstance(r, Value) else r for r in results]
