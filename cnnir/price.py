"""What a move is worth: the interface that backends implement and placement asks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol

from .decisions import Site
from .ir.graph import Graph


@dataclass(frozen=True)
class Work:
    """What some layers do in one run, counted."""

    evaluations: int = 0
    """Scalar steps of elementwise layers (`cnnir.scalar.cost`)."""
    macs: int = 0
    """Multiply-accumulates."""
    pooled: int = 0
    """Elements that pools read, window by window."""

    def __add__(self, other: Work) -> Work:
        return Work(self.evaluations + other.evaluations, self.macs + other.macs, self.pooled + other.pooled)

    @property
    def operations(self) -> int:
        """All of them, each as one."""
        return self.evaluations + self.macs + self.pooled


@dataclass(frozen=True)
class Price:
    """The cost of a site as written (`before`) and as rewritten (`after`), in one unit."""

    before: float
    after: float
    unit: Literal["s", "operations"] = "s"
    unclear: bool = False
    """Whether the clock's noise exceeds the difference."""
    estimated: bool = False
    """Whether no clock was asked, but what the machine can do at most."""

    @property
    def saves(self) -> bool:
        """Whether the move is cheaper, beyond noise."""
        return self.after < self.before and not self.unclear

    @property
    def backwards(self) -> Price:
        """Of the same rewrite read backwards."""
        return replace(self, before=self.after, after=self.before)

    def __str__(self) -> str:
        if self.unit == "s":
            noise = ", which noise exceeds" if self.unclear else ""
            guess = "an estimated " if self.estimated else ""
            return f"{guess}{self.before * 1e6:.3g} us before, {self.after * 1e6:.3g} us after{noise}"
        return f"{self.before:.0f} operations before, {self.after:.0f} after"


class PriceModel(Protocol):
    """Prices rewrites on some machine."""

    def saving(self, graph: Graph, site: Site, before: Work, after: Work) -> Price:
        """The price of a rewrite at `site` in `graph`, where it has not been done yet, of this much work."""
        ...


class Operations:
    """The price that knows no machine: how many scalar operations the layers of the site perform."""

    def saving(self, graph: Graph, site: Site, before: Work, after: Work) -> Price:
        """Counted operations."""
        del graph, site
        return Price(before.operations, after.operations, "operations")
