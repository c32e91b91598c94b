"""Partition of a network into regions: one heavy layer and what rides in its epilogue, each region one kernel.

    layer                       ->  the region's anchor
    elementwise layers after it ->  stages before the pool
    a pool after those          ->  the region's pool, where the kernel can take it
    elementwise layers after it ->  stages after the pool

A layer rides only if the value it replaces is read by nothing else and is no network output; its other operands must
be made by earlier regions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from cnnir.ir.graph import Graph, Layer, Value
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.pooling import Pooling
from cnnir.ops.tensor import Input
from cnnir.scalar.expr import Expr, Param, Var, leaves, substitute

Fusion = Literal["full", "act", "none"]
"""`full`: activation and pool ride with their convolution; `act`: pools are kernels of their own; `none`: every layer is."""


@dataclass(frozen=True)
class Step:
    """Elementwise layers as one expression: `Var(0)` is the running value, `Var(i)` is `extras[i - 1]`.

    `Param("i")` is the coefficient (layer, role) at `coefficients[i]`: two layers alike give equal expressions.
    """

    expr: Expr
    layers: tuple[str, ...]
    extras: tuple[Value, ...] = ()
    coefficients: tuple[tuple[str, str], ...] = ()


@dataclass
class Region:
    """One kernel: an anchor, steps, at most one pool, steps."""

    anchor: str
    output: Value
    before: list[Step] = field(default_factory=list[Step])
    pool: str | None = None
    after: list[Step] = field(default_factory=list[Step])

    @property
    def steps(self) -> list[Step]:
        """All steps, in order."""
        return [*self.before, *self.after]

    @property
    def layers(self) -> list[str]:
        """All layers of the region, in order."""
        middle = [] if self.pool is None else [self.pool]
        names = [[n for step in part for n in step.layers] for part in (self.before, self.after)]
        return [self.anchor, *names[0], *middle, *names[1]]


MOST_READS = 100_000
"""Up to this the stages of a kernel compile in a fraction of a second: three sigmoids in a row, or any number of relus."""


@dataclass(frozen=True)
class Kernels:
    """What the target's kernels can do beside their own layer."""

    takes_steps: Callable[[Layer], bool]
    """Can elementwise layers ride with this anchor?"""
    takes_pool: Callable[[Layer, Layer], bool]
    """Can this pool ride with this anchor?"""
    reads: Callable[[Expr], int]
    """By how much a step multiplies the time that its kernel takes to compile."""


def partition(graph: Graph, fusion: Fusion, kernels: Kernels) -> list[Region]:
    """The regions of a network, producers before consumers."""
    taken: set[str] = set()
    made: set[Value] = set()
    regions: list[Region] = []
    order = {layer.name: i for i, layer in enumerate(graph.layers())}
    for layer in graph.layers():
        if isinstance(layer.op, Input):
            made.add(Value(layer.name))
        made.update(graph.values(layer.name)[1:])
        if layer.name in taken or isinstance(layer.op, Input):
            continue
        region = Region(layer.name, Value(layer.name))
        if fusion != "none" and len(layer.outputs) == 1 and kernels.takes_steps(layer):
            _grow(graph, region, made, order, fusion, kernels)
        taken.update(region.layers)
        made.add(region.output)
        regions.append(region)
    return regions


def operands(graph: Graph, region: Region) -> list[Value]:
    """Values the region reads: the anchor's inputs, then the extras of its steps."""
    return [*graph.data(region.anchor), *(v for step in region.steps for v in step.extras)]


