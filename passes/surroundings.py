"""What all sites of a network share while placement goes over it: order, ranges, evidence, and who tells zeros apart."""

from __future__ import annotations

from collections.abc import Hashable

from cnnir.analysis.ranges import Ranges
from cnnir.analysis.zeros import separates_zeros
from cnnir.facts.evidence import Evidence
from cnnir.facts.fact import Fact
from cnnir.facts.interval import unknown
from cnnir.facts.precision import precision
from cnnir.ir.graph import Graph, Layer
from cnnir.ops.elementwise import Elementwise

from .region import Position


class Surroundings:
    """Facts about a graph that is being rewritten, kept right through each move so that no pool pays for them again."""

    def __init__(self, graph: Graph, assume_finite: bool = True, evidence: Evidence | None = None, training: bool = False) -> None:
        self.graph = graph
        self.evidence = evidence
        self.order: dict[str, Position] = {layer.name: (place,) for place, layer in enumerate(graph.layers())}
        self.ranges = Ranges(graph, assume_finite, training)
        self.facts: dict[Hashable, Fact] = {}
        """Of single layers without coefficients, by what they compute and on which range: most sites of a network are alike."""
        self._behind: dict[str, str] | None = None
        self._inserted = 0

    def exchanged(self, names: list[str]) -> None:
        """These layers now follow one another in this order: they take their places in turn."""
        places = sorted(self.order[name] for name in names)
        self.order.update(zip(names, places, strict=True))
        self.ranges.forget(names)

    def inserted(self, name: str, after: str) -> None:
        """A new layer comes right after another one, and whoever reads the one may read it."""
        self.order[name] = (*self.order[after], self._inserted)
        self._inserted += 1
        self.ranges.forget([name])
        if self._behind is not None and after in self._behind:
            self._behind[name] = self._behind[after]

    def removed(self, name: str) -> None:
        """The layer is about to be removed."""
        self.ranges.forget([name])
        del self.order[name]

    def tells_zeros_apart(self, after: str) -> Layer | None:
        """The first layer behind `after` that gives different results for -0 and +0 on the range of its data, if any does."""
        if self._behind is None:
            self._behind = self._first_behind()
        found = self._behind.get(after)
        return None if found is None else self.graph[found]

    def _first_behind(self) -> dict[str, str]:
        """Layer -> the first layer behind it that tells zeros apart, in one walk from the outputs.

        Asked once: what lies behind a pool is not moved before the pool is decided. Most networks have no layer that would
        tell zeros apart on any finite data, and need no ranges.
        """
        layers = sorted(self.order, key=self.order.__getitem__)
        suspects = [name for name in layers if self._separates(self.graph[name], known=False)]
        telling = {name for name in suspects if self._separates(self.graph[name], known=True)}
        first: dict[str, str] = {}
        for name in reversed(layers if telling else []):
            readers = self.graph.network.successors(name)
            behind = [r if r in telling else first[r] for r in readers if r in telling or r in first]
            if behind:
                first[name] = min(behind, key=self.order.__getitem__)
        return first

    def _separates(self, layer: Layer, known: bool) -> bool:
        if not isinstance(layer.op, Elementwise):
            return layer.op.separates_zeros
        data = self.graph.data(layer.name)
        if not self.graph.type(data[0]).is_float:
            return False
        of = precision(self.graph.type(data[0]).dtype)
        return separates_zeros(layer.op, [self.ranges[v] if known else unknown(of) for v in data], of)
