"""What a move is worth in another runtime, by its own clock.

A runtime fuses what it likes: an activation behind its convolution is free in one, and behind a pool another pass over
memory. So the layers of a site, with the convolutions that feed them, are made a network of their own, in both orders, and
both run in turns in the runtime that is to run the whole.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path

from cnnir.analysis.ranges import Ranges
from cnnir.decisions import Site
from cnnir.feeds import random_feeds
from cnnir.ir.graph import Graph, Value
from cnnir.ops.pooling import Pooling
from cnnir.ops.tensor import Input
from cnnir.price import Operations, Price, Work

from ..race import race
from .peer import Peer
from .registry import usual
from .start import usable_cores

ROUNDS, RUNS = 9, 5
MOST_LAYERS = 64
"""Of a site's network; what is not in it gives it an input."""
Move = Callable[[Graph], Graph]
"""Does to a network whatever the laws allow."""


class RuntimePrice:
    """Prices of rewrites in one runtime on this machine; sites of one shape are timed once.

    Raises CnnirError: exit code 2 where no runtime is called so, 3 where it is not installed, 1 where it cannot run a site.
    """

    def __init__(self, runtime: str, move: Move, threads: int | None = None) -> None:
        self.runtime = usual(runtime)
        self._move = move
        self._threads = threads or usable_cores()
        self._known: dict[object, Price] = {}

    def saving(self, graph: Graph, site: Site, before: Work, after: Work) -> Price:
        """Seconds of the site's network in each order. Counted operations where no move is proved of it when it stands alone."""
        written = neighbourhood(graph, site)
        moved = self._move(written)
        if moved == written:
            written = neighbourhood(graph, site, ranges=True)
            moved = self._move(written)
        if moved == written:
            return Operations().saving(graph, site, before, after)
        key = _shape(written)
        if key not in self._known:
            self._known[key] = self._timed(written, moved)
        return self._known[key]

    def _timed(self, written: Graph, moved: Graph) -> Price:
        from ..onnx_export import save

        feeds = random_feeds(written.inputs, written.ranges)
        with tempfile.TemporaryDirectory(prefix="cnnir-price-") as folder:
            paths = [Path(folder) / name for name in ("written.onnx", "moved.onnx")]
            for network, path in zip((written, moved), paths, strict=True):
                save(network, path)
            with Peer(self.runtime, paths[0], feeds, self._threads) as one, Peer(self.runtime, paths[1], feeds, self._threads) as other:
                result = race({"written": one.run, "moved": other.run}, ROUNDS, RUNS)
        medians = [result.standings[name].median for name in ("written", "moved")]
        ratio = result.ratio("moved", "written")
        return Price(medians[0], medians[1], "s", unclear=ratio.low <= 1 <= ratio.high)


def neighbourhood(graph: Graph, site: Site, ranges: bool = False) -> Graph:
    """The layers of a site, and what feeds them up to the next layer that multiplies, as a network; weights are shared.

    With `ranges` its inputs are in the ranges that they have in the whole network.
    """
    inside = _inside(graph, site)
    known, made = Ranges(graph), dict[Value, Value]()
    part = Graph("site", graph.weights)
    for layer in graph.layers():
        if layer.name not in inside:
            continue
        for value in graph.data(layer.name):
            if value not in made and value.layer not in inside:
                span = known[value] if ranges else None
                declared = (span.lo, span.hi) if span and math.isfinite(span.lo) and math.isfinite(span.hi) else None
                made[value] = part.add_input(part.fresh(f"x{len(part.inputs)}"), graph.type(value), declared)
        operands = [None if v is None else made[v] for v in graph.operands(layer.name)]
        first = part.add(layer.op, operands, name=f"site/{layer.name}", weights=dict(layer.weights))
        made |= {old: Value(first.layer, old.slot) for old in graph.values(layer.name)}
    read = {v for name in inside for v in graph.data(name)}
    part.results = {f"y{n}": made[v] for n, v in enumerate(v for name in inside for v in graph.values(name) if v not in read)}
    return part


def _inside(graph: Graph, site: Site) -> set[str]:
    inside = {*site.region, site.pool}
    pending = list(inside)
    while pending:
        for value in graph.data(pending.pop()):
            layer = graph[value.layer]
            if layer.name in inside or isinstance(layer.op, Input | Pooling) or len(inside) >= MOST_LAYERS:
                continue
            inside.add(layer.name)
            if not layer.op.macs([graph.type(v) for v in graph.data(layer.name)], layer.outputs):
                pending.append(layer.name)
    return inside


def _shape(graph: Graph) -> object:
    """What sites of one shape have in common."""
    numbers = {layer.name: number for number, layer in enumerate(graph.layers())}
    return tuple(
        (layer.op, layer.outputs, tuple(None if v is None else (numbers[v.layer], v.slot) for v in graph.operands(layer.name)))
        for layer in graph.layers()
    )
