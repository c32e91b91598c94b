"""Random regions, dozens in one network: compiled as written and moved, they give the same bits, or stay within their bounds."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

import numpy as np
import pytest

import cnnir
from cnnir.checker.runs import apart
from cnnir.decisions import Decision, Optimized
from cnnir.feeds import random_feeds
from cnnir.ir.graph import Graph, Layer
from cnnir.ops.pooling import Pooling
from cnnir.testing import feeds

from .dense_sampling import dense
from .fuzzing import Counts, wanted
from .random_regions import DTYPES, add_region, network
from .test_random_regions import allowed, keeps_contract, moved, reads

Array = np.ndarray[Any, Any]
TOGETHER = 50
"""Regions in one network, so that the compiler runs once for all of them."""
FEEDS = 8


def side_by_side(first: int, count: int) -> Graph:
    """Regions number `first` and following, one dtype after the other."""
    graph = Graph("regions")
    for number in range(first, first + count):
        add_region(graph, Random(number), DTYPES[number % len(DTYPES)], number)
    return graph


def data(graph: Graph, first: int) -> list[Mapping[str, Array]]:
    """For each input what is adversarial to its own region, as many sets of data as the poorest region has."""
    streams: list[list[Array]] = []
    for number, (name, type) in enumerate(graph.inputs.items(), first):
        alone = network(Random(number), type.dtype)
        rng, seen = np.random.default_rng(number), dense(alone)
        arrays = [feed["x0"] for feed in itertools.islice(feeds(alone, number), FEEDS)]
        arrays += [rng.choice(points, type.shape) for points in (seen.inside(seen.points), seen.tame) if len(points)]
        arrays.append(random_feeds({name: type}, {name: graph.ranges[name]}, number)[name])
        streams.append(arrays)
    most = max(len(arrays) for arrays in streams)
    return [{name: arrays[k % len(arrays)] for name, arrays in zip(graph.inputs, streams, strict=True)} for k in range(most)]


def decisions_by_output(graph: Graph, done: Optimized) -> dict[str, list[Decision]]:
    """Of each output, what was decided of its pool."""
    pools = {name: _pool(graph, name).name for name in graph.results}
    return {name: [d for d in done.decisions if d.site.pool == pool] for name, pool in pools.items()}


def _pool(graph: Graph, output: str) -> Layer:
    layer = graph[graph.results[output].layer]
    return layer if isinstance(layer.op, Pooling) else graph[graph.data(layer.name)[0].layer]


def only(graph: Graph, outputs: Iterable[str]) -> Graph:
    """The part of a network that makes these outputs, of all its inputs."""
    part = graph.copy()
    part.results = {name: graph.results[name] for name in outputs}
    live = part.live() | graph.inputs.keys()
    for layer in reversed(list(part.layers())):
        if layer.name not in live:
            part.remove(layer.name)
    return part


def agrees(graph: Graph, feed: list[Mapping[str, Array]]) -> Counts:
    """Raise where an output of the moved network is another; how many outputs of how many regions were compared."""
    exact, ulp = (cnnir.optimize(graph, place="always", exactness=exactness) for exactness in ("exact", "ulp"))
    ways = [(done, decisions_by_output(graph, done)) for done in (exact, ulp)]
    chosen = [{n for n, ds in ways[0][1].items() if moved(ds)}, {n for n, ds in ways[1][1].items() if moved(ds) != moved(ways[0][1][n])}]
    before = cnnir.compile(only(graph, chosen[0] | chosen[1]), threads=1)
    counts = Counter({"regions moved exactly": len(chosen[0]), "otherwise": len(chosen[1])})
    for (done, decisions), names in zip(ways, chosen, strict=True):
        after = cnnir.compile(only(done.graph, names), threads=1)
        needed = {name: reads(graph, decisions[name]) for name in names}
        shown = graph.copy()
        shown.results = {str(value): value for values in needed.values() for value in values}
        for one in feed:
            with np.errstate(all="ignore"):
                values = cnnir.evaluate(shown, one)
            was, now = before(one), after(one)
            for name in names:
                bound = allowed(decisions[name])
                tail = not isinstance(graph[graph.results[name].layer].op, Pooling)
                if (
                    bound is not None
                    and not (bound and tail)
                    and all(keeps_contract(values[str(v)], decisions[name]) for v in needed[name])
                ):
                    _compare(int(name[1:]), was[name], now[name], bound, one)
                    counts["outputs compared"] += 1
    return counts


def _compare(number: int, was: Array, now: Array, bound: float, feed: Mapping[str, Array]) -> None:
    differ = apart(was, now, bound)
    words = f"region {number}: {was[differ]} as written, {now[differ]} moved, {bound} allowed, for {feed[f'x{number}']!r}"
    assert not differ.any(), f"{words}\n{cnnir.dumps(network(Random(number), DTYPES[number % len(DTYPES)]))}"


def run(count: int, first: int) -> Counts:
    counts, start = Counter[str](), time.perf_counter()
    for begin in range(first, first + count, TOGETHER):
        graph = side_by_side(begin, min(TOGETHER, first + count - begin))
        feed = data(graph, begin)
        counts += agrees(graph, feed)
    words = ", ".join(f"{number:,} {name}" for name, number in counts.items())
    print(f"\n{count:,} regions compiled in {time.perf_counter() - start:.0f} s, seeds from {first}: {words}")
    return counts


def test_dozens_of_random_regions_agree_compiled() -> None:
    assert run(TOGETHER, 0)["outputs compared"] > 100


@pytest.mark.fuzz
def test_thousands_of_random_regions_agree_compiled() -> None:
    run(wanted("CNNIR_FUZZ_REGIONS_COMPILED", 10_000), wanted("CNNIR_FUZZ_SEED", 10**6))
