"""What a law is: it looks at a site, answers with a proof or a refusal, and rewrites where it has proved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnnir.decisions import Certificate, Witness
from cnnir.facts.lattice import Direction
from cnnir.ir.graph import Graph
from cnnir.ops.pooling import Pooling

from ..site import PoolSite


@dataclass(frozen=True)
class Refusal:
    """Why a law does not apply: the side condition that failed, in words, and numbers that show it where there are any."""

    condition: str
    reason: str
    layer: str | None = None
    channel: int | None = None
    witness: Witness | None = None
    law: str = ""


@dataclass(frozen=True)
class Proof:
    """Why it applies."""

    certificate: Certificate


class Law:
    """A rule: `check` decides, `rewrite` does. Neither looks at names of ops."""

    name: ClassVar[str] = ""
    words: ClassVar[str] = ""
    """What it needs of the region, in words."""
    example: ClassVar[str] = ""
    """A network in which it moves something."""

    def check(self, site: PoolSite, exactness: str) -> Proof | Refusal:
        """Proof that the law applies at this site with this exactness, or the first side condition that fails."""
        raise NotImplementedError

    def rewrite(self, graph: Graph, site: PoolSite) -> None:
        """Change `graph`, in which the law was proved at `site`."""
        raise NotImplementedError


class Exchange(Law):
    """A law by which an elementwise region and a pool trade places, the pool perhaps becoming its dual."""

    keeps_order: ClassVar[bool] = True
    """Whether f must keep order (else reverse it)."""

    def wanted(self, direction: Direction) -> bool:
        """Whether this direction makes the law right."""
        raise NotImplementedError

    def pool(self, pool: Pooling) -> Pooling:
        """The pool after the exchange."""
        raise NotImplementedError
