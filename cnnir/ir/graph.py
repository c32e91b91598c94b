"""The network: layers as nodes and tensors as edges of a networkx multigraph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import networkx as nx

from cnnir.diagnostics import Origin
from cnnir.ops.base import Op
from cnnir.ops.tensor import Input
from cnnir.types import TensorType

from .results import Results
from .weights import Weights

if TYPE_CHECKING:
    from .provenance import Provenance

    Network = nx.MultiDiGraph[str]


@dataclass(frozen=True, slots=True)
class Value:
    """One tensor: output `slot` of the layer called `layer`."""

    layer: str
    slot: int = 0


NOWHERE = Origin()
"""The origin of what nobody wrote."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A node: an op, the types of its outputs, the names of its weights by role, and where it comes from."""

    name: str
    op: Op
    outputs: tuple[TensorType, ...]
    weights: tuple[tuple[str, str], ...] = ()
    origin: Origin = NOWHERE

    @property
    def type(self) -> TensorType:
        """The type of the first output."""
        return self.outputs[0]


@dataclass(frozen=True)
class Use:
    """Where a value goes: input `slot` of the layer called `layer`."""

    layer: str
    slot: int


def absent_slots(inputs: Sequence[Value | None]) -> tuple[int, ...]:
    """The slots of absent inputs that a present one stands behind; those at the end are as if never mentioned."""
    last = max((slot for slot, value in enumerate(inputs) if value is not None), default=-1)
    return tuple(slot for slot, value in enumerate(inputs[: last + 1]) if value is None)


