"""Powers and remainders: their derivatives, their rounding errors, and where nothing may be said of either."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnir.facts.analyse import Analysis
from cnnir.facts.enclosure import Enclosure, between, point
from cnnir.facts.interval import Interval
from cnnir.facts.jet import differentiable
from cnnir.facts.lattice import UNKNOWN
from cnnir.facts.oracle import contradiction
from cnnir.facts.powers import power, remainder
from cnnir.facts.precision import precision
from cnnir.facts.rounding import Rounding
from cnnir.scalar.expr import Expr, X, apply

from .formulas import assert_enclosed, assert_error_bounded, assert_not_contradicted, constant, domain, step

F32, F64 = precision("f32"), precision("f64")
X_TO_X = apply("pow", X, X)


def formula(rng: random.Random) -> Expr:
    """A few steps with a power or a remainder among them."""
    found: Expr = X
    for _ in range(rng.randint(0, 2)):
        found = step(rng, found)
    kind, number = rng.random(), constant(rng)
    positive = rng.choice([apply("abs", found), apply("exp", found), apply("max", found, 0.25), found])
    if kind < 0.35:
        found = apply("pow", positive, rng.choice([number, 2.0, 3.0, -1.0, -2.0, 0.5, 1.5, 0.0]))
    elif kind < 0.5:
        found = apply("pow", abs(number), found)
    elif kind < 0.7:
        found = apply("pow", positive, rng.choice([positive, found, X]))
    else:
        found = apply(rng.choice(["mod", "fmod"]), found, number)
    for _ in range(rng.randint(0, 2)):
        found = step(rng, found)
    return found


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["f16", "f32", "f64"]))
def test_sampling_contradicts_no_direction_and_no_bound(seed: int, dtype: str) -> None:
    rng, of = random.Random(seed), precision(dtype)
    assert_not_contradicted(formula(rng), domain(rng, of), of)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9))
def test_values_and_slopes_lie_in_their_enclosures(seed: int) -> None:
    rng = random.Random(seed)
    assert_enclosed(formula(rng), rng)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["f16", "f32"]))
def test_the_rounding_error_is_within_its_bound(seed: int, dtype: str) -> None:
    rng, of = random.Random(seed), precision(dtype)
    assert_error_bounded(formula(rng), domain(rng, of), of)


@given(st.floats(-50, 50), st.floats(0, 12), st.floats(0.1, 9), st.booleans(), st.sampled_from(["mod", "fmod"]))
def test_remainders_lie_in_their_enclosure_and_jump_nowhere_in_it(start: float, width: float, size: float, falls: bool, name: str) -> None:
    divisor = -size if falls else size
    inside = Enclosure(np.array([start]), np.array([start + width]))
    value, same = remainder(name, inside, divisor)
    cells = set[int]()
    for x in (start, *np.linspace(start, start + width, 40).tolist(), start + width):
        quotient = Fraction(x) / Fraction(divisor)
        cell = math.floor(quotient) if name == "mod" else math.trunc(quotient)
        cells.add(cell)
        assert Fraction(float(value.lo[0])) <= Fraction(x) - cell * Fraction(divisor) <= Fraction(float(value.hi[0]))
    assert len(cells) == 1 or not same[0]


@pytest.mark.parametrize("name", ["mod", "fmod"])
def test_a_remainder_is_known_to_be_continuous_up_to_its_jumps(name: str) -> None:
    for lo, hi in ((2.0, 3.5), (2.5, 3.9375), (0.0, 1.0)):
        assert remainder(name, Enclosure(np.array([lo]), np.array([hi])), 2.0)[1] == (hi < 4)
    crossing = Enclosure(np.array([1.5, 2.0, -0.5]), np.array([2.0, 4.0, 0.5]))
    assert remainder("mod", crossing, 2.0)[1].tolist() == [False, False, False]
    assert remainder("fmod", crossing, 2.0)[1].tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("base", "exponent", "sound"),
    [
        ((0.5, 2.0), (-1.0, 1.0), True), ((0.0, 2.0), (0.5, 1.0), True), ((0.0, 2.0), (0.0, 1.0), False), ((0.0, 2.0), (-0.5, 1.0), False),
        ((-0.1, 2.0), (0.5, 1.0), False), ((-0.1, 2.0), (1.5, 1.5), False), ((-0.1, 2.0), (3.0, 3.0), True), ((-0.1, 2.0), (-2.0, -2.0), False),
        ((-2.0, -1.0), (-3.0, -3.0), True), ((0.0, 1.0), (-1.0, -1.0), False), ((0.0, 0.0), (0.0, 0.0), True), ((0.0, 0.0), (-0.5, -0.5), False),
        ((-2.0, -1.0), (2.5, 2.5), False), ((-2.0, -1.0), (2.0**60, 2.0**60), False),
    ],
)  # fmt: skip
def test_where_powers_are_continuous(base: tuple[float, float], exponent: tuple[float, float], sound: bool) -> None:
    assert power(Enclosure(np.array([base[0]]), np.array([base[1]])), between(*exponent)).sound.tolist() == [sound]


def test_an_exponent_that_is_no_constant_is_not_whole_though_it_is_one_number_here() -> None:
    found = power(Enclosure(np.array([-2.0]), np.array([-1.0])), Enclosure(np.array([2.0]), np.array([2.0])))
    assert not found.sound[0], "its neighbours are no whole numbers"


def test_divisors_that_vary_or_vanish_have_no_derivative() -> None:
    assert differentiable(apply("mod", X, 3)) and differentiable(apply("fmod", X, -0.5)) and differentiable(X_TO_X)
    for divisor in (0.0, math.inf, math.nan, 1e-30, 1e30, X, X * 2):
        assert not differentiable(apply("mod", X, divisor)), divisor


def test_a_base_that_the_code_may_have_below_0_has_no_error_bound() -> None:
    expr = apply("pow", X - 0.1, 1.5)
    found = Rounding(F32, {}).of(expr, Enclosure(np.array([0.09, 0.2]), np.array([0.3, 0.3])))
    assert np.isfinite(found.error).tolist() == [False, True]


def test_an_inexact_dividend_may_be_on_the_other_side_of_a_jump() -> None:
    expr = apply("mod", X + 0.1, 1)
    found = Rounding(F32, {}).of(expr, Enclosure(np.array([0.85, 0.2]), np.array([0.95, 0.3])))
    assert found.error[0] > 0.9 and found.error[1] < 1e-6
    exact = Rounding(F32, {}).of(apply("fmod", X, 1), Enclosure(np.array([0.85]), np.array([1.95])))
    assert exact.error[0] == 0


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize(
    ("expr", "ends", "direction"),
    [
        (X_TO_X, (0.0, 1.0), "valley"), (X_TO_X, (0.0, 0.25), "down"), (X_TO_X + X, (0.5, 3.0), "up"),
        (apply("pow", X, 2.5) - apply("exp", -X), (0.0, 9.0), "up"), (apply("pow", X, 1.5) * X, (0.0, 9.0), "up"),
        (apply("pow", 2, X) - X, (-3.0, 3.0), "valley"), (apply("pow", X, 3) + X, (-9.0, 9.0), "up"),
        (apply("pow", X, -2) * X, (1.0, 9.0), "down"), (apply("mod", X, 3) * X, (3.5, 5.5), "up"),
        (apply("fmod", X - 0.3, 3) + apply("tanh", X), (-2.0, 2.0), "up"),
    ],
)  # fmt: skip
def test_what_derivatives_of_powers_and_remainders_decide(expr: Expr, ends: tuple[float, float], direction: str, dtype: str) -> None:
    of = precision(dtype)
    known = Interval(*ends, minus_zero=True)
    fact = Analysis(of).on(expr, known)
    found = "up" if fact.direction.is_up else "down" if fact.direction.is_down else "valley" if fact.direction.valley else "unknown"
    assert found == direction and fact.bound is not None and fact.bound < 1e-3
    assert contradiction(expr, fact, known, of, {}) is None


def test_what_they_refuse() -> None:
    for expr, ends in (
        (apply("mod", X, 3) * X, (0.5, 5.5)), (apply("fmod", X - 0.3, 3) + apply("tanh", X), (-4.0, 4.0)),
        (apply("pow", X, -1) + X, (-2.0, 2.0)), (apply("pow", X, 1.5), (-1.0, 1.0)), (apply("pow", X, 3) - X, (-2.0, 2.0)),
    ):  # fmt: skip
        assert Analysis(F64).on(expr, Interval(*ends, minus_zero=True)).direction == UNKNOWN


@pytest.mark.parametrize("exponent", [-1.0, -3.0])
@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32", "f64"])
def test_minus_0_to_a_negative_odd_power_is_minus_infinity(dtype: str, exponent: float) -> None:
    of, expr = precision(dtype), apply("pow", X, exponent)
    known = Interval(0.0, 3.0, minus_zero=True)
    fact = Analysis(of).on(expr, known)
    assert fact.direction == UNKNOWN and fact.range.lo == -math.inf
    assert contradiction(expr, fact, known, of, {}) is None
    without = Interval(0.0, 3.0)
    assert Analysis(of).on(expr, without).direction.is_down


def test_exact_zeros_of_powers_are_0() -> None:
    found = power(point(0.0), point(2.5))
    assert found.value.is_zero and found.sound
