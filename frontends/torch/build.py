"""What the rules for PyTorch's operations write into: layers, weights under their names, and folded constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from cnnir.diagnostics import OpError, Origin
from cnnir.ir.graph import Graph, Value
from cnnir.ir.weights import Held, Kind
from cnnir.ops.base import Op
from cnnir.ops.constant import Constant
from cnnir.types import TensorType, dtype_name

Array = np.ndarray[Any, Any]
MOST_FOLDED = 1 << 24
"""Elements of the largest tensor that is computed while reading; larger ones are computed by the network."""


@dataclass(frozen=True, eq=False)
class Known:
    """A tensor that is the same in every run: a parameter, a buffer, or what is computed of them alone."""

    key: str
    values: Array
    kind: Kind = "constant"
    derived: bool = False
    """Whether it was computed here: it is in no state dict."""
    transposed: Known | None = None
    """The matrix that this is the transpose of."""

    @property
    def type(self) -> TensorType:
        """Its type."""
        return TensorType(dtype_name(self.values.dtype), self.values.shape)


Operand: TypeAlias = Value | Known
"""A tensor: computed by a layer, or known."""


class Unsupported(Exception):
    """An operation, or a way of calling it, that has no layer here; the layer stays as PyTorch calls it."""


class Build:
    """The network that grows while the calls of a program are read."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.wanted = ""
        """The element type of the first result, as the exporter says it; empty where it says none."""
        self.needed: Sequence[bool] = ()
        """Which results of the operation something reads."""
        self._constants: dict[str, Value] = {}
        self._stem = "layer"
        self._origin = Origin()

    def begin(self, stem: str, origin: Origin) -> None:
        """What the layers that follow are called, and where they come from."""
        self._stem, self._origin = stem, origin

    def type(self, operand: Operand) -> TensorType:
        """The type of a tensor."""
        return operand.type if isinstance(operand, Known) else self.graph.type(operand)

    def shape(self, operand: Operand) -> tuple[int, ...]:
        """The shape of a tensor."""
        return self.type(operand).shape

    def axis(self, axis: int, rank: int) -> int:
        """An axis counted from the front."""
        return axis % rank if rank else 0

    def add(self, op: Op, *inputs: Operand | None, **weights: Known | None) -> Operand:
        """The first output of a layer on these tensors; its weights by their roles. What is known is computed at once."""
        return self.outputs(op, *inputs, **weights)[0]

    def outputs(self, op: Op, *inputs: Operand | None, **weights: Known | None) -> tuple[Operand, ...]:
        """All outputs of a layer."""
        given = {role: known for role, known in weights.items() if known is not None}
        present = [i for i in inputs if i is not None]
        self._check_weights(op, [self.type(i) for i in present], given)
        known = [i for i in present if isinstance(i, Known)]
        if len(known) == len(inputs) and known:
            folded = self._folded(op, known, given)
            if folded:
                return folded
        values = [None if i is None else self.value(i) for i in inputs]
        keys = {role: self.keep(weight) for role, weight in given.items()}
        layer = self.graph.add(op, values, name=self.graph.fresh(self._stem), weights=keys, origin=self._origin)
        return tuple(self.graph.values(layer.layer))

    def _check_weights(self, op: Op, types: Sequence[TensorType], given: Mapping[str, Known]) -> None:
        needed = op.parameters(types)
        if needed.keys() != given.keys():
            raise OpError("C0213", f"`{op.name}` needs the weights {sorted(needed)}, got {sorted(given)}")
        for role, known in given.items():
            wanted = TensorType(needed[role].dtype, needed[role].shape)
            if known.type != wanted:
                raise OpError("C0304", f"the {role} of `{op.name}` is {known.type}, and must be {wanted}")

    def _folded(self, op: Op, inputs: Sequence[Known], weights: Mapping[str, Known]) -> tuple[Known, ...]:
        """The outputs of a layer of known tensors; none where they are too large, or the op has no meaning in NumPy."""
        types = op.infer([i.type for i in inputs])
        if max(t.elements for t in types) > MOST_FOLDED:
            return ()
        with np.errstate(all="ignore"):
            arrays = op.evaluate([i.values for i in inputs], {role: w.values for role, w in weights.items()})
        return tuple(self.derived(array) for array in arrays)

    def derived(self, values: Array) -> Known:
        """What was computed while reading, under a name of its own."""
        key = f"{self._stem}.constant"
        return Known(self.graph.weights.fresh(key), np.asarray(values, order="C"), derived=True)

    def reshaped(self, known: Known, shape: tuple[int, ...]) -> Known:
        """The same weight in another shape and under the same name: `prelu` has one slope, PyTorch a vector of one."""
        values = known.values.reshape(shape)
        if not known.derived:
            self.graph.weights[known.key] = Held(values, known.kind)
        return Known(known.key, values, known.kind, known.derived)

    def keep(self, known: Known) -> str:
        """The name of a tensor in the store of weights; what was computed here is put there now."""
        if known.derived:
            name = known.key
            if name in self.graph.weights and self.graph.weights[name] is not known.values:
                name = self.graph.weights.fresh(name)
            self.graph.weights[name] = Held(known.values, "constant")
            return name
        return known.key

    def value(self, operand: Operand) -> Value:
        """A tensor as a layer's output: what is known becomes a `constant`."""
        if isinstance(operand, Value):
            return operand
        key = self.keep(operand)
        if key not in self._constants:
            name = self.graph.fresh(key)
            self._constants[key] = self.graph.add(Constant(operand.type), [], name=name, weights={"value": key}, origin=self._origin)
        return self._constants[key]
