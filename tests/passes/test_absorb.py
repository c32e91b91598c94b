"""The law absorb, and pools that start from a number: the same answers from the reference, compiled code and onnxruntime."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnnir
from cnnir.analysis.ranges import Ranges
from cnnir.diagnostics import CnnirError, OpError
from cnnir.facts.interval import Interval
from cnnir.ir.graph import Graph
from cnnir.ops import arithmetic, piecewise
from cnnir.ops.activation import UserActivation
from cnnir.ops.base import Op
from cnnir.ops.pooling import MaxPool, MinPool
from cnnir.passes.absorb import AbsorbPass
from cnnir.passes.laws.absorb import Clamp, clamp
from cnnir.passes.place import place
from cnnir.scalar.evaluate import evaluate
from cnnir.scalar.expr import Expr, X, apply
from cnnir.testing import assert_equivalent, bits, expressions

from .networks import adversarial, chain, formula_of

TWO = MaxPool((2, 2), (2, 2))
NUMBERS = st.sampled_from([-2.0, -0.5, 0.0, 0.1, 1.0, 3.0])


@st.composite
def clamps(draw: st.DrawFn, depth: int = 3) -> Expr:
    """Expressions of comparisons only: clamps, and what looks like them."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return X
    inner, number = draw(clamps(depth - 1)), draw(NUMBERS)
    kind = draw(st.sampled_from(["max", "min", "max", "min", "above", "below", "odd", "two"]))
    if kind in ("max", "min"):
        return apply(kind, inner, number) if draw(st.booleans()) else apply(kind, number, inner)
    if kind == "two":
        return apply(draw(st.sampled_from(["max", "min"])), inner, draw(clamps(depth - 1)))
    chosen = {"above": (inner, number), "below": (number, inner), "odd": (inner, draw(NUMBERS))}[kind]
    return apply("select", inner, number, *chosen)


@settings(max_examples=400, deadline=None)
@given(st.one_of(clamps(), expressions()))
def test_a_clamp_is_one(formula: Expr) -> None:
    found = clamp(formula)
    if found is None:
        return
    at = np.concatenate([np.linspace(-5, 5, 401), [-1e30, 1e30, 0.1]]).astype(np.float32)
    with np.errstate(over="ignore"):  # beyond float32, a number is infinite
        lo, hi = (np.float32(v) for v in (found.lo, found.hi))
    assert np.array_equal(evaluate(formula, [at]), np.minimum(np.maximum(at, lo), hi)), found


def test_clamps_are_read_from_formulas() -> None:
    found = {op: clamp(op.formula()) for op in (piecewise.Relu(), piecewise.Relu6(), piecewise.Clip(-1, 2), arithmetic.Maximum(3.0))}
    assert [(c.lo, c.hi) for c in found.values() if c] == [(0, math.inf), (0, 6), (-1, 2), (3, math.inf)]
    assert clamp(apply("max", 5, apply("min", X, 3))) == Clamp(5, 5)
    for op in (piecewise.Leaky(), piecewise.HardSigmoid(), piecewise.Threshold(1.0), piecewise.Abs(), piecewise.PRelu()):
        assert clamp(op.formula()) is None


@st.composite
def networks(draw: st.DrawFn) -> Graph | None:
    """A clamp, or what is none, on either side of a pool."""
    body = draw(st.one_of(clamps(), clamps(), expressions(4)))
    ops: list[Op] = [draw(st.sampled_from([UserActivation("f", body), piecewise.Relu(), piecewise.Clip(-1.0, 2.0), piecewise.Relu6()]))]
    if draw(st.booleans()):
        ops.append(draw(st.sampled_from([arithmetic.Maximum(-0.5), arithmetic.Minimum(1.0), piecewise.Relu(), piecewise.Leaky(0.3)])))
    kind = draw(st.sampled_from([MaxPool, MinPool]))
    two, pads = st.tuples(st.integers(1, 3), st.integers(1, 3)), st.tuples(*[st.integers(0, 2)] * 4)
    start = draw(st.sampled_from([kind.start, kind.start, kind.start, 0.5]))
    pool = kind(draw(two), draw(two), draw(pads), draw(st.sampled_from([(1, 1), (2, 1)])), draw(st.booleans()), start)
    ops.insert(draw(st.integers(0, len(ops))), pool)
    try:
        return chain(*ops, shape=(1, 2, 6, 5), range=draw(st.sampled_from([None, (-3.0, 3.0), (0.5, 2.0)])))
    except OpError:
        return None


@settings(max_examples=300, deadline=None)
@given(networks(), st.integers(0, 99))
def test_random_networks_answer_the_same(graph: Graph | None, seed: int) -> None:
    if graph is None:
        return
    done = AbsorbPass().decide(graph)
    assert len(done.graph) <= len(graph)
    ops = tuple(layer.op for layer in graph.layers())
    known = graph.ranges["x"] or (-3e38, 3e38)
    feeds = adversarial((1, 2, 6, 5), Interval(*known, minus_zero=True), formula_of(ops), seed)
    reads = {v.layer for d in done.decisions if d.verdict == "moved" for name in (*d.site.region, d.site.pool) for v in graph.data(name)}
    assert_equivalent(graph, done.graph, data=({"x": data} for data in feeds), finite=reads - {"x"})


@pytest.mark.parametrize("dtype", ["i8", "u8", "i32"])
def test_integers_start_too(dtype: str) -> None:
    for op, pool in ((piecewise.Relu(), TWO), (piecewise.Clip(2, 100), MinPool((3, 3), (2, 2), (1, 1, 1, 1)))):
        graph = chain(op, pool, dtype=dtype)
        done = AbsorbPass()(graph)
        assert not any(layer.op == op for layer in done.layers())
        assert_equivalent(graph, done)
    for start in (0.5, 1e12, math.inf):
        with pytest.raises(OpError):
            chain(MaxPool((2, 2), (2, 2), start=start), dtype=dtype)


