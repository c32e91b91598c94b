"""Placement backwards: the same proofs, with the price read the other way round."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnnir
from cnnir.decisions import Site
from cnnir.diagnostics import OpError
from cnnir.facts.interval import Interval
from cnnir.ir.graph import Graph, Value
from cnnir.ops import arithmetic, piecewise, smooth
from cnnir.ops.base import Op
from cnnir.ops.pooling import AvgPool, MaxPool, MinPool
from cnnir.passes.absorb import AbsorbPass
from cnnir.passes.place import place
from cnnir.passes.region import regions_down_from
from cnnir.price import Price, Work

from .networks import adversarial, chain, compare, formula_of
from .test_laws import OPERATIONS, RANGES, SHAPES, WHOLE, pools

TWO = MaxPool((2, 2), (2, 2))


@dataclass
class InFront:
    """A machine on which an activation in front of a pool is free: it rides with the convolution."""

    layers: int = 0

    def saving(self, graph: Graph, site: Site, before: Work, after: Work) -> Price:
        """Behind the pool it costs, whatever is counted. At a site the region is in front."""
        pool = graph[site.pool]
        assert graph.data(pool.name)[0] == Value(site.region[-1]), "the site is asked about as the law has it"
        self.layers += len(site.region)
        return Price(1, 2)


@pytest.mark.parametrize(
    "layers",
    ["relu", "sigmoid -> relu6", "neg", "neg -> relu -> neg", "batchnorm -> relu -> clip(-1, 1) -> tanh", "negated"],
)
@pytest.mark.parametrize("pool", ["maxpool(2)", "minpool(3, stride=1, pad=1)", "global_maxpool", "adaptive_minpool(3)"])
def test_it_undoes_what_placement_does(layers: str, pool: str) -> None:
    text = (
        f"activation negated(x) = -max(x, 0)\nnetwork n(x: f32[1, 1, 8, 8]) {{ x -> conv(1, 3) -> {layers} -> {pool} -> global_maxpool }}"
    )
    written = cnnir.parse(text)
    moved = place(written, "always", exactness="ulp")
    if any(d.verdict == "moved" and d.law in ("cascade", "channel") for d in moved.decisions):
        return
    again = place(moved.graph, "auto", "ulp", price=InFront())
    assert again.graph == written
    assert {d.law for d in again.decisions if d.verdict == "moved"} == {d.law for d in moved.decisions if d.verdict == "moved"}


@pytest.mark.parametrize("text", ["conv(8, 1)", "mul(3) -> add(1)", "conv(8, 1, groups=2) -> bias"])
def test_averages_come_back_too(text: str) -> None:
    written = cnnir.parse(f"network n(x: f32[1, 4, 8, 8] in [-1, 1]) {{ x -> {text} -> avgpool(3, stride=2, pad=1) }}")
    moved = place(written, "always", exactness="ulp")
    assert moved.graph != written
    again = place(moved.graph, "auto", "ulp", price=InFront())
    assert again.graph == written
    assert all(d.certificate and d.certificate.bound is not None and d.site.behind for d in again.decisions)
    assert place(moved.graph, "auto", price=InFront()).graph == moved.graph, "re-rounding is not exact"


def test_only_auto_asks_and_only_where_it_pays() -> None:
    graph = chain(TWO, piecewise.Relu())
    for how in ("auto", "always", "never"):
        done = place(graph, how)
        assert done.graph == graph and done.decisions == ()
    for how in ("always", "never"):
        assert place(graph, how, price=InFront()).graph == graph
    (decision,) = place(graph, "auto", price=InFront()).decisions
    assert decision.verdict == "moved" and decision.site.behind and str(decision.site) == "maxpool -> relu"
    assert "law up, backwards: relu is non-decreasing" in decision.reason
    assert decision.certificate and decision.certificate.law == "up" and decision.certificate.float_class == "E"


def test_what_is_refused_is_left_as_it_was() -> None:
    for op in (smooth.Silu(), piecewise.Abs(), smooth.Softsign(), arithmetic.Bias("element")):
        graph = chain(TWO, op)
        done = place(graph, "auto", price=InFront())
        (decision,) = done.decisions
        assert decision.verdict == "refused" and decision.reason.startswith("backwards: ") and decision.condition
        assert done.graph == graph and [layer.origin for layer in done.graph.layers()] == [layer.origin for layer in graph.layers()]


@pytest.mark.parametrize(
    ("dtype", "pool", "behind"),
    [
        ("f32", "maxpool(2)", "cast(bool)"),
        ("f32", "adaptive_maxpool(1)", "cast(bool)"),
        ("f32", "avgpool(2)", "cast(i32)"),
        ("f32", "maxpool(2)", "quantize([0.5, 0.25], axis=-1)"),
        ("i8", "maxpool_places(2)", "hardtanh(hi=1.9e16)"),
    ],
)
def test_what_would_not_be_well_typed_in_front_of_the_pool_stays_behind_it(dtype: str, pool: str, behind: str) -> None:
    graph = cnnir.parse(f"network n(x: {dtype}[1, 2, 4, 4]) {{ x -> {pool} -> {behind} }}")
    for done in (place(graph, "auto", price=InFront()), AbsorbPass().decide(graph)):
        assert done.graph == graph and done.decisions == ()


def test_the_zeros_of_what_is_behind_count() -> None:
    graph = chain(MinPool((2, 2), (2, 2)), arithmetic.Ceil(), smooth.Reciprocal())
    (decision,) = place(graph, "auto", price=InFront()).decisions
    assert (decision.verdict, decision.condition) == ("refused", "zero sign")


def test_a_pool_that_comes_to_stand_in_front_of_a_pool_is_decided_with_it() -> None:
    @dataclass
    class FreeInFront(InFront):
        def saving(self, graph: Graph, site: Site, before: Work, after: Work) -> Price:
            pools = all(isinstance(graph[name].op, MaxPool) for name in site.region)
            return Price(2, 1) if pools else Price(1, 2)

    done = place(chain(TWO, piecewise.Relu(), TWO), "auto", price=FreeInFront())
    assert [layer.op.name for layer in done.graph.layers()] == ["input", "relu", "maxpool"]
    assert [(d.law, d.verdict) for d in done.decisions] == [("up", "kept"), ("up", "moved"), ("cascade", "moved"), ("up", "kept")]


def test_regions_behind_a_pool() -> None:
    graph = Graph()
    x = graph.add_input("x", chain(TWO)["x"].type)
    pool = graph.add(TWO, [x])
    gate = graph.add(smooth.Sigmoid(), [pool])
    product = graph.add(arithmetic.Mul(), [pool, gate])
    last = graph.add(piecewise.Relu(), [product])
    graph.results["y"] = last
    order = {layer.name: (place,) for place, layer in enumerate(graph.layers())}
    assert [r.names for r in regions_down_from(graph, pool, order)] == [("sigmoid", "mul", "relu"), ("sigmoid", "mul")]
    graph.results["z"] = product
    assert [r.names for r in regions_down_from(graph, pool, order)] == [("sigmoid", "mul")]
    graph.results["w"] = gate
    assert regions_down_from(graph, pool, order) == []
    assert regions_down_from(graph, x, order) == []


@settings(max_examples=250, deadline=None)
@given(
    st.lists(OPERATIONS, min_size=1, max_size=3), pools(), SHAPES, st.sampled_from(RANGES), st.integers(0, 2**20),
    st.sampled_from(["exact", "ulp"]),
)  # fmt: skip
def test_random_chains_answer_the_same(
    ops: list[Op], pool: Op, shape: tuple[int, ...], range: tuple[float, float] | None, seed, exactness
) -> None:
    try:
        graph = chain(pool, *ops, shape=shape, range=range)
    except OpError:
        return  # the window does not fit
    done = place(graph, "auto", exactness, price=InFront())
    lo, hi = range or WHOLE
    compare(graph, done, adversarial(shape, Interval(lo, hi, minus_zero=True), formula_of(tuple(ops)), seed))


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 3), st.booleans(), st.integers(0, 99))
def test_convolutions_go_in_front_where_that_is_cheaper(inputs: int, outputs: int, stride: int, counted: bool, seed: int) -> None:
    graph = cnnir.parse(
        f"network n(x: f32[1, {inputs}, 6, 6] in [-1, 1]) {{ x -> avgpool(3, stride={stride}, pad=1"
        f"{', count_include_pad=on' if counted else ''}) -> conv({outputs}, 1, bias={'off' if counted else 'on'}) }}"
    )
    done = place(graph, "auto", "ulp")
    moved = [d for d in done.decisions if d.verdict == "moved"]
    assert outputs < inputs if moved else outputs >= inputs or stride > 1
    lo, hi = -1.0, 1.0
    compare(graph, done, adversarial((1, inputs, 6, 6), Interval(lo, hi, minus_zero=True), formula_of(()), seed))
    assert not moved or isinstance(done.graph["avgpool1"].op, AvgPool)


def test_a_weight_for_each_element_of_a_smaller_map_stays_there() -> None:
    """In front of the pool the map is larger, and the bias would need a number for each of its elements."""
    graph = cnnir.parse("network n(x: f32[2, 6, 4, 4]) { x -> global_maxpool -> bias(per=element) }")
    done = place(graph, "auto", price=InFront())
    (decision,) = done.decisions
    assert decision.condition == "fixed coefficients" and done.graph == graph


def test_a_pool_whose_places_are_read_stays_where_it_is() -> None:
    """Places are places in what the pool reads; a min pool has none."""
    text = "network n(x: f32[1, 2, 6, 6]) { v, p = x -> maxpool_with_places(2, stride=1, pad=1); s = v -> tanhshrink; return s, p }"
    graph = cnnir.parse(text)
    for price in (None, InFront()):
        done = place(graph, "auto", "ulp", price=price)
        assert done.graph == graph and not any(d.site.behind for d in done.decisions)
