"""Decisions: what was done at each site, by which law, with the proof or the reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .certificates import Certificate
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
