"""Chains h(g(x)): how formulas are taken apart, and how far the code of a chain may break its direction."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnir.analysis.derive import derive
from cnnir.facts.analyse import Analysis
from cnnir.facts.chain import modulus, split
from cnnir.facts.fact import Fact, Grade, identity
from cnnir.facts.interval import Interval, unknown
from cnnir.facts.lattice import UNKNOWN
from cnnir.facts.oracle import contradiction, samples, values_at
from cnnir.facts.precision import precision
from cnnir.ops import arithmetic, piecewise, smooth
from cnnir.ops.elementwise import Elementwise
from cnnir.scalar.evaluate import evaluate
from cnnir.scalar.expr import Expr, X, apply

from .formulas import domain, formula, of, step

F32 = precision("f32")
SILU = smooth.Silu().formula()


def test_a_formula_is_taken_apart_where_all_paths_meet() -> None:
    inner = X - apply("tanh", X)
    parts = split(of(SILU, inner))
    assert parts is not None and parts[1] is inner and parts[0] == SILU
    assert split(SILU) is None and split(X) is None and split(apply("exp", X)) is None
    outer = split(apply("exp", apply("neg", X)))
    assert outer is not None and outer[0] == apply("exp", X)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**9))
def test_the_parts_make_the_whole(seed: int) -> None:
    whole = formula(random.Random(seed))
    parts = split(whole)
    if parts is not None:
        x = np.linspace(-3, 3, 41).astype(np.float32)
        np.testing.assert_array_equal(evaluate(of(*parts), [x]), evaluate(whole, [x]))


def test_what_calculus_cannot_differentiate_is_still_composed() -> None:
    steps = of(SILU, apply("ceil", X))
    fact = Analysis(F32).on(steps, unknown(F32))
    assert fact.direction.valley and fact.grade is Grade.U and fact.bound is not None and fact.bound < 1e-6
    assert contradiction(steps, fact, unknown(F32), F32, {}) is None


def after(*ops: Elementwise) -> Fact:
    fact = identity(unknown(F32))
    for op in ops:
        fact = derive(op, [fact], {}, F32)
    return fact


@pytest.mark.parametrize(
    ("ops", "factor"),
    [
        ((piecewise.Relu(),), 1.0), ((arithmetic.Mul(2.0),), 2.0), ((arithmetic.Mul(-3.0),), 3.0), ((arithmetic.Add(1.0),), 1.0),
        ((smooth.Sigmoid(),), 0.25), ((arithmetic.Neg(), piecewise.Relu6()), 1.0),
    ],
    ids=repr,
)  # fmt: skip
def test_a_bound_grows_by_the_slope_and_the_rounding(ops: tuple[Elementwise, ...], factor: float) -> None:
    """silu, then layers that go one way."""
    before, found = after(smooth.Silu()), after(smooth.Silu(), *ops)
    assert before.bound is not None and found.bound is not None
    assert found.direction != UNKNOWN
    assert factor * before.bound <= found.bound * (1 + 1e-6)
    assert found.bound <= factor * before.bound + 64 * F32.unit


def test_steps_have_no_modulus_where_they_jump() -> None:
    assert after(smooth.Silu(), arithmetic.Floor()).bound is None
    assert modulus(apply("floor", X), Interval(0.25, 0.75), 0.01, F32, {}) == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["f16", "f32"]))
def test_the_modulus_holds_between_neighbours(seed: int, dtype: str) -> None:
    rng, kind = random.Random(seed), precision(dtype)
    expr: Expr = step(rng, X)
    known, reach = domain(rng, kind), rng.choice([1e-3, 0.1])
    found = modulus(expr, known, reach, kind, {})
    points = samples(expr, known, kind)
    where, values = points.astype(np.float64), values_at(expr, points, {})
    if found is None or not np.isfinite(values).all():
        return
    near = np.diff(where) <= reach
    assert np.all(np.abs(np.diff(values))[near] <= found)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["f16", "f32"]))
def test_sampling_contradicts_no_chain(seed: int, dtype: str) -> None:
    """Layer by layer, as sites are analysed."""
    rng, kind = random.Random(seed), precision(dtype)
    known = domain(rng, kind)
    fact, whole = identity(known), X
    for _ in range(rng.randint(2, 4)):
        link = step(rng, X)
        fact = Analysis(kind).after(link, fact)
        whole = of(link, whole)
    if fact.bound is not None:
        assert contradiction(whole, fact, known, kind, {}) is None, fact
