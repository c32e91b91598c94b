"""The side conditions of the laws, looked at once more: on the network as it was before the move, from the ops' own attributes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cnnir.certificates import Certificate
from cnnir.decisions import Decision
from cnnir.ir.graph import Graph, Value
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.pooling import Pooling
from cnnir.scalar.expr import Apply, Param, Var, leaves, nodes

from .function import Function, NotAFunction, function_of
from .ranges import Ranges, limits
from .report import Check, confirmed, refuted, unconfirmed
from .windows import divides_by_what_it_sums, empty_window, kind_of, start_of


@dataclass
class Place:
    """A decided site in the network as it was before the move: data -> region -> pool."""

    graph: Graph
    decision: Decision

    @property
    def pool(self) -> Pooling:
        """The pool's operation."""
        op = self.graph[self.decision.site.pool].op
        assert isinstance(op, Pooling)
        return op

    @property
    def certificate(self) -> Certificate:
        """The decision's."""
        assert self.decision.certificate is not None
        return self.decision.certificate

    @property
    def region(self) -> tuple[str, ...]:
        """The layers."""
        return self.decision.site.region

    @cached_property
    def data(self) -> Value:
        """The one value that the region reads."""
        outside = {v for n in self.region for v in self.graph.data(n) if v.layer not in self.region}
        if len(outside) != 1:
            raise NotAFunction(f"`{' -> '.join(self.region)}` reads {len(outside)} values at once")
        return outside.pop()

    @cached_property
    def function(self) -> Function:
        """The region as a function; raises NotAFunction."""
        return function_of(self.graph, self.region, self.data, self.graph.data(self.decision.site.pool)[0])

    @cached_property
    def ranges(self) -> Ranges:
        """Ranges of the network's values, by the checker's own arithmetic."""
        return Ranges(self.graph)


def private(place: Place) -> Check:
    """Nobody but the region and the pool reads what the region makes."""
    allowed = {*place.region, place.decision.site.pool}
    for name in place.region:
        value = Value(name)
        others = sorted({use.layer for use in place.graph.readers(value)} - allowed)
        if place.graph.is_output(value) or others:
            return refuted("private", f"`{name}` is also read by {f'`{others[0]}`' if others else 'the user'}")
    return confirmed("private")


def comparing(place: Place) -> Check:
    """The pool is of the kind the law speaks of."""
    wanted = ("avg",) if place.decision.law in ("affine", "pointwise") else ("max", "min")
    kind = kind_of(place.pool)
    for value in place.graph.values(place.decision.site.pool)[1:]:
        if place.graph.is_output(value) or place.graph.uses(value):
            return refuted("kind of pool", f"not only the elements that `{place.decision.site.pool}` picks are used")
    return confirmed("kind of pool") if kind in wanted else refuted("kind of pool", f"`{place.decision.site.pool}` takes {kind}")


def identity_start(place: Place) -> Check:
    """The pool starts from no number of its own, which f would not be applied to."""
    start = start_of(place.pool)
    return (
        refuted("identity start", f"`{place.decision.site.pool}` starts from {start:g}")
        if math.isfinite(start)
        else confirmed("identity start")
    )


def full_windows(place: Place) -> Check:
    """No window is empty."""
    found = empty_window(place.pool, place.graph.type(place.data))
    if found is None:
        return confirmed("full windows")
    return refuted("full windows", f"window {found[1]} of `{place.decision.site.pool}` on spatial axis {found[0]} holds no element")


def counted(place: Place, shifted: bool) -> Check:
    """Where something is added to an average, its divisor counts what is summed."""
    if not shifted or divides_by_what_it_sums(place.pool, place.graph.type(place.data)):
        return confirmed("counted elements")
    return refuted("counted elements", f"`{place.decision.site.pool}` divides by padding too, and a constant is added")


def data_range(place: Place) -> Check:
    """What certificates take for the range of the data is one, by the checker's own arithmetic."""
    own: tuple[float, float] | None = None
    for record in place.certificate.records:
        every = limits(place.graph.type(place.data))
        if record.data[0] <= every[0] and record.data[1] >= every[1]:
            continue
        own = own or place.ranges[place.data]
        if not (record.data[0] <= own[0] and own[1] <= record.data[1]):
            words = f"data may lie in [{own[0]:.9g}, {own[1]:.9g}], the certificate says [{record.data[0]:.9g}, {record.data[1]:.9g}]"
            return unconfirmed("range of the data", words)
    return confirmed("range of the data")


def zero_sign(place: Place, gives_minus_zero: bool) -> Check:
    """No layer behind the pool divides by what may be a zero, or the region gives no -0."""
    if not gives_minus_zero:
        return confirmed("zero sign")
    name = tells_zeros_apart(place.graph, sorted(place.graph.descendants(place.decision.site.pool)), place.ranges)
    return confirmed("zero sign") if name is None else unconfirmed("zero sign", f"`{name}` may tell -0 from +0")


def tells_zeros_apart(graph: Graph, names: Iterable[str], ranges: Ranges) -> str | None:
    """One of these layers that may tell -0 from +0, if any does."""
    for name in names:
        layer = graph[name]
        divides = layer.op.separates_zeros
        if isinstance(layer.op, Elementwise) and layer.type.is_float:
            divides = any(_may_be_zero(graph, ranges, name, part) for part in _divisors(layer.op))
        if divides:
            return name
    return None


def _divisors(op: Elementwise) -> list[Apply]:
    """Divisions by something that depends on data."""
    found = [n for n in nodes(op.formula()) if isinstance(n, Apply) and n.primitive.separates_zeros]
    return [n for n in found if any(isinstance(leaf, Var) for place in n.primitive.separates_zeros for leaf in leaves(n.args[place]))]


def _may_be_zero(graph: Graph, ranges: Ranges, name: str, division: Apply) -> bool:
    """Whether the divisor may be zero on the range of what the layer reads."""
    data = graph.data(name)
    if len(data) != 1 or not graph.type(data[0]).is_float:
        return True
    lo, hi = ranges[data[0]]
    divisor = Function(division.args[division.primitive.separates_zeros[0]], {}, graph.type(data[0]))
    if any(isinstance(leaf, Param) for leaf in leaves(divisor.formula)):
        return True
    span, _ = divisor.on(np.array([lo]), np.array([hi]), np.zeros(1, np.int64))
    return bool(span.zero[0]) or bool(span.nan[0])
