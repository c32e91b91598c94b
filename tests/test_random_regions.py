"""Random regions in front of random pools: what is moved answers as written, what is refused shows why, little is missed."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

import numpy as np
import pytest

import cnnir
from cnnir.checker.check import check
from cnnir.checker.runs import apart, compare
from cnnir.decisions import Decision, Optimized, Witness
from cnnir.facts.precision import precision
from cnnir.feeds import random_feeds
from cnnir.ir.graph import Graph, Value
from cnnir.ops.pooling import Pooling
from cnnir.testing import feeds
from cnnir.types import dtype_name

from .dense_sampling import Dense, dense
from .fuzzing import Counts, wanted
from .random_regions import DTYPES, FLOATS, network

Array = np.ndarray[Any, Any]
SAMPLE = 200
LEAST = 0.95
"""Of the regions that are movable in truth, the part that must be proved so."""


def data(graph: Graph, seen: Dense, seed: int) -> Iterator[Mapping[str, Array]]:
    """Adversarial, random, and numbers that lie where the region turns, or where its code is least in order."""
    yield from itertools.islice(feeds(graph, seed), 10)
    yield random_feeds(graph.inputs, graph.ranges, seed)
    rng, ((name, type),) = np.random.default_rng(seed), graph.inputs.items()
    for points in (seen.inside(seen.points), seen.tame):
        if len(points):
            yield {name: rng.choice(points, type.shape)}
            at = int(rng.integers(len(points)))
            yield {name: rng.choice(points[at : at + 30], type.shape)}
    for y in seen.values:
        for at in _turns(y):
            about = seen.inside(seen.points[max(at - 12, 0) : at + 12])
            if len(about):
                yield {name: rng.choice(about, type.shape)}


def _turns(y: Array) -> set[int]:
    """Where it is least and greatest, and where it rises and falls most from one point to the next."""
    with np.errstate(invalid="ignore", over="ignore"):  # a fall from the largest float64 to the smallest is infinite
        step = np.diff(y, prepend=y[0])
    return {int(at) for at in (np.argmin(y), np.argmax(y), np.argmin(step), np.argmax(step))}


def moved(decisions: Sequence[Decision]) -> list[Decision]:
    return [d for d in decisions if d.verdict == "moved"]


def allowed(decisions: Sequence[Decision]) -> float | None:
    """By how much outputs may differ; None where the bound of a site is no bound on what stands behind it."""
    bounds = [d.bound if d.certificate and d.certificate.float_class == "U" else 0.0 for d in moved(decisions)]
    assert None not in bounds
    return max((b for b in bounds[:1] if b), default=0.0) if not any(bounds[1:]) else None


def reads(graph: Graph, decisions: Sequence[Decision]) -> set[Value]:
    """What must be finite of the network as written: what moved regions read; for averages all that is computed on the way."""
    average = any(d.law == "affine" for d in moved(decisions))
    found = {v for d in moved(decisions) for n in d.site.region for v in graph.data(n) if average or v.layer not in d.site.region}
    return found | {v for d in moved(decisions) if average for v in graph.data(d.site.pool)}


def keeps_contract(array: Array, decisions: Sequence[Decision]) -> bool:
    """Data are finite, and where averages move, so are sums of them."""
    size = np.abs(array.astype(np.float64))
    summed = any(d.law == "affine" for d in moved(decisions)) and array.dtype.kind not in "biu"
    return bool(np.isfinite(size).all()) and (not summed or bool(size.max() <= precision(dtype_name(array.dtype)).max / size.size))


def answers_stay(graph: Graph, done: Optimized, feed: Sequence[Mapping[str, Array]]) -> int:
    """Equal bits where every move is exact, else within the bound; the number of data that keep the contract."""
    bound, needed = allowed(done.decisions), reads(graph, done.decisions)
    if bound is None or (bound and not isinstance(graph[graph.results["y0"].layer].op, Pooling)):
        steps = check(graph, done.graph, done.decisions).steps
        runs = compare("reference", lambda g: lambda f: cnnir.evaluate(g, f), graph, done.graph, steps, [("", f) for f in feed], [*needed])
        assert runs.mismatch is None, f"{runs.mismatch}\n{cnnir.dumps(graph)}"
        return runs.compared
    shown = graph.copy()
    shown.results = {**graph.results, **{f"read {v.layer}": v for v in needed}}
    tried = 0
    for one in feed:
        with np.errstate(all="ignore"):
            before = cnnir.evaluate(shown, one)
            wanted = before.pop("y0")
            if not all(keeps_contract(array, done.decisions) for array in before.values()):
                continue
            found = cnnir.evaluate(done.graph, one)["y0"]
        differ = apart(wanted, found, bound)
        assert not differ.any(), f"{wanted[differ]} before, {found[differ]} after, {bound} allowed, for {one}\n{cnnir.dumps(graph)}"
        tried += 1
    return tried


def reproduced(graph: Graph, decision: Decision, shown: Witness) -> None:
    """The numbers of a witness are run again: pool, then region, gives something else than region, then pool."""
    members, values = decision.site.region, dict[Value, Array]()
    (data,) = {v for name in members for v in graph.data(name) if v.layer not in members}
    x = np.array(shown.window, graph.type(data).numpy)
    channel, channels = shown.channel or 0, graph.type(data).shape[1]

    def region(at: Array) -> Array:
        values[data] = np.broadcast_to(at, (1, channels, len(at)))
        with np.errstate(all="ignore"):
            for layer in graph.layers():
                if layer.name in members:
                    operands = [values[v] for v in graph.data(layer.name)]
                    (values[Value(layer.name)],) = layer.op.evaluate(operands, graph.parameters(layer.name))
        return values[Value(members[-1])][0, channel].astype(np.float64)

    op = graph[decision.site.pool].op
    assert isinstance(op, Pooling)
    pick = np.max if op.reduce == "max" else np.min
    other = np.min if op.reduce == "max" else np.max
    ends = {"down": [other(x)], "valley": [np.min(x), np.max(x)]}.get(decision.law, [pick(x)])
    before, after = pick(region(x)), pick(region(np.array(ends, x.dtype)))
    assert (before, after) == (shown.before, shown.after) and before != after, f"{decision}\n{cnnir.dumps(graph)}"


def is_proved(graph: Graph, done: Optimized) -> bool:
    """Whether the pool went past the whole region."""
    region = {
        layer.name for layer in itertools.takewhile(lambda layer: not isinstance(layer.op, Pooling), graph.layers())
    } - graph.inputs.keys()
    return region <= {name for d in moved(done.decisions) for name in d.site.region}


def keeps_its_word(graph: Graph, seed: int) -> Counts:
    """Of one network: everything the issue says."""
    seen = dense(graph)
    pool = next(layer for layer in graph.layers() if isinstance(layer.op, Pooling))
    assert isinstance(pool.op, Pooling)
    reduce, found = pool.op.reduce, Counter[str]()
    feed = list(data(graph, seen, seed))
    proved = False
    for exactness in ("exact", "ulp"):
        done = cnnir.optimize(graph, place="always", exactness=exactness)
        found["data"] += answers_stay(graph, done, feed) if moved(done.decisions) else 0
        for decision in done.decisions:
            if decision.witness is not None:
                reproduced(done.graph, decision, decision.witness)
                found["witnesses"] += 1
        proved = is_proved(graph, done)
        if len(done.decisions) == 1 and proved and reduce != "avg":
            drop = seen.drop(reduce)
            assert drop <= (done.decisions[0].bound or 0.0), f"moved, but {drop} out of order\n{cnnir.dumps(graph)}"
        found[f"moved under {exactness}"] += bool(moved(done.decisions))
    behind = graph.results["y0"].layer != pool.name  # a reciprocal, which tells zeros apart: the pool may not move though f may
    if not behind and not any(len(w.empty) for w in pool.op.windows(graph.type(graph.data(pool.name)[0]))):
        dtype = next(iter(graph.inputs.values())).dtype
        movable = seen.is_movable(reduce, getattr(pool.op, "count_include_pad", False))
        found[f"movable {dtype}"] += movable
        found[f"proved {dtype}"] += proved and movable
        found["proved beyond sampling"] += proved and not movable
    return found


def recall(counts: Counts) -> dict[str, tuple[int, int]]:
    """How many were proved of how many movable ones: of each dtype, and of all together."""
    each = {d: (counts[f"proved {d}"], counts[f"movable {d}"]) for d in DTYPES}
    return {**each, "all": (sum(p for p, _ in each.values()), sum(m for _, m in each.values()))}


def run(count: int, first: int) -> Counts:
    counts, start = Counter[str](), time.perf_counter()
    for number in range(count):
        dtype = DTYPES[number % len(DTYPES)]
        try:
            counts += keeps_its_word(network(Random(first + number), dtype), first + number)
        except BaseException:
            print(f"\nnetwork(Random({first + number}), {dtype!r}) fails")
            raise
    words = ", ".join(
        f"{counts[name]:,} {name}" for name in ("moved under exact", "moved under ulp", "data", "witnesses", "proved beyond sampling")
    )
    print(f"\n{count:,} networks in {time.perf_counter() - start:.0f} s, seeds from {first}: {words}")
    for dtype, (proved, movable) in recall(counts).items():
        print(f"  {dtype:5} {proved:5,} of {movable:5,} movable regions proved: {proved / max(movable, 1):.1%}")
    return counts


TRUTH = {
    "x -> tanh -> maxpool(2)": True,
    "x -> cos -> maxpool(2)": False,
    "x -> relu -> avgpool(2)": False,
    "x -> add(1) -> not_equal(0.7265625) -> cast({dtype}) -> minpool(2)": False,  # but for one number, it is constant
    "x -> clip(0, 1) -> silu -> add(0.3) -> maxpool(2)": True,
    "x -> clip(-0.9, 1) -> gelu -> minpool(2)": False,  # by less than many roundings of f16
}


@pytest.mark.parametrize("body", TRUTH)
@pytest.mark.parametrize("dtype", FLOATS)
def test_what_is_movable_in_truth(body: str, dtype: str) -> None:
    graph = cnnir.parse(f"network n(x: {dtype}[1, 1, 4, 4] in [-3, 3]) {{ {body.format(dtype=dtype)} }}")
    pool = next(layer.op for layer in graph.layers() if isinstance(layer.op, Pooling))
    assert isinstance(pool, Pooling)
    assert dense(graph).is_movable(pool.reduce) == TRUTH[body]


def test_averages_may_lie_a_little_beyond_the_data() -> None:
    """threshold(1) is 0 up to 1, and jumps behind it."""
    for end, movable in [(1.0, False), (0.9, True)]:
        graph = cnnir.parse(f"network n(x: f32[1, 1, 4, 4] in [0, {end}]) {{ x -> threshold(1) -> avgpool(3) }}")
        assert dense(graph).is_movable("avg") == movable


def test_unsigned_channels_that_fall_and_rise() -> None:
    """There is no -1 in u8 to say so."""
    graph = network(Random(1005933), "u8")
    assert keeps_its_word(graph, 1005933)["moved under exact"] == 1
    done = cnnir.optimize(graph, place="always")
    assert [d.law for d in moved(done.decisions)] == ["channel"]
    report = check(graph, done.graph, done.decisions).report
    assert [c.verdict for d in report.decisions for c in d.checks if c.what == "mask"] == ["confirmed"]


def test_the_largest_numbers_give_a_checker_no_bound() -> None:
    """2.5 x overflows at the ends of the range of f64: the checker has no larger numbers to bound it with, and says so."""
    graph = network(Random(1005819), "f64")
    assert keeps_its_word(graph, 1005819)["moved under ulp"] == 1
    done = cnnir.optimize(graph, place="always", exactness="ulp")
    report = check(graph, done.graph, done.decisions).report
    assert [c.verdict for d in report.decisions for c in d.checks if c.what == "bound"] == ["could not confirm"]
    graph = cnnir.parse(cnnir.dumps(graph).replace("6, 6])", "6, 6] in [-9, 9])"))
    done = cnnir.optimize(graph, place="always", exactness="ulp")
    report = check(graph, done.graph, done.decisions).report
    assert [c.verdict for d in report.decisions for c in d.checks if c.what == "bound"] == ["confirmed"]


def test_hundreds_of_random_regions_keep_the_laws() -> None:
    counts = run(SAMPLE, 0)
    assert counts["witnesses"] > 10


@pytest.mark.fuzz
def test_thousands_of_random_regions_keep_the_laws() -> None:
    first = wanted("CNNIR_FUZZ_SEED", 10**6)
    counts = run(wanted("CNNIR_FUZZ_REGIONS", 10_000), first)
    proved, movable = recall(counts)["all"]
    assert proved >= LEAST * movable
