"""What the laws up and down share: side conditions, the proof, and the exchange of a region and a pool."""

from __future__ import annotations

from dataclasses import replace

from cnnir.decisions import Certificate
from cnnir.facts import lattice
from cnnir.facts.describe import describe
from cnnir.facts.fact import Fact, Grade
from cnnir.ir.graph import Graph, Use, Value

from ..region import entries
from ..site import ChannelFact, PoolSite
from . import conditions
from .assumptions import assumptions
from .rule import Exchange, Proof, Refusal


class OrderLaw(Exchange):
    """pool_W f(x) = f(pool'_W x) for an f that keeps (or reverses) order; pool' is the pool or its dual."""

    def check(self, site: PoolSite, exactness: str) -> Proof | Refusal:
        """The shared side conditions, then direction, float class and the sign of zero."""
        answer = self._check(site, exactness)
        return replace(answer, law=self.name) if isinstance(answer, Refusal) else answer

    def _check(self, site: PoolSite, exactness: str) -> Proof | Refusal:
        for condition in conditions.CONDITIONS.values():
            refusal = condition(site)
            if refusal is not None:
                return refusal
        parts = list(site.prove(lambda fact: self.usable(fact, exactness)))
        for condition in conditions.FACT_CONDITIONS.values():
            refusal = condition(self, site, parts, exactness)
            if refusal is not None:
                return refusal
        return Proof(self.certificate(site, parts))

    def usable(self, fact: Fact, exactness: str) -> bool:
        """Whether these facts need no finer look: the wanted direction, NaN-free, and exact enough."""
        exact_enough = fact.grade is not Grade.U or (exactness == "ulp" and fact.bound is not None)
        return self.wanted(fact.direction) and not fact.range.nan and exact_enough

    def certificate(self, site: PoolSite, parts: list[ChannelFact]) -> Certificate:
        """The law with the facts of each group of channels, and the names of the conditions that were checked."""
        facts = {_channels(part, site): describe(part.fact) for part in parts}
        weakest = max((part.fact for part in parts), key=lambda fact: (fact.grade, not fact.swept))
        bound = max(part.fact.bound or 0.0 for part in parts) if weakest.grade is Grade.U else None
        checked = ("elementwise", "private", *conditions.CONDITIONS, *conditions.FACT_CONDITIONS)
        records = tuple(_record(part) for part in parts)
        return Certificate(self.name, facts, checked, weakest.float_class, bound, assumptions(site, parts), records)

    def rewrite(self, graph: Graph, site: PoolSite) -> None:
        """Before: data -> region -> pool -> readers. After: data -> pool' -> region -> readers, layers keeping their names."""
        pooled, result, data = Value(site.pool.name), site.region.result, site.region.data
        reads = entries(graph, site.region)
        graph.replace_uses(pooled, result)
        for use in reads:
            graph.connect(use, pooled)
        graph.connect(Use(site.pool.name, 0), data)
        graph.revise(site.pool.name, op=self.pool(site.op), made_by=self.name)
        for name in site.region.names:
            graph.revise(name, made_by=self.name)


def _record(part: ChannelFact) -> dict[str, object]:
    fact = part.fact
    known = {
        "direction": lattice.name(fact.direction),
        "range": [fact.range.lo, fact.range.hi],
        "nan": fact.range.nan,
        "minus_zero": fact.range.minus_zero,
    }
    return {"channels": part.channels.tolist(), **known, "float_class": fact.float_class, "bound": fact.bound}


def _channels(part: ChannelFact, site: PoolSite) -> str:
    if len(part.channels) == site.channels:
        return "every channel"
    if len(part.channels) == 1:
        return f"channel {int(part.channels[0])}"
    return f"{len(part.channels)} channels from {int(part.channels[0])}"
