"""Placement: for every pool, which layers in front of it move behind it, and why or why not."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Literal

from cnnir import collector
from cnnir.certificates import Certificate
from cnnir.decisions import Decision, Optimized, Site, Verdict
from cnnir.facts.evidence import Evidence
from cnnir.ir.graph import Graph, Layer, Value
from cnnir.ir.verify import verify
from cnnir.ops.pooling import Pooling
from cnnir.price import Operations, PriceModel, Work
from cnnir.types import TensorType

from .laws import LAYER_LAWS
from .laws.order import refuted
from .laws.proving import Found, Search, search
from .laws.rule import Law, LayerLaw, Pair, Proof, Refusal
from .region import Blocked
from .reverse import backwards
from .site import PoolSite
from .surroundings import Surroundings
from .terms import Exactness, Nan, Terms

Place = Literal["auto", "always", "never"]


@collector.paused()
def place(
    graph: Graph,
    place: Place = "auto",
    exactness: Exactness = "exact",
    price: PriceModel | None = None,
    nan: Nan = "assume",
    evidence: Evidence | None = None,
    training: bool = False,
) -> Optimized:
    """Decide every pool of `graph` from the input to the output, and move what should move, in a verified copy.

    A pool sees what earlier moves have put in front of it, so a relu passes two pools in a row. `auto` moves where
    `price` says that it saves, to either side of the pool, `always` behind it wherever a law is proved, `never` nothing: it says
    what could be moved. Proofs cite the `evidence` in place of assumptions. With `training` only what holds while weights change moves.
    """
    result = graph.copy()
    around = Surroundings(result, nan == "assume", evidence, training)
    placement = Placement(around, place, Terms(exactness, nan, training), price or Operations())
    decisions = placement.run([layer.name for layer in graph.layers() if isinstance(layer.op, Pooling)])
    verify(result)
    return Optimized(result, tuple(decisions))


@dataclass(frozen=True)
class PlacePass:
    """`place` as a pass of a pipeline: its options are the fields."""

    place: Place = "auto"
    exactness: Exactness = "exact"
    nan: Nan = "assume"
    price: PriceModel | None = None
    evidence: Evidence | None = None
    training: bool = False

    def __call__(self, graph: Graph) -> Graph:
        """The network with every pool decided."""
        return self.decide(graph).graph

    def decide(self, graph: Graph) -> Optimized:
        """As calling it, with the decisions."""
        return place(graph, self.place, self.exactness, self.price, self.nan, self.evidence, self.training)


@dataclass
class Placement:
    """One placement of a network that changes as it goes."""

    around: Surroundings
    place: Place
    terms: Terms
    price: PriceModel

    def run(self, pools: list[str]) -> list[Decision]:
        """Decide these pools, and those that they become, as far up as each can go; then, from the output, what is behind the rest."""
        decisions = self._forwards(pools)
        if self.place == "auto":
            moved = {d.site.pool for d in decisions if d.verdict == "moved"}
            graph = self.around.graph
            for name in reversed([layer.name for layer in graph.layers() if isinstance(layer.op, Pooling)]):
                decisions += self._backwards(name) if name in graph and name not in moved else []
        return decisions

    def _backwards(self, pool: str) -> list[Decision]:
        """Decide what is behind a pool until that stays where it is, and then the pools that it has come to stand in front of."""
        graph, decisions = self.around.graph, list[Decision]()
        while (decision := backwards(self.around, graph[pool], self.terms, self.price)) is not None:
            decisions.append(decision)
            if decision.verdict != "moved":
                break
        if any(d.verdict == "moved" for d in decisions):
            behind = {use.layer for use in graph.readers(Value(pool))}
            decisions += self._forwards([name for name in behind if isinstance(graph[name].op, Pooling)])
        return decisions

    def _forwards(self, pools: list[str]) -> list[Decision]:
        """One after the other, and those that they become.

        Where a pool that has moved comes to a halt, in front of something that is no activation, is no news.
        """
        waiting, decisions = deque(pools), list[Decision]()
        while waiting:
            decision, next_pools = self._decide(self.around.graph[waiting.popleft()])
            decisions += [decision] if decision else []
            waiting.extendleft(reversed(next_pools))
        moved = {d.site.pool for d in decisions if d.verdict == "moved"}
        return [d for d in decisions if not (d.verdict == "refused" and d.condition == "elementwise" and d.site.pool in moved)]

    def _decide(self, pool: Layer) -> tuple[Decision | None, list[str]]:
        """One step of a pool upwards, and the pools to decide next."""
        data = self.around.graph.data(pool.name)[0]
        outcome = search(self.around, pool, data, pool.name, self.terms)
        if outcome.found is not None:
            return self._exchange(outcome.found)
        if outcome.refused:
            return _refused(*outcome.refused[-1]), []  # the smallest region's: the reason nearest to the pool
        source = self.around.graph[data.layer]
        law = next((law for law in LAYER_LAWS if law.about(source)), None)
        pair = Pair(self.around, source, pool, self.terms)
        answer = law.check(pair) if law else None
        if law and isinstance(answer, Proof):
            return self._step(pair, law, answer)
        assert answer is None or isinstance(answer, Refusal)
        return self._nothing_to_move(pool, source, outcome, answer), []

    def _exchange(self, found: Found) -> tuple[Decision, list[str]]:
        site, law = found.site, found.law
        said, certificate = law.said(site.op.reduce), _about(found.proof, site.decided, site.data)
        verdict, reason = self._verdict(site.decided, law, said, law.work(site))
        pools = law.rewrite(self.around, site) if verdict == "moved" else []
        return Decision(site.decided, law.name, verdict, reason, certificate, bound=certificate.bound), pools

    def _step(self, pair: Pair, law: LayerLaw, proof: Proof) -> tuple[Decision, list[str]]:
        site = Site(pair.pool.name, (pair.layer.name,), pair.pool.origin.span)
        verdict, reason = self._verdict(site, law, law.words, law.work(pair))
        certificate = _about(proof, site, pair.graph.type(pair.inputs[0]))
        pools = law.rewrite(pair) if verdict == "moved" else []
        return Decision(site, law.name, verdict, reason, certificate, bound=certificate.bound), pools

    def _verdict(self, site: Site, law: Law, said: str, work: tuple[Work, Work]) -> tuple[Verdict, str]:
        proven = f"law {law.name}: {' -> '.join(site.region)} is {said}"
        if self.place == "never":
            return "kept", "place=never"
        if self.place == "always" and not (isinstance(law, LayerLaw) and law.weighed):
            return "moved", proven
        cost = self.price.saving(self.around.graph, site, *work)
        return ("moved", f"{proven}; {cost}") if cost.saves else ("kept", f"saves nothing: {cost}")

    def _nothing_to_move(self, pool: Layer, source: Layer, outcome: Search, answer: Refusal | None) -> Decision | None:
        """A pool right behind a convolution, a dense layer or an input has no site; behind anything else it gets the reason."""
        graph, site = self.around.graph, Site(pool.name, (source.name,), pool.origin.span)
        if answer is not None and answer.telling:
            return Decision(site, answer.law, "refused", answer.reason, condition=answer.condition)
        blocked = outcome.blocked
        data = graph.data(source.name)
        convolves = source.op.macs([graph.type(v) for v in data], source.outputs) > 0
        if blocked is None or (blocked.condition == "elementwise" and (convolves or not data)):
            return None
        return _blocked(site, blocked)


def _about(proof: Proof, site: Site, data: TensorType) -> Certificate:
    return proof.certificate.about(site.region, site.pool, data.dtype)


def _blocked(site: Site, blocked: Blocked) -> Decision:
    return Decision(replace(site, region=(blocked.layer,)), "up", "refused", blocked.reason, condition=blocked.condition)


def _refused(site: PoolSite, refusal: Refusal) -> Decision:
    reason, witness = refuted(refusal)
    return Decision(site.decided, refusal.law, "refused", reason, witness=witness, condition=refusal.condition)
