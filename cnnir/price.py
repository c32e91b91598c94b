"""What a move is worth: the interface that backends implement and placement asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from .decisions import Site
from .ir.graph import Graph


@dataclass(frozen=True)
class Price:
    """The cost of a site as written (`before`) and with the region behind the pool (`after`), in one unit."""

    before: float
    after: float
    unit: Literal["s", "evaluations"] = "s"

    @property
    def saves(self) -> bool:
        """Whether the move is cheaper."""
        return self.after < self.before

    def __str__(self) -> str:
        if self.unit == "s":
            return f"{self.before * 1e6:.3g} us before, {self.after * 1e6:.3g} us after"
        return f"{self.before:.0f} evaluations before, {self.after:.0f} after"


class PriceModel(Protocol):
    """Prices sites on some machine."""

    def saving(self, graph: Graph, site: Site) -> Price:
        """The price of moving the region of `site` in `graph`, where it still stands in front of the pool."""
        ...


class Evaluations:
    """The price that knows no machine: how many elements the region's layers are evaluated on."""

    def saving(self, graph: Graph, site: Site) -> Price:
        """Each layer once per element of its output, before; once per element of the pool's output, after."""
        before = sum(graph[name].type.elements for name in site.region)
        return Price(before, graph[site.pool].type.elements * len(site.region), "evaluations")
