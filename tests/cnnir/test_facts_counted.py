"""Remainders, powers, comparisons, small types and settled choices: what is said of them, and that sampling agrees."""

from __future__ import annotations

import pytest

from cnnir.facts.analyse import Analysis
from cnnir.facts.fact import Grade
from cnnir.facts.interval import Interval
from cnnir.facts.oracle import contradiction
from cnnir.facts.precision import precision
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