class Graph:
    """A convolutional network. Values are typed when a layer is added; names of layers are unique.

    `results` maps the network's output names to values. Two graphs are equal when they have the same structure and
    the same weights, whatever their layers are called. `provenance` is the file that it was read from, where it keeps one.
    """

    def __init__(self, name: str = "network", weights: Weights | None = None) -> None:
        self.name = name
        self.weights = weights if weights is not None else Weights()
        self.provenance: Provenance | None = None
        self._results = Results()
        self._net: Network = cast("Network", nx.MultiDiGraph())
        self._operands: dict[str, list[Value | None]] = {}
        self._next = 0
        self._sorted: list[str] | None = []  # the layers in order; None where a change may have reordered them
        self._numbers: dict[str, int] = {}
        self._inferred: dict[tuple[Op, tuple[TensorType, ...]], tuple[TensorType, ...]] = {}

    @property
    def results(self) -> Results:
        """Output name -> value, in declaration order; may be changed, or set to another mapping."""
        return self._results

    @results.setter
    def results(self, named: Mapping[str, Value]) -> None:
        self._results = Results(named)

    # -- building ---------------------------------------------------------------------------------------------------

    def add_input(self, name: str, type: TensorType, range: tuple[float, float] | None = None, origin: Origin = NOWHERE) -> Value:
        """Add a network input; raises ValueError where the name is taken."""
        return self.add(Input(type, range), [], name=name, origin=origin)

    def add(
        self,
        op: Op,
        inputs: Sequence[Value | None],
        *,
        name: str | None = None,
        weights: Mapping[str, str] | None = None,
        origin: Origin = NOWHERE,
    ) -> Value:
        """Add a layer and return its first output; None is an absent optional input.

        `weights` maps the op's parameter roles to names in the weight store. Raises OpError where op and input types
        do not fit, ValueError where the name is taken.
        """
        present = [v for v in inputs if v is not None]
        absent = absent_slots(inputs)
        op, inputs = op.without(absent), inputs[: len(present) + len(absent)]
        op.check_arity(len(present))
        outputs = self.infer(op, [self.type(v) for v in present])
        name = name or self.fresh(op.name)
        if name in self._net:
            raise ValueError(f"a layer called {name!r} exists")
        layer = Layer(name, op, outputs, tuple((weights or {}).items()), origin)
        self._net.add_node(name, layer=layer, order=self._next)
        self._operands[name] = list(inputs)
        self._next += 1
        if self._sorted is not None:
            self._sorted.append(name)
        for slot, value in enumerate(inputs):
            if value is not None:
                self._net.add_edge(value.layer, name, key=slot, source=value.slot)
        return Value(name)

    def infer(self, op: Op, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The output types of an op on inputs of these types; raises OpError where they do not fit.

        Equal questions, of which large networks are made, are worked out once for a graph and its copies.
        """
        key = op, tuple(inputs)
        if key not in self._inferred:
            self._inferred[key] = op.infer(inputs)
        return self._inferred[key]

    def fresh(self, stem: str) -> str:
        """A layer name that is not taken: the stem, or the stem with a number."""
        if stem not in self._net:
            return stem
        number = self._numbers.get(stem, 2)  # where the last search ended: 200,000 layers of one name stay linear
        while f"{stem}_{number}" in self._net:
            number += 1
        self._numbers[stem] = number
        return f"{stem}_{number}"

    # -- reading ----------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._net)

    def __contains__(self, name: str) -> bool:
        return name in self._net

    def __getitem__(self, name: str) -> Layer:
        return cast(Layer, self._net.nodes[name]["layer"])

    def layers(self) -> Iterator[Layer]:
        """All layers, producers before consumers, otherwise in the order they were added."""

        def order(name: str) -> int:
            return self._net.nodes[name]["order"]

        if self._sorted is None or len(self._sorted) != len(self._net):
            self._sorted = list(nx.lexicographical_topological_sort(self._net, key=order))
        for name in tuple(self._sorted):
            yield self[name]

    def operands(self, name: str) -> list[Value | None]:
        """The inputs of a layer by slot."""
        return list(self._operands[name])

    def data(self, name: str) -> list[Value]:
        """The inputs of a layer that are present."""
        return [v for v in self._operands[name] if v is not None]

    def uses(self, value: Value) -> list[Use]:
        """The layers that read a value, in no particular order; network outputs are not among them."""
        return list(self.readers(value))

    def readers(self, value: Value) -> Iterator[Use]:
        """As `uses`, one after the other: whoever looks for one of many need not see them all."""
        for target in self._net.successors(value.layer):
            edges = cast("dict[int, dict[str, int]]", self._net.get_edge_data(value.layer, target))  # by the slot they go to
            for slot, edge in edges.items():
                if edge["source"] == value.slot:
                    yield Use(target, slot)

    def is_output(self, value: Value) -> bool:
        """Whether the value is a network output."""
        return bool(self._results.names(value))

    def values(self, name: str) -> list[Value]:
        """The outputs of a layer by slot."""
        return [Value(name, slot) for slot in range(len(self[name].outputs))]

    def type(self, value: Value) -> TensorType:
        """The type of a value."""
        return self[value.layer].outputs[value.slot]

    def parameters(self, name: str) -> dict[str, Any]:
        """Role -> array of a layer's weights; reads or draws them."""
        return {role: self.weights[key] for role, key in self[name].weights}

    def live(self) -> set[str]:
        """Every layer that some network output depends on."""
        found: set[str] = set()
        pending = [value.layer for value in self.results.values()]
        while pending:
            name = pending.pop()
            if name not in found:
                found.add(name)
                pending.extend(value.layer for value in self.data(name))
        return found

    def descendants(self, name: str) -> set[str]:
        """Every layer that depends on this one."""
        return nx.descendants(self._net, name)  # pyright: ignore[reportUnknownMemberType] - typed, but for its backend's arguments

    @property
    def inputs(self) -> dict[str, TensorType]:
        """Input name -> type, in declaration order."""
        return {layer.name: layer.type for layer in self.layers() if isinstance(layer.op, Input)}

    @property
    def ranges(self) -> dict[str, tuple[float, float] | None]:
        """Input name -> declared range of its elements."""
        return {layer.name: layer.op.range for layer in self.layers() if isinstance(layer.op, Input)}

    @property
    def outputs(self) -> dict[str, TensorType]:
        """Output name -> type, in declaration order."""
        return {name: self.type(value) for name, value in self.results.items()}

    @property
    def network(self) -> Network:
        """The underlying networkx graph, for its algorithms; change the network through the methods here."""
        return self._net

    # -- rewriting --------------------------------------------------------------------------------------------------

    def connect(self, use: Use, value: Value) -> None:
        """Make input `use` read `value`, whatever it read before. Types are not checked: the verifier does that."""
        self._sorted = None
        before = self._operands[use.layer][use.slot]
        if before is not None:
            self._net.remove_edge(before.layer, use.layer, use.slot)
        self._net.add_edge(value.layer, use.layer, key=use.slot, source=value.slot)
        self._operands[use.layer][use.slot] = value

    def replace_uses(self, old: Value, new: Value) -> None:
        """Make every reader of `old`, network outputs included, read `new`."""
        for use in self.uses(old):
            self.connect(use, new)
        for name in self.results.names(old):
            self.results[name] = new

    def remove(self, name: str) -> None:
        """Remove a layer that nothing reads; raises ValueError where something does."""
        if self._net.out_degree(name) or any(self.is_output(value) for value in self.values(name)):
            raise ValueError(f"layer {name!r} is still read")
        self._net.remove_node(name)
        del self._operands[name]
        self._sorted = None

    def copy(self) -> Graph:
        """A graph that can be changed without changing this one; weights are shared."""
        twin = Graph(self.name, self.weights)
        twin.results = self.results
        twin.provenance = self.provenance
        twin._net = self._net.copy()
        twin._operands = {name: list(operands) for name, operands in self._operands.items()}
        twin._inferred = self._inferred
        twin._next = self._next
        twin._sorted = None if self._sorted is None else list(self._sorted)
        return twin

    def retype(self, name: str, outputs: tuple[TensorType, ...]) -> None:
        """Set the output types of a layer."""
        self._net.nodes[name]["layer"] = replace(self[name], outputs=outputs)

    def revise(self, name: str, *, op: Op | None = None, made_by: str | None = None) -> None:
        """Give a layer another op, or say which rule made it, keeping its name, place and readers; its types are inferred again."""
        layer = self[name]
        op = op or layer.op
        outputs = self.infer(op, [self.type(v) for v in self.data(name)])
        origin = layer.origin if made_by is None else replace(layer.origin, made_by=made_by)
        self._net.nodes[name]["layer"] = replace(layer, op=op, outputs=outputs, origin=origin)

    # -- comparing --------------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        from .compare import same_structure  # compare needs Graph

        return same_structure(self, other)

    def fingerprint(self) -> str:
        """A digest that equal networks share, in every process; see `cnnir.ir.fingerprint`."""
        from .fingerprint import fingerprint  # it needs Graph

        return fingerprint(self)

    __hash__ = None  # type: ignore[assignment]  # graphs are mutable
