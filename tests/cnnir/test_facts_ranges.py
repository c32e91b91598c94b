"""Ranges of values in a network: what is computed is inside, and nothing is read without need."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnnir
from cnnir.analysis.ranges import Ranges
from cnnir.checker.ranges import Ranges as Checked
from cnnir.facts.interval import Interval
from cnnir.facts.precision import precision
from cnnir.ir.graph import Graph, Value
from cnnir.ir.weights import Seeded
from cnnir.ops import arithmetic, piecewise, smooth
from cnnir.ops.base import Op
from cnnir.ops.convolution import Conv, Dense
from cnnir.ops.pooling import AvgPool, GlobalAvgPool, MaxPool
from cnnir.ops.tensor import Concat, Flatten, Softmax
from cnnir.types import TensorType

F32 = precision("f32")


def chain(*ops: Op, range: tuple[float, float] | None) -> Graph:
    """x -> ops, every value shown."""
    graph = Graph()
    value = graph.add_input("x", TensorType("f32", (2, 3, 8, 8)), range)
    for op in ops:
        name = graph.fresh(op.name)
        keys = {role: f"{name}.{role}" for role in op.parameters([graph.type(value)])}
        for role, parameter in op.parameters([graph.type(value)]).items():
            graph.weights[keys[role]] = Seeded(keys[role], parameter)
        value = graph.add(op, [value], name=name, weights=keys)
    graph.results = {layer.name: Value(layer.name) for layer in graph.layers()}
    return graph


PADDED = Conv(5, (3, 3), pad=(1, 1, 1, 1), groups=1)
NETWORKS: dict[str, tuple[Op, ...]] = {
    "convolutions": (PADDED, piecewise.Relu(), MaxPool((2, 2), (2, 2)), PADDED, smooth.Sigmoid(), Flatten(), Dense(7), Softmax()),
    "grouped": (Conv(6, (3, 3), (2, 2), (2, 2, 1, 1), (2, 2), groups=3), arithmetic.BatchNorm(), smooth.Elu(), GlobalAvgPool()),
    "averages": (
        AvgPool((3, 3), (2, 2), (1, 1, 1, 1), count_include_pad=True),
        arithmetic.Bias(),
        piecewise.PRelu(),
        Conv(4, (1, 1), bias=False),
    ),
    "empty windows": (MaxPool((2, 1), (1, 1), (2, 0, 2, 0), (2, 1)),),
}


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(list(NETWORKS)), st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (3.0, 5.0), (-2.0, -2.0)]), st.integers(0, 999))
def test_every_value_is_in_its_range(name: str, declared: tuple[float, float], seed: int) -> None:
    from cnnir.backends.reference import evaluate

    graph = chain(*NETWORKS[name], range=declared)
    ranges = Ranges(graph)
    rng = np.random.default_rng(seed)
    lo, hi = declared
    ends = rng.choice([lo, hi, (lo + hi) / 2], (2, 3, 8, 8))
    for data in (ends, rng.uniform(lo, hi, (2, 3, 8, 8)), np.full((2, 3, 8, 8), lo)):
        for layer, value in evaluate(graph, {"x": data.astype(np.float32)}).items():
            known = ranges[Value(layer)]
            assert known.lo <= value.min() and value.max() <= known.hi, (layer, known)


def test_the_ends_of_a_convolution_are_reached() -> None:
    graph = chain(Conv(2, (8, 8)), range=(-1.0, 1.0))
    known = Ranges(graph)[Value("conv")]
    weights = graph.weights["conv.weight"].astype(np.float64)
    bias = graph.weights["conv.bias"]
    most = (np.abs(weights).sum(axis=(1, 2, 3)) + bias).max()
    assert most <= known.hi <= most * 1.001


def test_unknown_data_stay_unknown_and_cost_no_weights() -> None:
    graph = chain(*NETWORKS["convolutions"], range=None)
    assert Ranges(graph)[Value("conv_2")] == Interval(-F32.max, F32.max, minus_zero=True)
    assert not graph.weights.drawn


def test_concat_is_the_hull() -> None:
    graph = Graph()
    a = graph.add_input("a", TensorType("f32", (1, 1, 2, 2)), (0.0, 1.0))
    b = graph.add_input("b", TensorType("f32", (1, 1, 2, 2)), (-3.0, -2.0))
    joined = graph.add(Concat(1), [a, b])
    assert Ranges(graph)[joined] == Interval(-3.0, 1.0, minus_zero=True)


@pytest.mark.parametrize("bad", [(1.0, 0.0), (float("nan"), 1.0)])
def test_an_interval_has_ends_in_order(bad: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="not an interval"):
        Interval(*bad)


def test_places_have_a_range_of_their_own() -> None:
    """Not that of the elements beside them: cast to f32, places up to 15 were said to be 0.25 to 0.5."""
    graph = cnnir.parse(
        "network n(x: f32[1, 1, 4, 4] in [0.25, 0.5]) { y, places = x -> maxpool_with_places(2); z = places -> cast(f32); return y, z }"
    )
    for ranges in (Ranges(graph), Checked(graph)):
        (lo, hi), (first, last) = (_ends(ranges[value]) for value in graph.results.values())
        assert (lo, hi) == (0.25, 0.5) and first <= 0 and last >= 15


def _ends(known: Interval | tuple[float, float]) -> tuple[float, float]:
    return (known.lo, known.hi) if isinstance(known, Interval) else known


@pytest.mark.parametrize("layer", ["lppool(2)", "maxpool(2, start=0.6)", "minpool(2, start=0)", "maxpool_places(2) -> cast(f32)"])
def test_the_checker_knows_pools_that_give_more_than_elements(layer: str) -> None:
    """It said that each lies between 0.25 and 0.5, as its input does."""
    graph = cnnir.parse(f"network n(x: f32[1, 1, 4, 4] in [0.25, 0.5]) {{ x -> {layer} }}")
    (value,) = graph.results.values()
    (found,) = cnnir.evaluate(graph, {"x": np.full((1, 1, 4, 4), 0.5, np.float32)}).values()
    for lo, hi in (_ends(Ranges(graph)[value]), Checked(graph)[value]):
        assert lo <= found.min() and found.max() <= hi


def test_a_start_that_rounds_to_minus_zero_is_one() -> None:
    """In f32, -1e-231 is -0, and so is what an empty window of a pool that starts there holds."""
    graph = cnnir.parse("network n(x: f32[1, 1, 2, 2] in [0.5, 1]) { x -> maxpool(1, pad=1, dilation=2, start=-1e-231) }")
    (value,) = graph.results.values()
    (found,) = cnnir.evaluate(graph, {"x": np.ones((1, 1, 2, 2), np.float32)}).values()
    assert ((found == 0) & np.signbit(found)).any() and Ranges(graph)[value].minus_zero


@pytest.mark.parametrize("dtype", ["f8e4m3", "f8e5m2"])
def test_ranges_of_a_type_that_has_no_infinity(dtype: str) -> None:
    """Ends beyond its largest number may be NaN there: the checker knows nothing of what lies between."""
    graph = cnnir.parse(f"network n(x: f32[1, 4] in [-1e30, 1e30]) {{ y = x -> cast({dtype}) -> cast(f16); return y }}")
    data = np.array([[-3.0, 0.0, 1.5, 5.0]], np.float32)
    found = cnnir.evaluate(graph, {"x": data})["y"].astype(np.float64)
    value = graph.results["y"]
    lo, hi = Checked(graph)[value]
    assert lo <= found.min() and found.max() <= hi
    assert Ranges(graph)[value].lo <= found.min() and found.max() <= Ranges(graph)[value].hi


def test_ranges_beyond_every_number() -> None:
    """What overflows in their arithmetic is infinite, and no warning."""
    graph = cnnir.parse(
        "network n(x: f64[1, 3, 4, 4] in [-1, 8.9e307]) { y = x -> conv_transpose(2, 2); z = x -> conv(2, 3); return y, z }"
    )
    for value in graph.results.values():
        known, (lo, hi) = Ranges(graph)[value], Checked(graph)[value]
        assert known.hi > 8.9e307
        assert hi >= 8.9e307 and lo < 0
