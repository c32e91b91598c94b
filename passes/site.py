"""A site: a pool, an elementwise region in front of it, and the region's facts, channel by channel, when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from cnnir.analysis.derive import derived
from cnnir.decisions import Site
from cnnir.facts.analyse import Analysis
from cnnir.facts.fact import Fact, identity
from cnnir.facts.interval import Interval, around, unknown
from cnnir.facts.precision import Precision, precision
from cnnir.facts.upgrade import Support, support, upgraded
from cnnir.ir.graph import Graph, Layer, Value
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.pooling import Pooling
from cnnir.scalar.expr import Const, Expr
from cnnir.types import TensorType

from .region import Region
from .surroundings import Surroundings

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ChannelFact:
    """A fact that holds for these channels (indices on axis 1); with coefficients that vary, for each of them."""

    channels: Array
    fact: Fact
    whole: bool
    """Whether it was found by looking at the region as one formula,"""
    ranged: bool
    """and whether the range of the data that it holds on was computed from the network's inputs, or else is every finite number:"""
    domain: Interval
    """that range."""


@dataclass
class PoolSite:
    """A place where a law may apply."""

    graph: Graph
    pool: Layer
    region: Region
    surroundings: Surroundings
    _found: dict[tuple[bytes, bool], ChannelFact] = field(default_factory=dict[tuple[bytes, bool], ChannelFact])
    _resolved: dict[Interval, Expr] = field(default_factory=dict[Interval, Expr])

    @property
    def op(self) -> Pooling:
        """The pool's operation, without what else it may give beside elements."""
        alone = self.pool.op.alone(0, [self.data])
        assert isinstance(alone, Pooling)
        return alone

    @property
    def data(self) -> TensorType:
        """The type of the value that the region reads."""
        return self.graph.type(self.region.data)

    @property
    def pooled(self) -> TensorType:
        """The type of what the pool makes of the data."""
        return self.op.infer([self.data])[0]

    @property
    def precision(self) -> Precision:
        """The precision of the data, in which the region begins to compute."""
        return precision(self.data.dtype)

    @property
    def decided(self) -> Site:
        """What decisions call this site."""
        return Site(self.pool.name, self.region.names, self.pool.origin.span)

    @property
    def known(self) -> Interval:
        """The computed range of the data, within what is finite; reads weights above the site."""
        return self.surroundings.ranges[self.region.data].finite(self.precision)

    @cached_property
    def expression(self) -> Expr:
        """The region as one formula."""
        return self.region.expression(self.graph)

    def resolved(self, domain: Interval) -> Expr:
        """The same without what is settled, in every channel, for x in the domain."""
        if domain not in self._resolved:
            self._resolved[domain] = self._without_settled(domain)
        return self._resolved[domain]

    def _without_settled(self, domain: Interval) -> Expr:
        analysis = self._analysis(np.arange(self.channels))
        number = analysis.number(self.expression, domain)
        return analysis.resolved(self.expression, domain) if number is None else Const(number)

    # -- coefficients -----------------------------------------------------------------------------------------------

    @cached_property
    def coefficients(self) -> Mapping[str, Array]:
        """ "layer/role" -> coefficient of shape () or (C,); reads the weights of layers that have any."""
        found: dict[str, Array] = {}
        for layer in self.region.layers:
            assert isinstance(layer.op, Elementwise)
            roles = layer.op.written(self.graph.type(self.graph.data(layer.name)[0]))
            if layer.weights:
                roles = {**roles, **layer.op.coefficients(self.graph.parameters(layer.name))}
            shapes = {role: () if np.size(c) == 1 else np.shape(c)[:1] for role, c in roles.items()}
            found |= {f"{layer.name}/{role}": np.reshape(c, shapes[role]) for role, c in roles.items()}
        return found

    @cached_property
    def channels(self) -> int:
        """Number of channels that can differ: 1 where no coefficient varies."""
        varied = [c for c in self.coefficients.values() if c.ndim]
        return max((len(c) for c in varied), default=1)

    def coefficients_of(self, channel: int) -> Mapping[str, float]:
        """The coefficients of one channel, as numbers."""
        return {role: float(c[channel] if c.ndim else c) for role, c in self.coefficients.items()}

    def groups(self) -> list[Array]:
        """Channels whose coefficients agree in sign: these mostly share their facts, and are analysed at once."""
        if self.channels == 1:
            return [np.zeros(1, np.int64)]
        rows = [np.broadcast_to(c, (self.channels,)).astype(np.float64) for c in self.coefficients.values()]
        signs = np.nan_to_num(np.sign(np.stack(rows)), nan=2.0)
        _, kind = np.unique(signs, axis=1, return_inverse=True)
        return [np.flatnonzero(kind == k) for k in range(int(kind.max()) + 1)]

    # -- facts ------------------------------------------------------------------------------------------------------

    def fact(self, channels: Array, ranged: bool) -> ChannelFact:
        """Facts of the region for all of these channels at once; `ranged` uses the computed range of the data."""
        key = (channels.tobytes(), ranged)
        if key not in self._found:
            self._found[key] = self._derive(channels, ranged)
        return self._found[key]

    def prove(self, holds: Callable[[Fact], bool]) -> Iterator[ChannelFact]:
        """Facts that together cover every channel, as coarse as `holds` allows; the last one fails it if any does.

        Tried in this order: for all finite data, on the computed range of the data, for half of the channels.
        """
        waiting = list(reversed(self.groups()))
        while waiting:
            channels = waiting.pop()
            found = next((f for f in self._levels(channels) if holds(f.fact)), None)
            if found is not None:
                yield found
            elif len(channels) > 1:
                middle = len(channels) // 2
                waiting += [channels[middle:], channels[:middle]]
            else:
                yield self.fact(channels, True)
                return

    @cached_property
    def wraps(self) -> tuple[Layer, str, str] | None:
        """The first layer of the region, its primitive and the integer dtype that may not hold a result on the known range."""
        for ranged in (False, True):
            found: tuple[Layer, str, str] | None = None
            facts: dict[Value, Fact] = {self.region.data: identity(self.known if ranged else unknown(self.precision))}
            for layer in self.region.layers:
                analysis = Analysis(self._precision(layer), self._bounds(layer, np.arange(self.channels)))
                facts[Value(layer.name)] = self._apply(layer, analysis, facts)
                if found is None and analysis.wraps:
                    found = (layer, *next(iter(analysis.wraps.items())))
            if found is None:
                return None
        whole = self._analysis(np.arange(self.channels))
        whole.on(self.expression, self.known)
        return found if whole.wraps else None

    def _levels(self, channels: Array) -> Iterator[ChannelFact]:
        yield self.fact(channels, False)
        yield self.fact(channels, True)

    def _derive(self, channels: Array, ranged: bool) -> ChannelFact:
        known = self.known if ranged else unknown(self.precision)
        first, *others = self.region.layers
        if others or self.coefficients:
            return ChannelFact(channels, *self._composed(channels, known), ranged, known)
        key = type(first.op), self.expression, known, self.precision.name  # not the op: equal ones may differ in a zero's sign
        shared = self.surroundings.facts
        if key not in shared:
            shared[key], _ = self._composed(channels, known)
        return ChannelFact(channels, shared[key], False, ranged, known)

    def _composed(self, channels: Array, known: Interval) -> tuple[Fact, bool]:
        """Facts layer by layer, and whether looking at the region as one formula found more."""
        facts: dict[Value, Fact] = {self.region.data: identity(known)}
        for layer in self.region.layers:
            facts[Value(layer.name)] = self._apply(layer, Analysis(self._precision(layer), self._bounds(layer, channels)), facts)
        fact = facts[self.region.result]
        settled = fact.direction.is_monotone and fact.bound is not None and not fact.range.nan
        enough = settled or len(self.region.layers) == 1
        found = fact if enough else self._whole(fact, channels, known)
        return upgraded(found, known, self.support(found, known)), found is not fact

    def support(self, fact: Fact, domain: Interval) -> Support:
        """What was swept of the region, with data anywhere in `domain`, that bears on a fact of it."""
        return support(self.expression, fact, domain, self.precision, self.surroundings.evidence, len(self.region.layers))

    def _precision(self, layer: Layer) -> Precision:
        return precision(self.graph.type(self.graph.data(layer.name)[0]).dtype)

    def _apply(self, layer: Layer, analysis: Analysis, facts: Mapping[Value, Fact]) -> Fact:
        assert isinstance(layer.op, Elementwise)
        return derived(layer.op, [facts[v] for v in self.graph.data(layer.name)], analysis)

    def _whole(self, fact: Fact, channels: Array, domain: Interval) -> Fact:
        """The region as one formula, its range cut where that helps: finds what composing layer by layer has lost."""
        found = self._analysis(channels).on(self.expression, domain)
        if found.direction <= fact.direction and found.direction != fact.direction:
            return found
        known = fact.bound is not None and not fact.range.nan
        better = found.bound is not None and not found.range.nan and not known
        return found if better and found.direction <= fact.direction else fact

    def _analysis(self, channels: Array) -> Analysis:
        """The analysis of the region as one formula."""
        bounds = {role: around(np.ravel(c[channels] if c.ndim else c).tolist()) for role, c in self.coefficients.items()}
        return Analysis(self.precision, bounds)

    def _bounds(self, layer: Layer, channels: Array) -> Mapping[str, Interval]:
        prefix = f"{layer.name}/"
        mine = {role[len(prefix) :]: c for role, c in self.coefficients.items() if role.startswith(prefix)}
        return {role: around(np.ravel(c[channels] if c.ndim else c).tolist()) for role, c in mine.items()}
