"""Remainders, powers, comparisons, small types and settled choices: what is said of them, and that sampling agrees."""

from __future__ import annotations

import numpy as np
import pytest

from cnnir.facts.analyse import Analysis
from cnnir.facts.counted import counted
from cnnir.facts.fact import Grade
from cnnir.facts.interval import Interval
from cnnir.facts.lattice import UNKNOWN
from cnnir.facts.oracle import contradiction
from cnnir.facts.precision import precision
from cnnir.facts.spread import spread
from cnnir.scalar.evaluate import evaluate
from cnnir.scalar.expr import Expr, X, apply, convert

ANYWHERE = (-1000.0, 1000.0)
CASES: dict[str, tuple[Expr, tuple[float, float], str]] = {
    "mod between two multiples": (apply("mod", X, 3), (3.0, 5.5), "up"),
    "mod across a multiple": (apply("mod", X, 3), (2.0, 4.0), "unknown"),
    "fmod of what is smaller": (apply("fmod", X, -2.5), (-2.0, 2.4), "up"),
    "x mod x": (apply("fmod", X, X), (1.0, 9.0), "constant"),
    "an even power turns at 0, whatever the range": (apply("pow", X, 4), ANYWHERE, "valley(0, 0)"),
    "an odd power": (apply("pow", X, 3), ANYWHERE, "up"),
    "an odd negative power of what is negative": (apply("pow", X, -3), (-9.0, -1.0), "down"),
    "x to the x from 1 on": (apply("pow", X, X), (1.0, 5.0), "up"),
    "c to the x": (apply("pow", 0.5, X), ANYWHERE, "down"),
    "a step": (convert(apply("greater", X, 2), "f32"), ANYWHERE, "up"),
    "a step down": (convert(apply("less_equal", X, 2), "f32"), ANYWHERE, "down"),
    "one number": (convert(apply("equal", X, 2), "f32"), ANYWHERE, "peak"),
    "waves of a step": (apply("mod", convert(apply("greater", X, 2), "f32"), 0.3), ANYWHERE, "up"),
    "min(f, f) is f": (apply("min", (twice := X + X), twice), ANYWHERE, "up"),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", ["f32", "f16"])
def test_directions_that_sampling_does_not_refute(name: str, dtype: str) -> None:
    expr, (lo, hi), direction = CASES[name]
    of, domain = precision(dtype), Interval(lo, hi, minus_zero=True)
    fact = Analysis(of).on(expr, domain)
    assert str(fact.direction) == direction
    assert contradiction(expr, fact, domain, of, {}) is None


def test_every_number_of_a_small_type_is_tried() -> None:
    """x clipped, less x clipped elsewhere: no rule for a difference sees that it goes one way."""
    expr = apply("min", X, 6) - apply("max", X, 2)
    fact = Analysis(precision("i8")).on(expr, Interval(-20.0, 20.0))
    assert (str(fact.direction), fact.grade, fact.range) == ("peak(6, 2)", Grade.E, Interval(-22.0, 0.0))
    assert Analysis(precision("i8")).on(expr, Interval(-128.0, 127.0)).grade is Grade.U, "this wraps around"
    library = apply("exp", X) - apply("exp", X * 0.5)
    assert Analysis(precision("f16")).on(library, Interval(-1.0, 4.0)).grade is not Grade.E, "compiled, exp may be another number"


def test_integers_are_cut_at_integers() -> None:
    """The range of x was cut at 0.5, a constant of the float that x becomes, and one part began behind its end."""
    expr = apply("fmod", convert(apply("min", X, 100), "f16"), 0.5)
    assert Analysis(precision("i32")).on(expr, Interval(-100.0, 2.0**31 - 1)).range == Interval(-0.5, 0.5, minus_zero=True)
    selected = apply("select", convert(X, "f64"), -0.125, apply("select", convert(X, "f64"), 0.125, convert(X, "f64"), 0.0), 1.0)
    assert not Analysis(precision("i16")).on(selected, Interval(-9.0, 9.0)).range.nan


FEW = {
    "a library function that has settled": (convert(apply("not_equal", apply("acos", X) - X, -0.4), "f16"), "f16", (-1.0, 0.0), "constant", Grade.C, True),
    "x / x of bf16": (X / X, "bf16", (1.0, 6.0), "constant", Grade.E, True),
    "bf16 that only compares": (apply("min", X, 6) - apply("max", X, 6), "bf16", (-20.0, 6.0), "up", Grade.U, False),
    "up to what a library may give": (apply("pow", X, X), "f16", (0.0, 0.3), "down", Grade.U, False),
    "integers of a narrow range": (apply("mod", X, 7) + apply("mod", X, 7), "i32", (0.0, 6.0), "up", Grade.E, False),
    "mod of what changes": (apply("mod", 3, X * X + 4), "i32", (-90.0, 90.0), "constant", Grade.E, True),
    "a library function of integers": (convert(apply("exp", convert(X, "f32")), "i32"), "i8", (0.0, 9.0), "up", Grade.C, False),
}  # fmt: skip


@pytest.mark.parametrize("name", FEW)
def test_few_numbers_are_tried_with_all_that_the_code_may_give(name: str) -> None:
    expr, dtype, (lo, hi), direction, grade, point = FEW[name]
    domain = Interval(lo, hi, minus_zero=dtype[0] != "i")
    fact = counted(expr, domain, precision(dtype), {})
    assert fact is not None
    assert (str(fact.direction), fact.grade, fact.range.is_point) == (direction, grade, point), fact
    if dtype[0] != "i":
        assert contradiction(expr, fact, domain, precision(dtype), {}) is None
        return
    values = evaluate(expr, [np.arange(lo, hi + 1).astype(precision(dtype).numpy)]).astype(np.float64)
    assert (values.min(), values.max()) == (fact.range.lo, fact.range.hi)
    assert np.all(np.diff(values) >= 0)


def test_what_wraps_and_what_is_too_much_is_not_counted() -> None:
    i8 = precision("i8")
    assert counted(X + 100, Interval(0.0, 27.0), i8, {}) is not None
    assert counted(X + 100, Interval(0.0, 28.0), i8, {}) is None, "128 does not fit"
    assert counted(-X, Interval(-128.0, 0.0), i8, {}) is None, "nor does it here"
    assert counted(X, Interval(0.0, 2.0**16), precision("i32"), {}) is None
    assert counted(apply("log", X), Interval(-1.0, 1.0), precision("f16"), {}) is None, "NaN"


def test_zeros_that_a_function_tells_apart_count() -> None:
    """erf(1 / x + x) is -1 at -0 and 1 at +0, which a pool takes for one another."""
    fact = counted(apply("erf", 1 / X + X), Interval(-1.0, 1.0, minus_zero=True), precision("bf16"), {})
    assert fact is None or (fact.direction, fact.bound) == (UNKNOWN, None)


def test_no_code_that_the_spread_allows_breaks_the_bound() -> None:
    """Values drawn from [lo, hi] at every number are a valley up to the bound."""
    of = precision("f16")
    first, last = of.keys(np.array([-4.0, 4.0])).tolist()
    x, expr = of.numbers(np.arange(first, last + 1)).astype(np.float16), apply("tanh", X) * X
    found, fact = spread(expr, x, "f16", {}), counted(expr, Interval(-4.0, 4.0), of, {})
    assert fact is not None and fact.direction.valley is not None and fact.bound
    rng, broken = np.random.default_rng(0), 0.0
    lo, hi = found.lo.astype(float), found.hi.astype(float)
    for _ in range(200):
        code = np.where(rng.random(len(x)) < 0.5, lo, hi)
        ends = np.maximum(np.minimum.accumulate(code), np.minimum.accumulate(code[::-1])[::-1])
        broken = max(broken, float(np.max(code - ends)))
    assert 0 < broken <= fact.bound


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_powers_of_zeros(dtype: str) -> None:
    """-0 to a power that is no odd whole number is what +0 is."""
    of, most = precision(dtype), precision(dtype).max
    for exponent, (lo, hi), direction in [(-0.5, (0.0, 1.0), "down"), (0.7, (0.0, 9.0), "up"), (-4, (-most, most), "peak(0, 0)")]:
        domain = Interval(lo, hi, minus_zero=True)
        fact = Analysis(of).on(apply("pow", X, exponent), domain)
        assert (str(fact.direction), fact.range.nan) == (direction, False)
        assert contradiction(apply("pow", X, exponent), fact, domain, of, {}) is None
    assert Analysis(of).on(apply("pow", X, -3), Interval(0.0, 1.0, minus_zero=True)).direction == UNKNOWN, "-inf, and inf"
    assert Analysis(of).on(apply("pow", X + 0, -3), Interval(0.0, 1.0, minus_zero=True)).direction.is_down, "-0 + 0 is +0"
    assert Analysis(of).on(apply("pow", X + -0.0, -3), Interval(0.0, 1.0, minus_zero=True)).direction == UNKNOWN, "-0 + -0 is not"
    step = apply("pow", convert(apply("greater", X, 0), dtype) * 0 - 1, -5)
    assert Analysis(of).on(step, Interval(-1.0, 1.0)).bound == 0, "one number gives one number"


def test_choices_are_settled_where_two_meet_at_an_end() -> None:
    analysis, domain = Analysis(precision("f64")), Interval(0.0, 1.0, minus_zero=True)
    elu = apply("select", X, 0, X * 3, apply("expm1", X))
    assert analysis.resolved(elu, domain) == X * 3
    assert analysis.resolved(apply("max", X, 0), domain) == X
    assert analysis.resolved(apply("min", X, 1), domain) == X
    assert analysis.resolved(apply("select", X, 0, X, 1.0), domain) != X, "1 at 0"
    assert analysis.resolved(elu, Interval(-1.0, 1.0)) == elu


def test_the_largest_number_has_a_power_of_two_below_it() -> None:
    of = precision("f64")
    assert Analysis(of).on(apply("softplus", X) * X, Interval(of.next(of.max, -9), of.max)).direction is not None
