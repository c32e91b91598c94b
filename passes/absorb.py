"""Pools that start from a number, instead of a clamp (a relu, a clip) in front of them or behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cnnir.decisions import Decision, Optimized, Site
from cnnir.ir.graph import Graph
from cnnir.ir.text import spell
from cnnir.ir.verify import verify
from cnnir.ops.pooling import Pooling

from .laws.absorb import Absorb
from .laws.rule import Proof, Refusal
from .region import Region, find_regions
from .rewrites import lift, sink, sinkable
from .site import PoolSite
from .surroundings import Surroundings
from .terms import Nan, Terms

LAW = Absorb()


@dataclass(frozen=True)
class AbsorbPass:
    """`absorb` as a pass of a pipeline: its options are the fields."""

    nan: Nan = "assume"

    def __call__(self, graph: Graph) -> Graph:
        """The network with clamps next to pools taken into them."""
        return self.decide(graph).graph

    def decide(self, graph: Graph) -> Optimized:
        """As calling it, with the decisions."""
        result = graph.copy()
        around = Surroundings(result, self.nan == "assume")
        pools = [layer.name for layer in graph.layers() if isinstance(layer.op, Pooling) and layer.op.reduce != "avg"]
        decisions = tuple(d for pool in pools for d in absorb(around, pool, Terms(nan=self.nan)))
        verify(result)
        return Optimized(result, decisions)


def absorb(around: Surroundings, pool: str, terms: Terms) -> Iterator[Decision]:
    """Take the largest clamp in front of the pool into it, or the largest one behind it; what was in reach and is none is told."""
    graph = around.graph
    refused: Decision | None = None
    for behind, region in _regions(around, pool):
        written = graph[pool]
        assert isinstance(written.op, Pooling)
        site = sink(around, written, region, written.op) if behind else PoolSite(graph, written, region, around)
        answer = LAW.check(site, terms)
        found = Site(pool, region.names, written.origin.span, behind)
        if isinstance(answer, Proof):
            LAW.rewrite(around, site)
            reason = f"law absorb: {' -> '.join(region.names)} is a clamp, from which the pool may start: `{spell(graph[pool].op)}`"
            yield Decision(found, LAW.name, "moved", reason, answer.certificate)
            return
        if behind:
            lift(around, site, written.op, None)
        refused = refused or _refused(found, answer)
    if refused is not None:
        yield refused


def _regions(around: Surroundings, pool: str) -> Iterator[tuple[bool, Region]]:
    """Regions in front (False) and behind (True), the largest first."""
    graph = around.graph
    yield from ((False, region) for region in find_regions(graph, graph[pool], around.order).regions)
    yield from ((True, region) for region in sinkable(around, graph[pool]))


def _refused(site: Site, refusal: Refusal) -> Decision:
    return Decision(site, LAW.name, "refused", refusal.reason, condition=refusal.condition)
