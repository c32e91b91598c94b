"""Formulas that composing primitives cannot decide: derivative bounds do, the bound holds, and nothing is proved that is not so."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnir.facts import calculus
from cnnir.facts.analyse import Analysis
from cnnir.facts.enclosure import between
from cnnir.facts.fact import Grade
from cnnir.facts.interval import Interval, unknown
from cnnir.facts.lattice import UNKNOWN, Direction
from cnnir.facts.oracle import contradiction
from cnnir.facts.precision import precision
from cnnir.facts.saturation import saturated
from cnnir.ops import smooth
from cnnir.scalar.expr import Expr, Param, X, apply
from cnnir.scalar.primitives import PRIMITIVES

from .formulas import assert_enclosed, assert_error_bounded, assert_not_contradicted, domain, formula, seen

F32, F64 = precision("f32"), precision("f64")


def exp(x: Expr) -> Expr:
    return apply("exp", x)


def clip(x: Expr, lo: float, hi: float) -> Expr:
    return apply("min", apply("max", x, lo), hi)


SILU = X * (1 / (1 + exp(-X)))
CUBIC = 0.7978846 * (X + 0.044715 * (X * X * X))
MODERATE = Interval(-1000.0, 1000.0, minus_zero=True)
DECIDED: list[tuple[str, Expr, Interval | None, str, Grade]] = [
    ("x sigmoid(x)", SILU, None, "valley", Grade.U),
    ("hardswish", X * clip(X + 3, 0, 6) / 6, None, "valley", Grade.U),
    ("gelu", 0.5 * X * (1 + apply("erf", X / 1.41421356)), None, "valley", Grade.U),
    ("gelu, tanh", 0.5 * X * (1 + apply("tanh", CUBIC)), None, "valley", Grade.U),
    ("mish", X * apply("tanh", apply("log", 1 + exp(X))), None, "valley", Grade.U),
    ("logistic", 1 / (1 + exp(-X)), None, "up", Grade.C),
    ("softsign", X / (1 + apply("abs", X)), None, "up", Grade.U),
    ("cube", X * X * X, None, "up", Grade.E),
    ("cubic", X * X * X - X, MODERATE, "unknown", Grade.U),
    ("sawtooth", X - 1.5 * apply("floor", X), None, "unknown", Grade.U),
    ("x + 0.1 sin(x)", X + 0.1 * apply("sin", X), None, "up", Grade.U),
    ("silu(x) + 0.05 x", SILU + 0.05 * X, None, "unknown", Grade.U),
    ("silu(x) + 0.2 x", SILU + 0.2 * X, None, "up", Grade.U),
    ("gauss", exp(-(X * X)), None, "peak", Grade.C),
    ("log(1 + x x)", apply("log", 1 + X * X), None, "valley", Grade.C),
    ("sqrt(1 + x x)", apply("sqrt", 1 + X * X), None, "valley", Grade.E),
    ("abs(x - 1)", apply("abs", X - 1), None, "valley", Grade.E),
    ("max(silu(x), 0.1 x)", apply("max", SILU, 0.1 * X), None, "valley", Grade.U),
    ("x x - 2 x", X * X - 2 * X, MODERATE, "valley", Grade.U),
    ("cosh", apply("cosh", X), None, "valley", Grade.C),
    ("cos on [0, 3]", apply("cos", X), Interval(0.0, 3.0), "down", Grade.C),
    ("1 / x on [1, 2]", 1 / X, Interval(1.0, 2.0), "down", Grade.E),
    ("1 / x across 0", 1 / X, Interval(-1.0, 1.0, minus_zero=True), "unknown", Grade.U),
    ("x / (1 + x x), all", X / (1 + X * X), MODERATE, "unknown", Grade.U),
    ("x / (1 + x x), right", X / (1 + X * X), Interval(0.0, 1000.0), "peak", Grade.U),
    ("x log(x)", X * apply("log", X), Interval(0.0625, 4.0), "valley", Grade.U),
]  # fmt: skip


def word(known: Direction) -> str:
    return str(known).partition("(")[0]


@pytest.mark.parametrize(("name", "expr", "where", "direction", "grade"), DECIDED, ids=[d[0] for d in DECIDED])
def test_formulas_that_users_write_are_decided(name: str, expr: Expr, where: Interval | None, direction: str, grade: Grade) -> None:
    known = where or unknown(F32)
    fact = Analysis(F32).on(expr, known)
    assert word(fact.direction) == direction, fact
    assert contradiction(expr, fact, known, F32, {}) is None
    if direction != "unknown":
        assert fact.grade is grade
        assert (fact.bound is not None and 0 <= fact.bound < 0.2) if grade is Grade.U else fact.bound == 0


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f64"])
def test_they_are_decided_in_other_precisions(dtype: str) -> None:
    of = precision(dtype)
    for name, expr, where, direction, _ in DECIDED:
        if dtype == "f64" and name == "silu(x) + 0.2 x":
            continue  # at 1e308 the product of the error of a tiny sigmoid with x hides the slope
        known = where or unknown(of)
        fact = Analysis(of).on(expr, known)
        if not (fact.range.nan or (dtype == "f16" and fact.range.has_infinity)):  # x x overflows in float16
            assert word(fact.direction) == direction, (name, fact)
        assert contradiction(expr, fact, known, of, {}) is None, (name, fact)


def test_coefficients_are_intervals() -> None:
    known, p = Interval(-10.0, 10.0), Param("p")
    fact = Analysis(F32, {"p": Interval(1.0, 2.0)}).on(X * (X - p), known)
    turn = fact.direction.valley
    assert turn is not None and turn.until == pytest.approx(0.5, abs=1e-3) and turn.since == pytest.approx(1.0, abs=1e-3)
    scaled = X * (1 / (1 + exp(-(p * X))))
    assert Analysis(F32, {"p": Interval(1.0, 1.0625)}).on(scaled, known).direction.valley
    for value in (1.0, 1.03, 1.0625):
        fact = Analysis(F32, {"p": Interval(1.0, 1.0625)}).on(scaled, known)
        assert contradiction(scaled, fact, known, F32, {"p": value}) is None


def test_a_jump_is_not_overlooked_though_every_slope_is_positive() -> None:
    falls = apply("select", X, 0.3, X - 0.01, X) + 0.001 * apply("sin", X)
    assert not Analysis(F32).on(falls, Interval(-2.0, 2.0)).direction.is_up
    rises = apply("select", X, 0.3, X + 0.01, X) + 0.001 * apply("sin", X)
    assert Analysis(F32).on(rises, Interval(-2.0, 2.0)).direction.is_up


@pytest.mark.parametrize("where", [Interval(-1.0, 0.0, minus_zero=True), Interval(0.0, 1.0, minus_zero=True)], ids=["[-1, -0]", "[-0, 1]"])
def test_an_infinity_that_is_clipped_may_be_of_either_sign(where: Interval) -> None:
    """-1 / -0 is 5 here, and -1 / +0 is 2.5: the two zeros are one number to a pool."""
    for expr in (clip(-1 / X, 2.5, 5), clip(1 / X, -5, -2.5), apply("max", -1 / X, 2), 1 + clip(-1 / X, -5, 5)):
        fact = Analysis(F32).on(expr, where)
        assert fact.direction == UNKNOWN or fact.bound is None, fact
        assert contradiction(expr, fact, where, F32, {}) is None


def test_a_constant_that_underflows_is_not_constant() -> None:
    """The real function is 1; the code rises from 0 to 1, which is exact as a rise and not as a constant."""
    logistic = 1 / (1 + exp(-X))
    expr, known = apply("sign", logistic / (1 + apply("abs", logistic))), Interval(-100.0, 100.0)
    fact = Analysis(F32).on(expr, known)
    assert not fact.direction.is_constant or (fact.bound is not None and fact.bound >= 1)
    assert contradiction(expr, fact, known, F32, {}) is None


def test_what_costs_nothing_still_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("calculus was asked where composition knows")

    monkeypatch.setattr("cnnir.facts.analyse.study", fail)
    for expr in (apply("max", X, 0), 2 * X + 1, 1 / (1 + exp(-X)), apply("abs", X), X * X * X):
        assert Analysis(F32).on(expr, unknown(F32)).direction != UNKNOWN


def test_one_study_serves_all_narrower_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    Analysis(F32).on(SILU, unknown(F32))
    monkeypatch.setattr(calculus, "Bisection", None)
    for lo, hi in ((-7.0, 3.0), (-0.5, 100.0), (-30.0, -2.0)):
        assert Analysis(F32).on(SILU, Interval(lo, hi)).direction != UNKNOWN


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["f16", "f32", "f64"]))
def test_sampling_contradicts_no_direction_and_no_bound(seed: int, dtype: str) -> None:
    rng, of = random.Random(seed), precision(dtype)
    assert_not_contradicted(formula(rng), domain(rng, of), of)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_values_and_slopes_lie_in_their_enclosures(seed: int) -> None:
    rng = random.Random(seed)
    assert_enclosed(formula(rng), rng)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["f16", "f32"]))
def test_the_rounding_error_is_within_its_bound(seed: int, dtype: str) -> None:
    rng, of = random.Random(seed), precision(dtype)
    assert_error_bounded(formula(rng), domain(rng, of), of)


def test_enclosures_round_outward() -> None:
    tenth = between(0.1, 0.1)
    for found in (tenth + tenth + tenth, tenth * between(3.0, 3.0), between(1.0, 1.0) / between(3.0, 3.0)):
        assert found.lo < found.hi
    exact = between(1.5, 1.5) - between(1.5, 1.5)
    assert exact.lo == exact.hi == 0
    with np.errstate(all="ignore"):
        assert (between(0.0, 0.0) * between(-np.inf, np.inf)).is_zero
        quotient = between(1.0, 2.0) / between(0.0, 4.0)
    assert quotient.lo <= 0.25 and quotient.hi == np.inf


def test_libraries_settle_at_their_limits() -> None:
    x = np.array([-200.0, -1.0, 0.0, 1.0, 200.0])
    plain = np.zeros(5)
    assert saturated(PRIMITIVES["tanh"], x, plain, F32).tolist() == [-1, 0, 0, 0, 1]
    assert saturated(PRIMITIVES["exp"], x, plain, F32).tolist() == [0, 0, 0, 0, np.inf]
    assert saturated(PRIMITIVES["sin"], x, plain, F32).tolist() == [0] * 5
    for name in ("tanh", "erf", "exp", "expm1"):
        for of in (F32, precision("f16")):
            grid = np.linspace(-120, 120, 4001)
            settled = saturated(PRIMITIVES[name], grid, np.full(4001, np.nan), of)
            known = ~np.isnan(settled)
            reference = PRIMITIVES[name].evaluate(grid[known].astype(of.numpy)).astype(np.float64)
            np.testing.assert_array_equal(reference, settled[known], err_msg=name)


def test_most_of_what_sampling_finds_is_proved() -> None:
    """Recall: of random formulas that sampling finds to go one way or to turn once, the share that is proved."""
    rng = random.Random(20)
    proved = found = 0
    for _ in range(150):
        expr, known = formula(rng), domain(rng, F32)
        truth = seen(expr, known, F32)
        if truth is None or not (truth.goes_one_way or truth.turns_once):
            continue
        found += 1
        proved += Analysis(F32).on(expr, known).direction != UNKNOWN
    print(f"proved {proved} of {found} formulas that go one way or turn once: {proved / found:.1%}")
    assert proved >= 0.9 * found


def test_silu_by_hand_is_silu() -> None:
    assert Analysis(F32).on(SILU, unknown(F32)).direction == Analysis(F32).on(smooth.Silu().formula(), unknown(F32)).direction
