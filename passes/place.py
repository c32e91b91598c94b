"""Placement: for every pool, which elementwise layers in front of it move behind it, and why or why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cnnir.decisions import Decision, Optimized, Site, Verdict
from cnnir.facts.evidence import Evidence
from cnnir.ir.graph import Graph, Layer
from cnnir.ir.verify import verify
from cnnir.ops.pooling import Pooling
from cnnir.price import Evaluations, PriceModel

from .laws import LAWS
from .laws.rule import Law, Proof, Refusal
from .region import Blocked, find_regions
from .site import PoolSite
from .surroundings import Surroundings

Place = Literal["auto", "always", "never"]
Exactness = Literal["exact", "ulp"]


def place(
    graph: Graph, place: Place = "auto", exactness: Exactness = "exact", price: PriceModel | None = None, evidence: Evidence | None = None
) -> Optimized:
    """Decide every pool of `graph` from the input to the output, and move what should move, in a verified copy.

    A pool sees what earlier moves have put in front of it, so a relu passes two pools in a row. `auto` moves where
    `price` says that it saves, `always` wherever a law is proved, `never` nothing: it says what could be moved. Proofs cite
    the `evidence` in place of assumptions.
    """
    result = graph.copy()
    around = Surroundings(result, evidence)
    decisions: list[Decision] = []
    for name in [layer.name for layer in graph.layers() if isinstance(layer.op, Pooling)]:
        decisions += _decide(around, result[name], place, exactness, price or Evaluations())
    verify(result)
    return Optimized(result, tuple(decisions))


@dataclass(frozen=True)
class PlacePass:
    """`place` as a pass of a pipeline: its options are the fields."""

    place: Place = "auto"
    exactness: Exactness = "exact"
    price: PriceModel | None = None
    evidence: Evidence | None = None

    def __call__(self, graph: Graph) -> Graph:
        """The network with every pool decided."""
        return self.decide(graph).graph

    def decide(self, graph: Graph) -> Optimized:
        """As calling it, with the decisions."""
        return place(graph, self.place, self.exactness, self.price, self.evidence)


def _decide(around: Surroundings, pool: Layer, place: Place, exactness: Exactness, price: PriceModel) -> list[Decision]:
    graph = around.graph
    candidates = find_regions(graph, pool, around.order)
    refused: list[Decision] = []
    for region in candidates.regions:
        site = PoolSite(graph, pool, region, around)
        answer = _proved(site, exactness)
        if isinstance(answer, Refusal):
            refused.append(_refused(site.decided, answer))
            continue
        law, proof = answer
        verdict, reason = _verdict(graph, site.decided, place, price, law)
        if verdict == "moved":
            law.rewrite(graph, site)
            around.exchanged(pool, region)
        return [Decision(site.decided, law.name, verdict, reason, proof.certificate, bound=proof.certificate.bound)]
    if refused:
        return refused[-1:]  # the smallest region's: the reason nearest to the pool
    return [] if candidates.blocked is None else _nothing_to_move(graph, pool, candidates.blocked)


def _proved(site: PoolSite, exactness: Exactness) -> tuple[Law, Proof] | Refusal:
    refusals: list[Refusal] = []
    for law in LAWS.values():
        answer = law.check(site, exactness)
        if isinstance(answer, Proof):
            return law, answer
        refusals.append(answer)
    return min(refusals, key=lambda r: r.condition == "right direction")  # another reason says more than the wrong law's


def _refused(site: Site, refusal: Refusal) -> Decision:
    return Decision(site, refusal.law, "refused", refusal.reason, witness=refusal.witness, condition=refusal.condition)


def _verdict(graph: Graph, site: Site, place: Place, price: PriceModel, law: Law) -> tuple[Verdict, str]:
    proven = f"law {law.name}: {' -> '.join(site.region)} is {law.words}"
    if place == "never":
        return "kept", "place=never"
    if place == "always":
        return "moved", proven
    cost = price.saving(graph, site)
    return ("moved", f"{proven}; {cost}") if cost.saves else ("kept", f"saves nothing: {cost}")


def _nothing_to_move(graph: Graph, pool: Layer, blocked: Blocked) -> list[Decision]:
    """A pool right behind a convolution, a dense layer or an input has no site; behind anything else it gets the reason."""
    data = graph.data(blocked.layer)
    source = graph[blocked.layer]
    convolves = source.op.macs([graph.type(v) for v in data], source.outputs) > 0
    if blocked.condition == "elementwise" and (convolves or not data):
        return []
    return [Decision(Site(pool.name, (blocked.layer,), pool.origin.span), "up", "refused", blocked.reason, condition=blocked.condition)]
