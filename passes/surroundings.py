"""What all sites of a network share while placement goes over it: the order of layers, ranges, and who tells zeros apart."""

from __future__ import annotations

from cnnir.analysis.ranges import Ranges
from cnnir.analysis.zeros import separates_zeros
from cnnir.facts.interval import unknown
from cnnir.facts.precision import precision
from cnnir.ir.graph import Graph, Layer
from cnnir.ops.elementwise import Elementwise

from .region import Region


class Surroundings:
    """Facts about a graph that is being rewritten, kept right through each move so that no pool pays for them again."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.order = {layer.name: place for place, layer in enumerate(graph.layers())}
        self.ranges = Ranges(graph)
        self._suspects: list[str] | None = None

    def exchanged(self, pool: Layer, region: Region) -> None:
        """The pool now stands in front of the region: it takes the first of their places, and they the others in turn."""
        names = [*region.names, pool.name]
        places = sorted(self.order[name] for name in names)
        self.order.update(zip([pool.name, *region.names], places, strict=True))
        self.ranges.forget(names)

    def tells_zeros_apart(self, after: str) -> Layer | None:
        """The first layer behind `after` that gives different results for -0 and +0 on the range of its data, if any does."""
        if not self.suspects:
            return None
        reached = self.graph.descendants(after)
        for name in self.suspects:
            layer = self.graph[name]
            if name in reached and self._separates(layer, known=True):
                return layer
        return None

    @property
    def suspects(self) -> list[str]:
        """Layers that would tell zeros apart on some finite data; most networks have none, and need no ranges."""
        if self._suspects is None:
            layers = [self.graph[name] for name in sorted(self.order, key=self.order.__getitem__)]
            self._suspects = [layer.name for layer in layers if self._separates(layer, known=False)]
        return self._suspects

    def _separates(self, layer: Layer, known: bool) -> bool:
        if not isinstance(layer.op, Elementwise):
            return layer.op.separates_zeros
        if not layer.type.is_float:
            return False
        of = precision(layer.type.dtype)
        data = self.graph.data(layer.name)
        return separates_zeros(layer.op, [self.ranges[v] if known else unknown(of) for v in data], of)
