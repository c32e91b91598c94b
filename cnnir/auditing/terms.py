"""Two networks as terms: a value is an operation on values, equal ones are one object, whatever network they stand in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnir.ir.graph import Graph, Value
from cnnir.ops.base import Op, OptionalInputs
from cnnir.ops.tensor import Input
from cnnir.types import TensorType

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Term:
    """A value: what makes it, of what. Compared by identity: `Terms` makes one object of equal ones."""

    op: Op
    inputs: tuple[Term, ...]
    weights: Mapping[str, str]
    """Role -> a digest of the array."""
    type: TensorType
    slot: int = 0
    names: list[str] = field(default_factory=list[str])
    """What networks call the layer."""

    @property
    def name(self) -> str:
        """One of its names."""
        return self.names[0] if self.names else self.op.name


class Terms:
    """The terms of some networks."""

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        """Digest -> array."""
        self._made: dict[tuple[object, ...], Term] = {}
        self._digests: dict[tuple[int, str], str] = {}

    def of(self, graph: Graph) -> dict[str, Term]:
        """Output name -> term."""
        made: dict[Value, Term] = {}
        for layer in graph.layers():
            inputs = tuple(made[v] for v in graph.data(layer.name))
            weights = {role: self._digest(graph, key) for role, key in layer.weights}
            for slot, t in enumerate(layer.outputs):
                input_name = layer.name if isinstance(layer.op, Input) else ""
                made[Value(layer.name, slot)] = self.make(layer.op, inputs, weights, t, slot, layer.name, input_name)
        return {name: made[value] for name, value in graph.results.items()}

    def make(
        self, op: Op, inputs: tuple[Term, ...], weights: Mapping[str, str], type: TensorType, slot: int = 0, name: str = "", input: str = ""
    ) -> Term:
        """The term of an operation on terms. Inputs of networks are told apart by name, and by nothing else."""
        key = (input or op, tuple(id(i) for i in inputs), tuple(sorted(weights.items())), type, slot)
        term = self._made.setdefault(key, Term(op, inputs, weights, type, slot))
        if name and name not in term.names:
            term.names.append(name)
        return term

    def again(self, term: Term, inputs: tuple[Term, ...]) -> Term:
        """The same operation on other terms."""
        made = term.op.infer([i.type for i in inputs])[term.slot]
        return self.make(term.op, inputs, term.weights, made, term.slot, term.name)

    def _digest(self, graph: Graph, key: str) -> str:
        place = (id(graph.weights), key)
        if place not in self._digests:
            array = np.ascontiguousarray(graph.weights[key])
            digest = hashlib.sha256(f"{array.dtype}{array.shape}".encode() + array.tobytes()).hexdigest()
            self.arrays.setdefault(digest, array)
            self._digests[place] = digest
        return self._digests[place]


def graph_of(terms: Terms, outputs: Mapping[str, Term]) -> tuple[Graph, dict[int, Value]]:
    """A network that computes these terms, and the value of each: its id -> value."""
    graph = Graph("part")
    values: dict[int, Value] = {}
    stack = [*outputs.values()]
    while stack:
        term = stack[-1]
        waiting = [i for i in term.inputs if id(i) not in values]
        if id(term) in values or not waiting:
            stack.pop()
            if id(term) not in values:
                values[id(term)] = _added(graph, terms, term, values)
        else:
            stack.extend(waiting)
    graph.results = {name: values[id(term)] for name, term in outputs.items()}
    return graph, values


def _added(graph: Graph, terms: Terms, term: Term, values: Mapping[int, Value]) -> Value:
    for digest in term.weights.values():
        if digest not in graph.weights:
            graph.weights[digest] = terms.arrays[digest]
    name = term.name if isinstance(term.op, Input) else graph.fresh(term.name)
    given = [values[id(i)] for i in term.inputs]
    inputs = term.op.slots(given) if isinstance(term.op, OptionalInputs) else given
    value = graph.add(term.op, inputs, name=name, weights=term.weights)
    return Value(value.layer, term.slot)
