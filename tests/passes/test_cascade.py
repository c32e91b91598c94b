"""The law cascade: its closed form against enumeration, and every form of a cascade against the pools as written."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnnir
from cnnir.diagnostics import OpError
from cnnir.ir.graph import Graph
from cnnir.ops.pooling import ExtremePool, GlobalMaxPool, GlobalMinPool, MaxPool, MinPool
from cnnir.ops.smooth import Sigmoid
from cnnir.ops.window import output_size
from cnnir.passes.cascade import CascadePass, Mode
from cnnir.passes.laws.cascade import composed, odd_one
from cnnir.passes.laws.work import comparisons
from cnnir.passes.place import place
from cnnir.testing import assert_equivalent
from cnnir.types import TensorType

from .networks import chain


def one_axis(kernel: int, stride: int, pad: tuple[int, int] = (0, 0), dilation: int = 1, ceil: bool = False) -> MaxPool:
    """A pool of sequences."""
    return MaxPool((kernel,), (stride,), pad, (dilation,), ceil)


def proved(first: MaxPool, second: MaxPool, length: int) -> bool:
    """Whether enumeration says that the two are one."""
    data = TensorType("f32", (1, 1, length))
    one = composed(first, second, data)
    if one is None:
        return False
    inner, outer = first.windows(data), second.windows(first.infer([data])[0])
    return odd_one(inner[0], outer[0], one.windows(data)[0]) is None


SMALL = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(0, 3), st.integers(0, 3))


@settings(max_examples=600, deadline=None)
@given(SMALL, SMALL, st.integers(1, 16))
def test_enumeration_agrees_with_the_closed_form(first: Any, second: Any, length: int) -> None:
    (k1, s1, p1, e1), (k2, s2, p2, e2) = first, second
    one, two = one_axis(k1, s1, (p1, e1)), one_axis(k2, s2, (p2, e2))
    try:
        chain(one, two, shape=(1, 1, length))
    except OpError:
        return  # a window does not fit, or is of padding alone
    m = output_size(length, k1, s1, 1, (p1, e1))
    o = output_size(m, k2, s2, 1, (p2, e2))
    drops_nothing = (m - 1) * s1 - p1 + k1 >= length
    stays_inside = (o - 1) * s2 - p2 + k2 <= m
    dense = s1 <= k1 or k2 == 1
    if dense:
        assert proved(one, two, length) == (drops_nothing or stays_inside)
    elif proved(one, two, length):
        assert_equivalent(g := chain(one, two, shape=(1, 1, length)), CascadePass()(g))  # clipped, the gaps hold no element


@st.composite
def sliding(draw: st.DrawFn, axes: int, kind: type[ExtremePool]) -> ExtremePool:
    """A max or min pool with everything it may have."""
    each, pads = st.tuples(*[st.integers(1, 4)] * axes), st.tuples(*[st.integers(0, 2)] * (2 * axes))
    start = draw(st.sampled_from([kind.start, kind.start, 0.0, 2.0]))
    return kind(draw(each), draw(each), draw(pads), draw(st.tuples(*[st.integers(1, 2)] * axes)), draw(st.booleans()), start)


@st.composite
def cascades(draw: st.DrawFn) -> Graph | None:
    """Two or three pools in a row, of 1 to 3 axes, floats and integers."""
    axes, kind = draw(st.integers(1, 3)), draw(st.sampled_from([MaxPool, MinPool]))
    shape = (1, 2, *draw(st.tuples(*[st.integers(3, 11)] * axes)))
    ops = draw(st.lists(sliding(axes, kind), min_size=1, max_size=3))
    if draw(st.integers(0, 4)) == 0:
        ops.append(GlobalMaxPool() if kind is MaxPool else GlobalMinPool())  # type: ignore[arg-type]
    try:
        return chain(*ops, shape=shape, dtype=draw(st.sampled_from(["f32", "f32", "f16", "f64", "i8", "u8", "i32"])))
    except OpError:
        return None


@settings(max_examples=250, deadline=None)
@given(cascades(), st.sampled_from(["fuse", "separate"]), st.integers(0, 99))
def test_random_cascades_answer_the_same(graph: Graph | None, mode: Mode, seed: int) -> None:
    if graph is None:
        return
    for done in (CascadePass(mode)(graph), place(graph, "always").graph):
        assert_equivalent(graph, done, seed=seed)
        assert work(done) <= work(graph) or mode == "fuse"


def work(graph: Graph) -> int:
    """Comparisons of all pools."""
    pools = [layer for layer in graph.layers() if isinstance(layer.op, ExtremePool)]
    return sum(comparisons(p.op, graph.type(graph.data(p.name)[0])) for p in pools if isinstance(p.op, ExtremePool))


STARTS = {kind: st.sampled_from([kind.start, kind.start, 0.0, 3.0]) for kind in (MaxPool, MinPool)}
"""What pools start from."""


@st.composite
def siblings(draw: st.DrawFn) -> Graph:
    """Pools that read one value; those of one stride and growing kernels as in spatial pyramids."""
    graph = Graph()
    x = graph.add_input("x", TensorType(draw(st.sampled_from(["f32", "i8"])), (1, 2, draw(st.integers(6, 14)), 9)))
    step = draw(st.integers(1, 3))
    for i in range(draw(st.integers(2, 4))):
        kind, k = draw(st.sampled_from([MaxPool, MaxPool, MinPool])), draw(st.sampled_from([2, 3, 4, 5, 6, 7, 9]))
        s, pad = draw(st.sampled_from([step, step, step * 2, k])), draw(st.sampled_from([0, 1, k // 2]))
        with suppress(OpError):
            graph.results[f"y{i}"] = graph.add(
                kind((k, min(k, 4)), (s, s), (pad, 1, pad, 1), ceil=draw(st.booleans()), start=draw(STARTS[kind])), [x]
            )
    if not graph.results:
        graph.results["y"] = x
    return graph


@settings(max_examples=250, deadline=None)
@given(siblings(), st.integers(0, 99))
def test_pools_that_share_their_work_answer_the_same(graph: Graph, seed: int) -> None:
    done = CascadePass("split").decide(graph)
    assert_equivalent(graph, done.graph, seed=seed)
    assert work(done.graph) <= work(graph)
    if any(d.verdict == "moved" for d in done.decisions):
        assert work(done.graph) < work(graph)


def test_a_spatial_pyramid_is_pools_of_five() -> None:
    text = (
        "a = x -> maxpool(13, stride=1, pad=6)\nb = x -> maxpool(5, stride=1, pad=2)\nc = x -> maxpool(9, stride=1, pad=4)\nreturn a, b, c"
    )
    done = CascadePass("split")(cnnir.parse(f"network n(x: f32[1, 2, 20, 20]) {{\n{text}\n}}"))
    pools = [layer for layer in done.layers() if isinstance(layer.op, MaxPool)]
    assert [(p.op.kernel, p.op.pad) for p in pools if isinstance(p.op, MaxPool)] == [((5, 5), (2,) * 4)] * 3
    assert work(done) == 3 * 25 * 800


def test_fusing_undoes_separating() -> None:
    graph = chain(MaxPool((5, 3), (1, 2), (2, 1, 2, 0)), shape=(1, 2, 11, 10))
    separated = CascadePass("separate")(graph)
    assert len(separated) == 3 and CascadePass("fuse")(separated) == graph


def test_three_pools_and_a_relu_become_one_pool_and_a_relu() -> None:
    text = "network n(x: f32[1, 2, 33, 33]) { x -> maxpool(2) -> maxpool(2) -> relu -> maxpool(2) }"
    done = place(cnnir.parse(text), "auto")
    assert [layer.op.name for layer in done.graph.layers()] == ["input", "maxpool", "relu"]
    assert done.graph["maxpool3"].op == MaxPool((8, 8), (8, 8))


@pytest.mark.parametrize("ceil", [False, True])
def test_long_windows_are_compared_at_once(ceil: bool) -> None:
    import time

    graph = chain(one_axis(5, 2, ceil=ceil), one_axis(3, 1, ceil=ceil), Sigmoid(), shape=(1, 1, 200_000))
    start = time.process_time()
    done = CascadePass("fuse")(graph)
    assert len(done) == 3 and time.process_time() - start < 2
    data = np.random.default_rng(0).standard_normal((1, 1, 200_000)).astype(np.float32)
    before, after = (cnnir.evaluate(g, {"x": data})["y"] for g in (graph, done))
    assert np.array_equal(before, after)
