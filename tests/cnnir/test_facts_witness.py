"""Points that show a formula turning: found without a warning, however far its values fall."""

from __future__ import annotations

from cnnir.facts.interval import Interval
from cnnir.facts.oracle import falling_pair, inner_point
from cnnir.facts.precision import precision
from cnnir.scalar.expr import X, apply

LARGE = Interval(100.0, 1.7e308)  # beyond the small round numbers that are tried first


def test_a_fall_beyond_the_largest_number_is_found() -> None:
    found = falling_pair(apply("mul", apply("sub", 0.85e308, X), 2.0), LARGE, precision("f64"), {})
    assert found is not None and found[0] < found[1]


def test_a_height_beyond_the_largest_number_is_found() -> None:
    hill = apply("mul", apply("sub", 0.42e308, apply("abs", apply("sub", X, 0.85e308))), 4.0)
    found = inner_point(hill, LARGE, precision("f64"), {})
    assert found is not None and found[0] < found[1] < found[2]
