"""The laws up and down: whatever moves answers the same, for every elementwise op, pool, window and adversarial datum."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnir.analysis.derive import derive
from cnnir.diagnostics import OpError
from cnnir.facts.fact import Grade, identity
from cnnir.facts.interval import Interval
from cnnir.facts.precision import precision
from cnnir.ops import arithmetic, convert, logic, piecewise, pooling, smooth
from cnnir.ops.activation import UserActivation
from cnnir.ops.base import Op
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.registry import OPS
from cnnir.passes.laws import LAWS
from cnnir.passes.place import place
from cnnir.scalar.expr import Const, X, apply

from .builders import AVERAGE, COUNTING
from .networks import adversarial, chain, compare, formula_of

F32 = precision("f32")
NO_DEFAULT: dict[str, Elementwise] = {
    "clip": piecewise.Clip(-1.0, 1.0), "add": arithmetic.Add(0.1), "sub": arithmetic.Sub(0.1, True), "mul": arithmetic.Mul(-1.7),
    "div": arithmetic.Div(3.0), "min": arithmetic.Minimum(0.5), "max": arithmetic.Maximum(0.5),
    "cast": convert.Cast("f16"), "quantize": convert.Quantize(0.1, 3),
    "pow": arithmetic.Power(1.5), "mod": arithmetic.Modulo(0.3), "fmod": arithmetic.FloatModulo(0.3),
}  # fmt: skip
NAMED: dict[str, Elementwise] = {
    name: NO_DEFAULT.get(name) or op()
    for name, op in OPS.items()
    if issubclass(op, Elementwise)
    and op.inputs[0] == 1
    and not issubclass(op, UserActivation | convert.Dequantize | logic.Comparison | logic.Logic | logic.Where)
}
VARIANTS: list[Elementwise] = [
    piecewise.Leaky(-0.3), piecewise.Threshold(-1.0), smooth.Celu(-2.0), smooth.Elu(-1.0), piecewise.Shrink(0.5, 0.7), smooth.Gelu("tanh"),
    piecewise.HardSigmoid(-0.2), arithmetic.Mul(0.0), arithmetic.Sub(1.5, True), arithmetic.Div(1.0, True), piecewise.Shrink(0.5, 0.3),
]  # fmt: skip
WHOLE = (-F32.max, F32.max)
RANGES = [None, (0.0, 1.0), (0.5, 20.0), (-3.0, 3.0), (1.0, 50.0), (-20.0, -0.5)]


def feeds(ops: tuple[Op, ...], shape: tuple[int, ...], range: tuple[float, float] | None, seed: int = 0):
    """Adversarial data for a chain with this input range."""
    lo, hi = range or WHOLE
    return adversarial(shape, Interval(lo, hi, minus_zero=True), formula_of(ops), seed)


@pytest.mark.parametrize("pool", [pooling.MaxPool, pooling.MinPool], ids=["max", "min"])
@pytest.mark.parametrize("name", NAMED)
def test_every_named_op_with_both_pools(name: str, pool: type[pooling.SlidingPool]) -> None:
    """Moved exactly where its facts on the range allow, and then with the same answers."""
    op, shape = NAMED[name], (1, 2, 7, 6)
    for range in RANGES:
        for exactness in ("exact", "ulp"):
            graph = chain(op, pool((2, 3), (2, 2)), shape=shape, range=range)
            done = place(graph, "always", exactness)
            decision = done.decisions[0]
            if range is None and not dict(graph[op.name].weights):
                fact = derive(op, [identity(Interval(*WHOLE, minus_zero=True))], {}, F32)
                turned = fact.direction.valley if pool.reduce == "max" else fact.direction.peak
                allowed = fact.direction.is_up or fact.direction.is_down or turned is not None
                allowed &= not fact.range.nan and (fact.grade is not Grade.U or (exactness == "ulp" and fact.bound is not None))
                assert (decision.verdict == "moved") == allowed, decision
            if decision.verdict == "moved":
                assert decision.certificate and decision.rule in LAWS
                compare(graph, done, feeds((op,), shape, range))


@st.composite
def pools(draw: st.DrawFn) -> pooling.Pooling:
    """Every kind of max and min pool."""
    kind = draw(st.sampled_from(["sliding", "sliding", "sliding", "adaptive", "global"]))
    if kind == "global":
        return draw(st.sampled_from([pooling.GlobalMaxPool, pooling.GlobalMinPool]))()
    two = st.tuples(st.integers(1, 4), st.integers(1, 4))
    if kind == "adaptive":
        return draw(st.sampled_from([pooling.AdaptiveMaxPool, pooling.AdaptiveMinPool]))(draw(two))
    small = st.integers(0, 3)
    op = draw(st.sampled_from([pooling.MaxPool, pooling.MinPool]))
    return op(draw(two), draw(two), draw(st.tuples(small, small, small, small)), draw(two), draw(st.booleans()))


OPERATIONS = st.sampled_from([*NAMED.values(), *VARIANTS])
SHAPES = st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(3, 9), st.integers(3, 9))
SIGNED = st.sampled_from([-2.0, -0.41, 0.0, 0.25, 1.0, 3.0])


@settings(max_examples=250, deadline=None)
@given(
    st.lists(OPERATIONS, min_size=1, max_size=3), pools(), SHAPES,
    st.sampled_from(RANGES), st.lists(SIGNED, min_size=3, max_size=3), st.integers(0, 2**20), st.sampled_from(["exact", "ulp"]),
)  # fmt: skip
def test_always_equals_never(ops, pool, shape, range, signed, seed, exactness) -> None:
    """place=always against place=never, to the bit where the certificate says exact, within its bound elsewhere."""
    import numpy as np

    coefficients = {"slope": np.array(signed[: shape[1]]), "scale": np.array(signed[: shape[1]])}
    try:
        graph = chain(*ops, pool, shape=shape, range=range, weights=coefficients)
    except OpError:
        return  # the window does not fit
    done = place(graph, "always", exactness)
    compare(graph, done, feeds(tuple(ops), shape, range, seed))
    for decision in done.decisions:
        if decision.witness is not None:
            assert decision.witness.before != decision.witness.after


def test_two_pools_in_a_row_and_a_region_between() -> None:
    pool = pooling.MaxPool((2, 2), (2, 2))
    graph = chain(piecewise.Relu(), pool, piecewise.Relu6(), pool, shape=(1, 2, 12, 12))
    done = place(graph, "always")
    assert [(d.law, d.verdict) for d in done.decisions] == [("up", "moved"), ("up", "moved"), ("cascade", "moved")]
    assert [layer.op.name for layer in done.graph.layers()] == ["input", "maxpool", "relu", "relu6"]
    assert done.graph["relu"].type.shape == (1, 2, 3, 3)
    assert done.graph["relu"].origin.made_by == "up"
    compare(graph, done, feeds((piecewise.Relu6(),), (1, 2, 12, 12), None))


def test_a_decreasing_region_turns_the_pool_around() -> None:
    for pool, dual in ((pooling.MaxPool((2, 2), (2, 2)), "minpool"), (pooling.GlobalMinPool(), "global_maxpool")):
        graph = chain(arithmetic.Neg(), smooth.Sigmoid(), pool)
        done = place(graph, "always")
        assert [layer.op.name for layer in done.graph.layers()] == ["input", dual, "neg", "sigmoid"]
        assert done.decisions[0].law == "down"
        compare(graph, done, feeds((smooth.Sigmoid(),), (1, 2, 6, 6), None))
    twice = chain(arithmetic.Neg(), arithmetic.Neg(), pooling.GlobalMaxPool())
    assert place(twice, "always").decisions[0].law == "up"


def test_the_network_given_is_not_changed() -> None:
    graph = chain(piecewise.Relu(), pooling.GlobalMaxPool())
    twin = graph.copy()
    place(graph, "always")
    assert graph == twin


def test_a_bound_is_kept() -> None:
    graph = chain(smooth.Softsign(), pooling.MaxPool((2, 2), (2, 2)), shape=(4, 4, 16, 16))
    done = place(graph, "always", "ulp")
    bound = done.decisions[0].bound
    assert bound is not None and 2 * F32.unit <= bound <= 5 * F32.unit, "two roundings of a result within [-1, 1], on either side"
    compare(graph, done, feeds((smooth.Softsign(),), (4, 4, 16, 16), None))


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f64"])
def test_other_precisions(dtype: str) -> None:
    of = precision(dtype)
    for op in (piecewise.Relu(), piecewise.Leaky(0.1), arithmetic.Mul(-1.7), smooth.Sigmoid(), smooth.Elu(), arithmetic.Floor()):
        graph = chain(op, pooling.MaxPool((2, 2), (2, 2)), dtype=dtype)
        done = place(graph, "always")
        library = isinstance(op, (smooth.Sigmoid, smooth.Elu))
        assert done.decisions[0].verdict == ("refused" if library and dtype == "f64" else "moved"), op
        compare(graph, done, adversarial((1, 2, 6, 6), Interval(-of.max, of.max, minus_zero=True), op.formula(), 0, dtype))


def test_coefficients_are_those_that_the_code_computes() -> None:
    """floor(0.29 * 100) is 29 in float32 and 28 in float64: the shift is 1 and not 0, so padding must not be counted."""
    floor = apply("floor", apply("mul", Const(0.29), 100))
    shifted = chain(UserActivation("f", X + (floor - 28)), COUNTING)
    assert [d.condition for d in place(shifted, "always", "ulp").decisions] == ["counted elements"]
    scaled = chain(UserActivation("f", X * (floor - 28) * 1e6), AVERAGE, range=(-1, 1))
    done = place(scaled, "always", "ulp")
    assert done.decisions[0].verdict == "moved"
    compare(scaled, done, feeds((), (1, 2, 6, 6), (-1, 1)))
