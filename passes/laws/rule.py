"""What a law is: it looks at a pool and what stands in front of it, answers with a proof or a refusal, and rewrites."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

from cnnir.certificates import Certificate
from cnnir.decisions import Witness
from cnnir.facts.fact import Fact
from cnnir.ir.graph import Graph, Layer, Value
from cnnir.ops.pooling import Pooling, Reduce
from cnnir.price import Work

from ..site import ChannelFact, PoolSite
from ..surroundings import Surroundings
from ..terms import Terms


@dataclass(frozen=True)
class Refusal:
    """Why a law does not apply: the side condition that failed, in words, and a search for numbers that show it."""

    condition: str
    reason: str
    layer: str | None = None
    channel: int | None = None
    search: Callable[[], Witness | None] | None = None
    """Looks for a window on which the rewrite would change the answer; run only for the refusal that is shown."""
    telling: bool = True
    """Whether a user wants to hear of it: that a max pool behind a convolution does not average is no news."""
    law: str = ""
    passed: int = 0
    """How many conditions held before this one: of several laws, the one that came furthest says most."""


@dataclass(frozen=True)
class Proof:
    """Why it applies."""

    certificate: Certificate


class Law:
    """A rule about a pool. Nothing in it looks at the names of ops."""

    name: ClassVar[str] = ""
    words: ClassVar[str] = ""
    """What it says of what stands in front of the pool, where it applies."""
    example: ClassVar[str] = ""
    """A network in which it moves something,"""
    terms: ClassVar[Terms] = Terms()
    """on these terms."""
    conditions: ClassVar[Mapping[str, Callable[..., Refusal | None]]] = {}
    """Its side conditions by name, in the order they are checked: cheap ones, and ones that read no weights, first."""
    placed: ClassVar[bool] = True
    """Whether placement applies it; if not, a pass of its name does."""

    def said(self, reduce: Reduce) -> str:
        """`words` where the pool reduces so."""
        del reduce
        return self.words


class RegionLaw(Law):
    """A law about an elementwise region in front of a pool: one file each, tried on every region in turn."""

    conditions: ClassVar[Mapping[str, Condition]] = {}

    def check(self, site: PoolSite, terms: Terms) -> Proof | Refusal:
        """Proof that the law applies at this site on these terms, or the first side condition that fails."""
        question = Question(self, site, terms)
        for passed, condition in enumerate(self.conditions.values()):
            refusal = condition(question)
            if refusal is not None:
                return replace(refusal, law=self.name, passed=passed)
        return Proof(self.certificate(question))

    def usable(self, fact: Fact, site: PoolSite, terms: Terms) -> bool:
        """Whether these facts need no finer look (fewer channels, a smaller range) for the law to apply."""
        raise NotImplementedError

    def certificate(self, question: Question) -> Certificate:
        """The proof as data, once every condition holds."""
        raise NotImplementedError

    def rewrite(self, around: Surroundings, site: PoolSite) -> list[str]:
        """Change the network, in which the law was proved at `site`; the pools that may go on from there."""
        raise NotImplementedError

    def work(self, site: PoolSite) -> tuple[Work, Work]:
        """What the site costs as written, and rewritten."""
        raise NotImplementedError


class LayerLaw(Law):
    """A law about the one layer in front of a pool that makes what the pool reads: a convolution, a concat, a pool."""

    weighed: ClassVar[bool] = False
    """Whether it is a matter of price under `place=always` too: the rewrite brings no pool further up."""

    def about(self, layer: Layer) -> bool:
        """Whether the law speaks of such a layer."""
        raise NotImplementedError

    def about_behind(self, layer: Layer, pool: Pooling) -> bool:
        """Whether the law, read backwards, speaks of such a layer behind such a pool: with the two swapped, it would be a pair."""
        del layer, pool
        return False

    conditions: ClassVar[Mapping[str, PairCondition]] = {}

    def check(self, pair: Pair) -> Proof | Refusal:
        """Proof that the law applies to the pool and the layer in front of it, or the first side condition that fails."""
        for passed, condition in enumerate(self.conditions.values()):
            refusal = condition(pair)
            if refusal is not None:
                return replace(refusal, law=self.name, passed=passed)
        return Proof(self.certificate(pair))

    def certificate(self, pair: Pair) -> Certificate:
        """The proof as data, once every condition holds."""
        raise NotImplementedError

    def rewrite(self, pair: Pair) -> list[str]:
        """Change the network, in which the law was proved; the pools that stand further up now."""
        raise NotImplementedError

    def work(self, pair: Pair) -> tuple[Work, Work]:
        """What the rewrite changes costs as written, and rewritten."""
        raise NotImplementedError


@dataclass(frozen=True)
class Pair:
    """A pool, and the layer that makes what it reads."""

    around: Surroundings
    layer: Layer
    pool: Layer
    terms: Terms

    @property
    def graph(self) -> Graph:
        """The network as it is now."""
        return self.around.graph

    @property
    def op(self) -> Pooling:
        """The pool's operation."""
        assert isinstance(self.pool.op, Pooling)
        return self.pool.op

    @property
    def inputs(self) -> list[Value]:
        """What the layer reads."""
        return self.graph.data(self.layer.name)


@dataclass
class Question:
    """Does this law apply at this site, on these terms?"""

    law: RegionLaw
    site: PoolSite
    terms: Terms

    @cached_property
    def parts(self) -> list[ChannelFact]:
        """Facts that together cover every channel, as coarse as the law can use; the last one fails it if any does."""
        return list(self.site.prove(lambda fact: self.law.usable(fact, self.site, self.terms)))


Condition = Callable[[Question], "Refusal | None"]
PairCondition = Callable[[Pair], "Refusal | None"]