def _grow(graph: Graph, region: Region, made: set[Value], order: dict[str, int], fusion: Fusion, kernels: Kernels) -> None:
    anchor = graph[region.anchor]
    steps = region.before
    reads = kernels.reads(anchor.op.formula()) if isinstance(anchor.op, Elementwise) else 1
    while True:
        step = _next_step(graph, region.output, made, order)
        if step is not None:
            reads *= max(1, kernels.reads(step.expr))
            if reads > MOST_READS:
                return
            steps.append(step)
            region.output = Value(step.layers[-1])
            continue
        pool = _next_pool(graph, region.output)
        if pool is None or fusion != "full" or region.pool is not None or not kernels.takes_pool(anchor, pool):
            return
        region.pool, region.output, steps = pool.name, Value(pool.name), region.after


def anchor_step(graph: Graph, layer: Layer) -> Step:
    """An elementwise anchor itself as a step on its first operand."""
    data = graph.data(layer.name)
    extras: list[Value] = []
    return _step(graph, _inline(graph, layer, {data[0]: Var(0)}, extras), [layer.name], extras)


def _next_pool(graph: Graph, value: Value) -> Layer | None:
    uses = graph.uses(value)
    if len(uses) != 1 or graph.is_output(value):
        return None
    layer = graph[uses[0].layer]
    return layer if isinstance(layer.op, Pooling) else None


def _next_step(graph: Graph, value: Value, made: set[Value], order: dict[str, int]) -> Step | None:
    """The least group of elementwise layers that turns `value`, read by nothing else, into one other value."""
    if graph.is_output(value):
        return None
    inside: dict[Value, Expr] = {value: Var(0)}
    extras: list[Value] = []
    layers: list[str] = []
    reach = {u.layer for u in graph.uses(value)}
    while reach:
        name = min(reach, key=order.__getitem__)
        reach.discard(name)
        layer = graph[name]
        if not _rides(graph, layer, value, inside, made):
            return None
        inside[Value(name)] = _inline(graph, layer, inside, extras)
        layers.append(name)
        open_values = [v for v in inside if graph.is_output(v) or any(u.layer not in layers for u in graph.uses(v))]
        if open_values in ([Value(name)], []):
            if Var(0) not in leaves(inside[Value(name)]):
                return None  # a constant: it rides with nothing, since its kernel would not read what it rides on
            return _step(graph, inside[Value(name)], layers, extras)
        if any(graph.is_output(v) for v in open_values):
            return None
        reach.update(u.layer for u in graph.uses(Value(name)))
    return None


def _rides(graph: Graph, layer: Layer, value: Value, inside: dict[Value, Expr], made: set[Value]) -> bool:
    if not isinstance(layer.op, Elementwise) or layer.type != graph.type(value):
        return False
    outside = [v for v in graph.data(layer.name) if v not in inside]
    return all(v in made and graph.type(v) == layer.type for v in outside)


def _inline(graph: Graph, layer: Layer, inside: dict[Value, Expr], extras: list[Value]) -> Expr:
    data = graph.data(layer.name)

    def replace(leaf: Expr) -> Expr:
        if isinstance(leaf, Param):
            return Param(f"{layer.name}:{leaf.role}")
        if not isinstance(leaf, Var):
            return leaf
        source = data[leaf.index]
        if source in inside:
            return inside[source]
        if source not in extras:
            extras.append(source)
        return Var(1 + extras.index(source))

    assert isinstance(layer.op, Elementwise)
    return substitute(layer.op.formula(), replace)


def _step(graph: Graph, expr: Expr, layers: list[str], extras: list[Value]) -> Step:
    coefficients = [(name, role) for name in layers for role in roles(graph[name])]
    numbered = {f"{name}:{role}": Param(str(i)) for i, (name, role) in enumerate(coefficients)}
    renamed = substitute(expr, lambda leaf: numbered[leaf.role] if isinstance(leaf, Param) else leaf)
    return Step(renamed, tuple(layers), tuple(extras), tuple(coefficients))


def roles(layer: Layer) -> list[str]:
    """The coefficients of an elementwise layer's formula, sorted."""
    assert isinstance(layer.op, Elementwise)
    return sorted({leaf.role for leaf in leaves(layer.op.formula()) if isinstance(leaf, Param)})
