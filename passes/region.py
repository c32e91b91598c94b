"""Elementwise regions in front of a pool, or behind it, found by the shape of the graph alone.

Going up from the pool's input or down from its output, a region is a set of elementwise layers that reads exactly one value
from outside and whose values nobody else reads: relu; bias -> batchnorm -> relu; Mul(x, Sigmoid(x)) with both of its layers.
Regions of one pool are nested; they are found from the smallest to the largest in one walk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cnnir.ir.graph import Graph, Layer, Use, Value
from cnnir.ops.elementwise import Elementwise
from cnnir.scalar.expr import Expr, Param, Var, convert, has_variable, substitute

LARGEST = 64
"""Most layers of a region; what lies further up stays where it is."""


Position = tuple[int, ...]
"""A place in an order, as of words in a dictionary: right after any of them there is room for another."""


@dataclass(frozen=True)
class Region:
    """Layers in topological order that together are one elementwise function of the value `data`; `result` is its value."""

    data: Value
    result: Value
    layers: tuple[Layer, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the layers, producers first."""
        return tuple(layer.name for layer in self.layers)

    def reading(self, data: Value) -> Region:
        """The same layers, which read `data` now."""
        return replace(self, data=data)

    def expression(self, graph: Graph) -> Expr:
        """The region as one formula over Var(0); coefficient `role` of layer `name` becomes Param("name/role")."""
        values: dict[Value, Expr] = {self.data: Var(0)}
        for layer in self.layers:
            operands = [values[v] for v in graph.data(layer.name)]
            values[Value(layer.name)] = _inlined(layer, operands)
        return values[self.result]


def _inlined(layer: Layer, operands: list[Expr]) -> Expr:
    assert isinstance(layer.op, Elementwise)

    def leaf(expr: Expr) -> Expr:
        if isinstance(expr, Var):
            return operands[expr.index]
        return Param(f"{layer.name}/{expr.role}") if isinstance(expr, Param) else expr

    formula = layer.op.formula()
    if has_variable(formula):
        return substitute(formula, leaf)
    return convert(substitute(formula, leaf), layer.type.dtype)  # a number, in the dtype that this layer has it in


@dataclass(frozen=True)
class Blocked:
    """Why the walk went no further: the condition that failed, and at which layer."""

    condition: str
    reason: str
    layer: str


@dataclass(frozen=True)
class Candidates:
    """Regions of one pool from the largest to the smallest, and what ended the walk."""

    regions: tuple[Region, ...]
    blocked: Blocked | None


def find_regions(graph: Graph, pool: Layer, order: Mapping[str, Position]) -> Candidates:
    """Every region that ends at the pool's input; `order` gives each layer's place in topological order."""
    return regions_up_from(graph, graph.data(pool.name)[0], pool.name, order)


def regions_up_from(graph: Graph, result: Value, reader: str, order: Mapping[str, Position]) -> Candidates:
    """Every region that ends at `result`, which nobody reads but the layer `reader`.

    The value from outside that was made last is the one to go on with: a region that reads one value cannot keep a
    later one outside, since everything made before it does not depend on it.
    """
    members: dict[str, Layer] = {}
    outside: set[Value] = {result}
    found: list[Region] = []
    blocked: Blocked | None = None
    while len(members) < LARGEST:
        value = max(outside, key=lambda v: (order[v.layer], v.slot))
        blocked = elementwise(graph, value) or private(graph, value, {reader, *members})
        if blocked is not None:
            break
        members[value.layer] = graph[value.layer]
        outside.remove(value)
        outside.update(graph.data(value.layer))
        if len(outside) == 1:
            inside = sorted(members.values(), key=lambda layer: order[layer.name])
            found.append(Region(next(iter(outside)), result, tuple(inside)))
    if members and not found:
        blocked = Blocked("one data input", f"what feeds `{reader}` depends on {len(outside)} values at once", result.layer)
    return Candidates(tuple(reversed(found)), blocked)


def regions_down_from(graph: Graph, data: Value, order: Mapping[str, Position]) -> list[Region]:
    """Every region that reads `data`, which nobody else reads, from the largest to the smallest.

    Layers join in topological order. What a layer reads is in the region before it, or it depends on something else, too.
    """
    members: dict[str, Layer] = {}
    inside, waiting, found = {data}, {use.layer for use in graph.readers(data)}, list[Region]()
    while waiting and len(members) < LARGEST:
        name = min(waiting, key=order.__getitem__)
        layer, value = graph[name], Value(name)
        if not isinstance(layer.op, Elementwise) or not inside.issuperset(graph.data(name)):
            break
        if any(graph.is_output(v) for v in inside):
            break
        members[name] = layer
        inside.add(value)
        waiting = (waiting | {use.layer for use in graph.readers(value)}) - {name}
        if all(private(graph, v, {*members}) is None for v in inside - {value}):
            found.append(Region(data, value, tuple(members.values())))
    return found[::-1]


def elementwise(graph: Graph, value: Value) -> Blocked | None:
    """Refuse a value that is not made element by element (softmax mixes channels, LRN too)."""
    layer = graph[value.layer]
    if isinstance(layer.op, Elementwise):
        return None
    return Blocked("elementwise", f"`{layer.op.name}` is not elementwise", layer.name)


def private(graph: Graph, value: Value, members: set[str]) -> Blocked | None:
    """Refuse a value that something outside the region needs: another layer, or the user."""
    if graph.is_output(value):
        return Blocked("private", f"the value of `{value.layer}` is an output of the network", value.layer)
    other = next((use.layer for use in graph.readers(value) if use.layer not in members), None)
    return None if other is None else Blocked("private", f"the value of `{value.layer}` is also read by `{other}`", value.layer)


def entries(graph: Graph, region: Region) -> list[Use]:
    """The inputs of the region's layers that read its data."""
    return [use for use in graph.uses(region.data) if use.layer in region.names]
