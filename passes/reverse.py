"""Placement backwards: what stands behind a pool goes in front of it, where the price says that this is cheaper.

    x -> pool -> f          and          x -> f -> pool

are one network wherever a law is proved of the second, whichever of them a user has written. So the layers are put in the other
order, the law is checked there as it would be if the network had arrived like that, and they are put back where it is not proved.
Proofs are the same, and so are their certificates; only the price is read backwards: where the move forwards costs, this one pays.

By counted operations it seldom does: a pool has fewer outputs than elements, unless it pads and strides by 1. On a machine it
may: an activation that rides with its convolution is free, and one behind an overlapping pool is another pass over memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from cnnir.decisions import Decision, Site
from cnnir.ir.graph import Layer, Value
from cnnir.ops.pooling import Pooling, flipped
from cnnir.price import Price, PriceModel

from .laws import LAYER_LAWS
from .laws.affine import Affine
from .laws.down import Down
from .laws.rule import LayerLaw, Pair, Proof, Refusal, RegionLaw
from .laws.training import unsteady
from .laws.up import Up
from .region import Region
from .rewrites import lift, sink, sinkable, swap
from .surroundings import Surroundings
from .terms import Terms


def backwards(around: Surroundings, pool: Layer, terms: Terms, price: PriceModel) -> Decision | None:
    """The decision on what stands behind the pool, done if it is `moved`; None where nothing there would be cheaper in front.

    Of a region's prefixes the largest one that may move does; if none may, the refusal is that of the smallest. A pool that
    also gives the places of its elements stays where it is: they are places in what it reads.
    """
    if len(pool.outputs) > 1:
        return None
    decision = None
    for region in sinkable(around, pool):
        decision = _region(around, pool, region, terms, price) or decision
        if decision is not None and decision.verdict == "moved":
            return decision
    return decision or _layer(around, pool, terms, price)


def _region(around: Surroundings, pool: Layer, region: Region, terms: Terms, price: PriceModel) -> Decision | None:
    graph, op = around.graph, pool.op
    assert isinstance(op, Pooling)
    written = Site(pool.name, region.names, pool.origin.span, behind=True)
    refusals: list[Refusal] = []
    for form, law in _forms(op):
        site = sink(around, pool, region, form)
        cost = price.saving(graph, site.decided, *law.work(site)).backwards
        answer = (unsteady(site, terms) or law.check(site, terms)) if cost.saves else None
        if isinstance(answer, Proof):
            for name in (pool.name, *region.names):
                graph.revise(name, made_by=law.name)
            return _moved(written, law, law.said(form.reduce), answer, cost, site.data.dtype)
        lift(around, site, op, None)
        if answer is None:
            return None
        refusals.append(answer)
    return _refused(written, max(refusals, key=lambda refusal: refusal.passed)) if refusals else None


def _forms(op: Pooling) -> Iterator[tuple[Pooling, RegionLaw]]:
    """The pools that may stand behind f so that the law makes this one of them in front of it."""
    if op.reduce == "avg":
        yield op, Affine()
    elif op.reduce in ("max", "min") and not op.started:
        yield op, Up()
        yield flipped(op), Down()


def _layer(around: Surroundings, pool: Layer, terms: Terms, price: PriceModel) -> Decision | None:
    """The same for the one layer that reads the pool."""
    graph, value = around.graph, Value(pool.name)
    readers = {use.layer for use in graph.readers(value)}
    if len(readers) != 1 or graph.is_output(value):
        return None
    (name,) = readers
    assert isinstance(pool.op, Pooling)
    law = next((law for law in LAYER_LAWS if law.about_behind(graph[name], pool.op)), None)
    if law is None:
        return None
    swap(around, pool.name, name, None)
    pair = Pair(around, graph[name], graph[pool.name], terms)
    cost = price.saving(graph, Site(pool.name, (name,), pool.origin.span), *law.work(pair)).backwards
    answer = law.check(pair) if cost.saves else None
    written = Site(pool.name, (name,), pool.origin.span, behind=True)
    if isinstance(answer, Proof):
        for each in (name, pool.name):
            graph.revise(each, made_by=law.name)
        return _moved(written, law, law.words, answer, cost, graph.type(pair.inputs[0]).dtype)
    swap(around, name, pool.name, None)
    return None if answer is None else _refused(written, answer)


def _moved(site: Site, law: RegionLaw | LayerLaw, said: str, proof: Proof, cost: Price, dtype: str) -> Decision:
    reason = f"law {law.name}, backwards: {' -> '.join(site.region)} is {said}, so it may stand in front; {cost}"
    certificate = proof.certificate.about(site.region, site.pool, dtype)
    return Decision(site, law.name, "moved", reason, certificate, bound=certificate.bound)


def _refused(site: Site, refusal: Refusal) -> Decision:
    reason = f"backwards: {refusal.reason}"
    return Decision(site, refusal.law, "refused", reason, condition=refusal.condition)
