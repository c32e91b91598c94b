"""Regions: found by structure alone, from one op to whole expressions, and moved as far as a proof reaches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnir.diagnostics import OpError
from cnnir.facts.interval import Interval
from cnnir.ir.graph import Graph, Value
from cnnir.ops import arithmetic, convolution, piecewise, smooth
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.pooling import MaxPool, MinPool
from cnnir.passes.place import place
from cnnir.passes.region import find_regions
from cnnir.scalar.expr import X
from cnnir.types import TensorType

from .networks import adversarial, chain, compare

TWO = MaxPool((2, 2), (2, 2))
SHAPE = (1, 2, 6, 6)


def regions(graph: Graph, pool: str) -> list[tuple[str, ...]]:
    """Names of the layers of each candidate, largest first."""
    order = {layer.name: (place,) for place, layer in enumerate(graph.layers())}
    return [r.names for r in find_regions(graph, graph[pool], order).regions]


def started(range: tuple[float, float] | None = None, shape: tuple[int, ...] = SHAPE) -> tuple[Graph, Value]:
    """A graph with one input."""
    graph = Graph()
    return graph, graph.add_input("x", TensorType("f32", shape), range)


def test_chains_come_in_every_length() -> None:
    graph = chain(convolution.Conv(4, (3, 3)), arithmetic.Bias(), arithmetic.BatchNorm(), piecewise.Relu(), TWO)
    assert regions(graph, "maxpool") == [("bias", "batchnorm", "relu"), ("batchnorm", "relu"), ("relu",)]


def test_a_decomposed_activation_is_one_region() -> None:
    graph, x = started((0.0, 8.0))
    sigmoid = graph.add(smooth.Sigmoid(), [x])
    graph.results["y"] = graph.add(TWO, [graph.add(arithmetic.Mul(), [x, sigmoid])])
    assert regions(graph, "maxpool") == [("sigmoid", "mul")]
    done = place(graph, "always")
    assert done.decisions[0].verdict == "moved", "x sigmoid(x) is non-decreasing on x >= 0"
    assert [layer.op.name for layer in done.graph.layers()] == ["input", "maxpool", "sigmoid", "mul"]
    compare(graph, done, adversarial(SHAPE, Interval(0, 8, minus_zero=True), X, 0))


def hard_swish(range: tuple[float, float] | None) -> Graph:
    """x clip(x + 3, 0, 6) / 6 in four layers."""
    graph, x = started(range)
    clipped = graph.add(piecewise.Clip(0.0, 6.0), [graph.add(arithmetic.Add(3.0), [x])])
    product = graph.add(arithmetic.Mul(), [x, clipped])
    graph.results["y"] = graph.add(TWO, [graph.add(arithmetic.Div(6.0), [product])])
    return graph


def test_hard_swish_written_out_moves_where_it_rises() -> None:
    assert regions(hard_swish(None), "maxpool") == [("add", "clip", "mul", "div"), ("div",)]
    done = place(hard_swish((0.0, 50.0)), "always")
    assert done.decisions[0].site.region == ("add", "clip", "mul", "div")
    compare(hard_swish((0.0, 50.0)), done, adversarial(SHAPE, Interval(0, 50, minus_zero=True), X, 0))
    part = place(hard_swish(None), "always")
    assert part.decisions[0].site.region == ("div",), "the division by 6 alone is still non-decreasing"


def test_the_largest_provable_region_moves() -> None:
    graph = chain(smooth.Silu(), arithmetic.Neg(), piecewise.Relu(), TWO)
    done = place(graph, "always")
    assert done.decisions[0].site.region == ("neg", "relu") and done.decisions[0].law == "down"
    assert [layer.op.name for layer in done.graph.layers()] == ["input", "silu", "minpool", "neg", "relu"]


def test_an_odd_power_and_an_absolute_value_written_out() -> None:
    graph, x = started()
    square = graph.add(arithmetic.Mul(), [x, x])
    graph.results["y"] = graph.add(TWO, [graph.add(arithmetic.Mul(), [square, x])])
    assert place(graph, "always").decisions[0].site.region == ("mul", "mul_2")
    graph, x = started()
    graph.results["y"] = graph.add(TWO, [graph.add(arithmetic.Maximum(), [x, graph.add(arithmetic.Neg(), [x])])])
    assert place(graph, "always").decisions[0].law == "valley"


def test_a_residual_sum_blocks_what_is_above_it() -> None:
    graph, x = started()
    a, b = (graph.add(piecewise.Relu(), [x]), graph.add(smooth.Sigmoid(), [x]))
    total = graph.add(arithmetic.Add(), [a, b])
    graph.results["y"] = graph.add(TWO, [graph.add(piecewise.Relu(), [total])])
    done = place(graph, "always")
    assert done.decisions[0].site.region == ("relu", "sigmoid", "add", "relu_2"), "both branches rise from one value"
    graph, x = started()
    z = graph.add_input("z", TensorType("f32", SHAPE))
    graph.results["y"] = graph.add(TWO, [graph.add(piecewise.Relu(), [graph.add(arithmetic.Add(), [x, z])])])
    assert place(graph, "always").decisions[0].site.region == ("relu",)


def test_one_value_read_by_two_pools_and_a_region_of_each() -> None:
    graph, x = started()
    for name, pool in (("a", TWO), ("b", MinPool((2, 2), (2, 2)))):
        graph.results[name] = graph.add(pool, [graph.add(piecewise.Relu(), [x])])
    done = place(graph, "always")
    assert [d.verdict for d in done.decisions] == ["moved", "moved"]


def test_a_long_chain_takes_no_stack_and_little_time() -> None:
    graph, value = started(shape=(1, 1, 4, 4))
    for _ in range(3000):
        value = graph.add(piecewise.Relu(), [value])
    graph.results["y"] = graph.add(TWO, [value])
    decisions = place(graph, "always").decisions
    assert all(d.verdict == "moved" for d in decisions)
    assert [len(d.site.region) for d in decisions] == [64] * 46 + [56]


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """Random elementwise graphs over one input, in front of a pool."""
    graph, x = started(draw(st.sampled_from([None, (0.0, 4.0), (-2.0, 5.0), (0.5, 9.0)])))
    values = [x]
    unary: list[Elementwise] = [
        piecewise.Relu(), piecewise.Leaky(-0.5), arithmetic.Neg(), smooth.Sigmoid(), piecewise.Abs(), arithmetic.Add(0.3),
        arithmetic.Mul(-1.5),
        piecewise.Clip(-1.0, 2.0), smooth.Silu(), arithmetic.Floor(), smooth.Elu(), smooth.Reciprocal(), arithmetic.Sub(1.0, True),
    ]  # fmt: skip
    binary: list[Elementwise] = [
        arithmetic.Add(),
        arithmetic.Mul(),
        arithmetic.Sub(),
        arithmetic.Maximum(),
        arithmetic.Minimum(),
        arithmetic.Div(),
    ]
    for _ in range(draw(st.integers(1, 6))):
        recent = st.sampled_from(values[-3:])
        if draw(st.booleans()):
            values.append(graph.add(draw(st.sampled_from(unary)), [draw(recent)]))
        else:
            values.append(graph.add(draw(st.sampled_from(binary)), [draw(recent), draw(recent)]))
    graph.results["y"] = graph.add(draw(st.sampled_from([TWO, MinPool((3, 3), (2, 2), (1, 1, 1, 1))])), [values[-1]])
    return graph


@settings(max_examples=200, deadline=None)
@given(networks(), st.integers(0, 99))
def test_random_regions_answer_the_same(graph: Graph, seed: int) -> None:
    done = place(graph, "always")
    known: tuple[float, float] = graph["x"].op.attributes()["range"] or (-1e18, 1e18)
    compare(graph, done, adversarial(SHAPE, Interval(*known, minus_zero=True), X, seed))


def test_what_is_settled_up_to_the_sign_of_zero_is_left_under_a_division() -> None:
    """x max(x, 0) is x^2 for x >= 0, and never -0 then; of x = -0 it is -0, and 1 over it -inf."""
    graph, x = started((0.0, 4.0))
    product = graph.add(arithmetic.Mul(), [x, graph.add(piecewise.Relu(), [x])])
    graph.results["y"] = graph.add(TWO, [graph.add(smooth.Reciprocal(), [product])])
    done = place(graph, "always")
    assert all(d.verdict != "moved" or "reciprocal" not in d.site.region for d in done.decisions)
    compare(graph, done, adversarial(SHAPE, Interval(0.0, 4.0, minus_zero=True), X, 0))
    above, x = started((0.5, 4.0))
    product = above.add(arithmetic.Mul(), [x, above.add(piecewise.Relu(), [x])])
    above.results["y"] = above.add(TWO, [above.add(smooth.Reciprocal(), [product])])
    assert place(above, "always").decisions[0].law == "down", "there is no zero"


def test_a_region_is_one_formula() -> None:
    graph = hard_swish(None)
    order = {layer.name: (place,) for place, layer in enumerate(graph.layers())}
    largest = find_regions(graph, graph["maxpool"], order).regions[0]
    from cnnir.scalar.evaluate import evaluate

    points = np.linspace(-5, 9, 57, dtype=np.float32)
    assert np.array_equal(evaluate(largest.expression(graph), [points]), points * np.clip(points + np.float32(3), 0, 6) / np.float32(6))


def test_windows_that_do_not_fit_are_not_our_business() -> None:
    with pytest.raises(OpError):
        chain(piecewise.Relu(), MaxPool((9, 9), (1, 1)))
