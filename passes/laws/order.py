"""What laws about max and min pools share: side conditions, the proof as data, and its words."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from cnnir.certificates import Certificate, ChannelFacts
from cnnir.decisions import Witness
from cnnir.facts import describe, lattice
from cnnir.facts.fact import Fact, Grade
from cnnir.facts.lattice import Direction
from cnnir.ops.pooling import Reduce
from cnnir.price import Work

from ..site import ChannelFact, PoolSite
from ..terms import Terms
from . import conditions as shared
from .assumptions import assumptions
from .rule import Condition, Question, Refusal, RegionLaw
from .witness import constants, witness_words
from .work import pooled, region_steps


def right_direction(question: Question) -> Refusal | None:
    """f goes the way the law needs, in every channel; the refusal names the first channel that does not."""
    law, site = question.law, question.site
    assert isinstance(law, OrderLaw)
    for part in question.parts:
        if not law.wanted(part.fact.direction, site.op.reduce):
            channel = int(part.channels[0])
            words = [f"not {law.said(site.op.reduce)}: {describe.direction(part.fact.direction)}", *constants(site, channel)]
            last = site.region.layers[-1].name
            return Refusal("right direction", "; ".join(words), last, channel, partial(law.counterexample, site, channel))
    return None


def refuted(refusal: Refusal) -> tuple[str, Witness | None]:
    """The reason with its witness, looked for now."""
    if refusal.search is None:
        return refusal.reason, None
    witness = refusal.search()
    return f"{refusal.reason}; {witness_words(witness) if witness else 'no witness was found, and no proof'}", witness


class OrderLaw(RegionLaw):
    """A law that needs f to go some way, and max or min pools."""

    conditions: ClassVar[Mapping[str, Condition]] = {
        "comparing": shared.comparing,
        "elements alone": shared.elements_alone,
        "identity start": shared.identity_start,
        "same shape": shared.same_shape,
        "comparable": shared.comparable,
        "fixed coefficients": shared.fixed_coefficients,
        "full windows": shared.full_windows,
        "no wrapping": shared.no_wrapping,
        "finite data": shared.finite_data,
        "no NaN": shared.no_nan,
        "right direction": right_direction,
        "exact enough": shared.exact_enough,
        "zero sign": shared.zero_sign,
    }
    pools: ClassVar[int] = 1
    """How many pools stand in front of the region afterwards,"""
    copies: ClassVar[int] = 1
    """and how many regions behind them."""

    def wanted(self, direction: Direction, reduce: Reduce) -> bool:
        """Whether this direction makes the law right for pools that reduce so."""
        raise NotImplementedError

    def counterexample(self, site: PoolSite, channel: int) -> Witness | None:
        """A window of this channel on which the rewrite would change the answer, where sampling finds one."""
        raise NotImplementedError

    def usable(self, fact: Fact, site: PoolSite, terms: Terms) -> bool:
        """The wanted direction, NaN-free, and exact enough."""
        exact_enough = fact.grade is not Grade.U or (terms.exactness == "ulp" and fact.bound is not None)
        return self.wanted(fact.direction, site.op.reduce) and not fact.range.nan and exact_enough

    def certificate(self, question: Question) -> Certificate:
        """The law with the facts of each group of channels, and the names of the conditions that were checked."""
        site, parts = question.site, question.parts
        facts = {_channels(part, site): describe.describe(part.fact) for part in parts}
        weakest = max((part.fact for part in parts), key=lambda fact: (fact.grade, not fact.swept))
        bound = max(part.fact.bound or 0.0 for part in parts) if weakest.grade is Grade.U else None
        checked = ("elementwise", "private", *self.conditions)
        records = tuple(_record(part, site) for part in parts)
        taken = assumptions(site, parts, question.terms)
        return Certificate(self.name, facts, checked, weakest.float_class, bound, assumptions=taken, records=records)

    def work(self, site: PoolSite) -> tuple[Work, Work]:
        """The region on every element, and one pool; or the pools, and the region once or twice a window."""
        before, after = region_steps(site, site.data.elements), region_steps(site, site.pooled.elements)
        reads = pooled(site.op, site.data)
        combined = (self.copies - 1 + self.pools - 1 > 0) * site.pooled.elements
        return Work(before, pooled=reads), Work(after * self.copies + combined, pooled=reads * self.pools)


def _record(part: ChannelFact, site: PoolSite) -> ChannelFacts:
    fact = part.fact
    direction = lattice.name(fact.direction).partition("(")[0]
    turned = fact.direction.peak if direction == "peak" else fact.direction.valley
    return ChannelFacts(
        () if len(part.channels) == site.channels else tuple(part.channels.tolist()),
        direction,
        fact.float_class,
        data=(part.domain.lo, part.domain.hi),
        source="the ranges of the network's inputs" if part.ranged else "every finite number",
        derivation="as one formula" if part.whole else "layer by layer",
        turn=(turned.until, turned.since) if turned and direction in ("valley", "peak") else None,
        range=(fact.range.lo, fact.range.hi),
        nan=fact.range.nan,
        minus_zero=fact.range.minus_zero,
        bound=fact.bound,
    )


def _channels(part: ChannelFact, site: PoolSite) -> str:
    if len(part.channels) == site.channels:
        return "every channel"
    if len(part.channels) == 1:
        return f"channel {int(part.channels[0])}"
    return f"{len(part.channels)} channels from {int(part.channels[0])}"