def test_absorbing_is_for_last_and_placement_leaves_it() -> None:
    graph = chain(piecewise.Relu(), TWO)
    assert {layer.op.name for layer in place(graph, "always").graph.layers()} == {"input", "relu", "maxpool"}
    done = AbsorbPass()(place(graph, "always").graph)
    assert [layer.op for layer in done.layers()][1:] == [MaxPool((2, 2), (2, 2), start=0.0)]
    (decision,) = place(chain(piecewise.Leaky(), MaxPool((2, 2), (2, 2), start=0.0)), "always").decisions
    assert decision.condition == "identity start"


def test_ranges_know_the_start() -> None:
    def range_of(pool: Op, range: tuple[float, float]) -> Interval:
        graph = chain(pool, range=range)
        return Ranges(graph)[graph.results["y"]]

    assert range_of(MaxPool((2, 2), (2, 2), start=0.0), (-3, 5)) == Interval(0, 5, minus_zero=True)
    assert range_of(MaxPool((2, 2), (2, 2), start=0.0), (-3, -1)) == Interval(0, 0)
    assert range_of(MaxPool((2, 2), (2, 2), start=-0.0), (-3, -1)) == Interval(0, 0, minus_zero=True)
    assert range_of(MinPool((2, 2), (2, 2), start=2.0), (3, 5)) == Interval(2, 2)
    assert range_of(MaxPool((2, 2), (2, 2)), (-3, 5)) == Interval(-3, 5, minus_zero=True)
    empty = MaxPool((2, 1), (1, 1), (1, 0, 1, 0), (7, 1), start=4.0)
    assert range_of(empty, (6, 9)) == Interval(4, 9), "a window of padding alone gives the start"


@pytest.mark.parametrize("op", [MaxPool((2, 3), (2, 1), (1, 1, 0, 1), start=0.25), MinPool((3, 3), (2, 2), ceil=True, start=-0.5)])
def test_a_start_is_written_and_read(op: Op) -> None:
    graph = chain(op)
    assert "start=" in cnnir.dumps(graph) and cnnir.parse(cnnir.dumps(graph)) == graph
    assert graph != chain(type(op)(**{k: v for k, v in op.attributes().items() if k != "start"}))
    with pytest.raises(CnnirError, match="cannot start from inf"):
        cnnir.parse("network n(x: f32[1, 1, 4, 4]) { x -> maxpool(2, start=inf) }")


STARTED = {
    "blocked": chain(MaxPool((3, 3), (2, 2), (1, 1, 1, 1), start=0.25), MinPool((2, 2), (2, 2), start=0.5), shape=(1, 20, 9, 8)),
    "plain, 1 axis": chain(MaxPool((3,), (2,), (1, 0), (1,), start=0.25), shape=(2, 3, 11)),
    "plain, f64": chain(MinPool((2, 2), (1, 1), start=0.1), dtype="f64"),
    "integers": chain(MaxPool((2, 2), (1, 1), start=3.0), dtype="i8"),
}


@pytest.mark.parametrize("name", STARTED)
def test_compiled_pools_start_there(name: str) -> None:
    graph = STARTED[name]
    compare_compiled(graph)


def test_a_pool_in_a_convolutions_registers_starts_there() -> None:
    text = "network n(x: f32[1, 3, 12, 12] in [-1, 1]) { x -> conv(20, 3, pad=1) -> relu -> maxpool(2) -> conv(4, 1) -> clip(-0.1, 0.2) -> maxpool(3) }"
    graph = cnnir.parse(text)
    absorbed = AbsorbPass()(place(graph, "always").graph)
    assert len(absorbed) == len(graph) - 1
    x = np.random.default_rng(5).uniform(-1, 1, (1, 3, 12, 12)).astype(np.float32)
    (before,), (after,) = (cnnir.compile(g, threads=1)({"x": x}).values() for g in (graph, absorbed))
    assert np.array_equal(bits(before), bits(after)) and (after == np.float32(0.2)).any()


def compare_compiled(graph: Graph) -> None:
    """Bit for bit, on data of which some are beyond the start."""
    t = graph.inputs["x"]
    x = np.random.default_rng(3).integers(-5, 6, t.shape).astype(t.numpy)
    if t.is_float:
        x = (x / 7).astype(t.numpy)
    expected, found = cnnir.evaluate(graph, {"x": x})["y"], cnnir.compile(graph, threads=1)({"x": x})["y"]
    assert np.array_equal(bits(expected), bits(found))
    assert len(np.unique(expected)) > 1


def test_onnx_has_the_start_behind_the_pool() -> None:
    onnx, ort = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    from cnnir.backends.onnx_export import export

    graph = STARTED["blocked"]
    model = export(graph)
    assert [node.op_type for node in model.graph.node] == ["MaxPool", "Max", "Neg", "MaxPool", "Neg", "Min"]
    onnx.checker.check_model(model, full_check=True)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(4).standard_normal(graph.inputs["x"].shape).astype(np.float32)
    assert np.array_equal(session.run(None, {"x": x})[0], cnnir.evaluate(graph, {"x": x})["y"])


def test_every_zero_is_the_start() -> None:
    """A tie of -0 with a start of +0 leaves the start, in the reference and compiled."""
    graph = chain(MaxPool((2, 2), (2, 2), start=0.0), shape=(1, 4, 4, 4))
    x = np.full((1, 4, 4, 4), -0.0, np.float32)
    for found in (cnnir.evaluate(graph, {"x": x})["y"], cnnir.compile(graph, threads=1)({"x": x})["y"]):
        assert not np.signbit(found).any()
