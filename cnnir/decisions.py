"""Decisions: what was done at each site, by which law, with the proof or the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .diagnostics import Span
from .ir.graph import Graph

Verdict = Literal["moved", "refused", "kept"]


@dataclass(frozen=True)
class Site:
    """An elementwise region next to a pool: their layer names, and the place of the pool in the user's file."""

    pool: str
    region: tuple[str, ...]
    span: Span | None = field(default=None, compare=False)
    behind: bool = False
    """Whether the region stands behind the pool as written."""

    def __str__(self) -> str:
        return " -> ".join((self.pool, *self.region) if self.behind else (*self.region, self.pool))


@dataclass(frozen=True)
class Certificate:
    """Why a move is right, machine-readable: the law, the facts it used, the side conditions that were checked."""

    law: str
    facts: Mapping[str, Any]
    conditions: tuple[str, ...]
    float_class: str
    """The worst over the channels: `E` exact on every IEEE target, `C (assumed)` exact for this formula over this library,
    `U` within `bound`."""
    bound: float | None = None
    """Of class U: how far apart the two networks can be at the site, for any data in their proven range;"""
    growth: float | None = None
    """where the data decide that, as in averages, the bound for each unit of the largest |x| at the site."""
    assumptions: tuple[str, ...] = ()
    """What the proof takes for granted, in words."""
    records: tuple[Mapping[str, Any], ...] = ()
    """The facts as data, one record for each group of channels, covering all of them."""


@dataclass(frozen=True)
class Witness:
    """A window on which the swap would change the answer; both answers were computed before it is shown."""

    window: tuple[float, ...]
    before: float
    after: float
    channel: int | None = None


@dataclass(frozen=True)
class Decision:
    """What was decided at a site. `moved` and `kept` carry a certificate; `refused` a reason and maybe a witness."""

    site: Site
    law: str
    verdict: Verdict
    reason: str
    certificate: Certificate | None = None
    witness: Witness | None = None
    bound: float | None = None
    condition: str = ""
    """Of a refusal: the side condition that failed."""

    @property
    def rule(self) -> str:
        """The law."""
        return self.law

    @property
    def proof(self) -> Certificate | None:
        """The certificate."""
        return self.certificate


@dataclass(frozen=True)
class Optimized:
    """What `cnnir.optimize` returns: the network, and a decision for every site it looked at."""

    graph: Graph
    decisions: tuple[Decision, ...]
