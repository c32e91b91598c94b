"""Finding the law that moves a region: the largest region first, every law on each."""

from __future__ import annotations

from dataclasses import dataclass, field

from cnnir.ir.graph import Layer, Value

from ..region import Blocked, regions_up_from
from ..site import PoolSite
from ..surroundings import Surroundings
from ..terms import Terms
from .affine import Affine
from .channel import Channel
from .down import Down
from .rule import Proof, Refusal, RegionLaw
from .training import unsteady
from .up import Up
from .valley import Valley

REGION_LAWS: tuple[RegionLaw, ...] = (Up(), Down(), Channel(), Valley(), Affine())
"""In the order they are tried: one evaluation a window before two, one pool before two."""


@dataclass(frozen=True)
class Found:
    """A law that is proved of a site."""

    law: RegionLaw
    site: PoolSite
    proof: Proof


@dataclass
class Search:
    """What became of the regions of one pool: proofs and refusals as they are found, and what ended the walk up."""

    found: Found | None = None
    refused: list[tuple[PoolSite, Refusal]] = field(default_factory=list[tuple[PoolSite, Refusal]])
    blocked: Blocked | None = None


def search(around: Surroundings, pool: Layer, result: Value, reader: str, terms: Terms) -> Search:
    """The largest region that ends at `result`, which the layer `reader` alone reads, and may trade places with `pool`."""
    candidates = regions_up_from(around.graph, result, reader, around.order)
    outcome = Search(blocked=candidates.blocked)
    for region in candidates.regions:
        site = PoolSite(around.graph, pool, region, around)
        answer = proved(site, terms)
        if not isinstance(answer, Refusal):
            outcome.found = answer
            return outcome
        outcome.refused.append((site, answer))
    return outcome


def proved(site: PoolSite, terms: Terms) -> Found | Refusal:
    """The first law that is proved; or of all refusals the one whose law came furthest."""
    refusals: list[Refusal] = []
    if (refusal := unsteady(site, terms)) is not None:
        return refusal
    for law in REGION_LAWS:
        answer = law.check(site, terms)
        if isinstance(answer, Proof):
            return Found(law, site, answer)
        refusals.append(answer)
    return max(refusals, key=lambda refusal: refusal.passed)
