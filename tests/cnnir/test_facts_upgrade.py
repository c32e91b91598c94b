"""What evidence makes of facts: C assumed, C swept, or U, with the bound."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from cnnir.analysis.derive import derive
from cnnir.facts.analyse import Analysis
from cnnir.facts.evidence import Swept, fittest
from cnnir.facts.fact import Fact, Grade, identity
from cnnir.facts.interval import Interval, unknown
from cnnir.facts.lattice import DOWN, UNKNOWN, UP, Direction, valley
from cnnir.facts.precision import precision
from cnnir.facts.upgrade import library, natural_range, support, upgraded
from cnnir.ops import piecewise, smooth
from cnnir.ops.activation import UserActivation
from cnnir.ops.elementwise import Elementwise
from cnnir.scalar.expr import Expr, Param, X, apply
from cnnir.scalar.fingerprint import fingerprint

F32 = precision("f32")
EVERY = unknown(F32)
EXP, TANH = apply("exp", X), apply("tanh", X)
CLEAN = Swept(UP, "f32", "llvm -mcpu=here", -math.inf, math.inf, 4_278_190_082, 0, None, None, 0.0, None, True, (("tvm", "0.27.0"),))
RISING = Fact(UP, EVERY)
BROKEN = replace(CLEAN, violations=2, first=(1.0, 1.5), last=8.0, bound=0.25)


class Known:
    """Evidence held in memory."""

    def __init__(self, *found: tuple[Expr, Swept]) -> None:
        self.found = [(fingerprint(expr), swept) for expr, swept in found]

    def lookup(self, expr: Expr, dtype: str, direction: Direction, domain: Interval) -> Swept | None:
        return fittest([s for f, s in self.found if f == fingerprint(expr) and s.dtype == dtype], direction, domain)


def judged(op: Elementwise, known: Known, domain: Interval = EVERY) -> Fact:
    fact = derive(op, [identity(domain)], {}, F32)
    return upgraded(fact, domain, support(op.formula(), fact, domain, F32, known))


def graded(fact: Fact) -> tuple[str, float | None]:
    return fact.float_class, fact.bound


def test_class_c_is_swept_where_all_its_library_functions_are() -> None:
    assert graded(judged(smooth.Sigmoid(), Known())) == ("C (assumed)", 0.0)
    assert graded(judged(smooth.Sigmoid(), Known((TANH, CLEAN)))) == ("C (assumed)", 0.0)
    assert graded(judged(smooth.Sigmoid(), Known((EXP, CLEAN)))) == ("C (swept)", 0.0)
    both = UserActivation("f", apply("log1p", apply("exp", X)))
    assert graded(judged(both, Known((EXP, CLEAN)))) == ("C (assumed)", 0.0), "log1p was not"
    shifted = replace(CLEAN, lo=natural_range("log1p", F32).lo)
    assert graded(judged(both, Known((EXP, CLEAN), (apply("log1p", X), shifted)))) == ("C (swept)", 0.0)


def test_a_primitive_held_to_another_direction_is_no_evidence() -> None:
    """A user may ask for it: exp is no valley's witness that it is monotone, and no down refutes it."""
    for direction, swept in ((valley(), CLEAN), (DOWN, BROKEN)):
        assert graded(judged(smooth.Sigmoid(), Known((EXP, replace(swept, direction=direction))))) == ("C (assumed)", 0.0)
    assert graded(judged(smooth.Sigmoid(), Known((EXP, replace(BROKEN, direction=DOWN)), (EXP, CLEAN)))) == ("C (swept)", 0.0)


def test_zeros_that_differ_count_on_every_range_with_zero() -> None:
    apart = replace(CLEAN, violations=1, first=(0.0, 0.0), last=0.0, bound=math.inf, zeros_agree=False)
    assert [apart.clean_on(Interval(lo, hi)) for lo, hi in ((0.0, 1.0), (-1.0, 0.0), (0.5, 1.0), (-1.0, -0.5))] == [
        False,
        False,
        True,
        True,
    ]


def test_what_composes_a_broken_function_is_u_without_a_bound() -> None:
    fact = judged(smooth.Sigmoid(), Known((EXP, BROKEN)))
    assert graded(fact) == ("U", None) and fact.direction == UP, "the direction of the real function stays"
    assert graded(judged(piecewise.Relu(), Known((EXP, BROKEN)))) == ("E", 0.0)


def test_the_whole_formula_counts_for_more_than_its_parts() -> None:
    formula = smooth.Sigmoid().formula()
    assert graded(judged(smooth.Sigmoid(), Known((EXP, BROKEN), (formula, CLEAN)))) == ("C (swept)", 0.0)
    assert graded(judged(smooth.Sigmoid(), Known((EXP, CLEAN), (formula, BROKEN)))) == ("U", 0.25)


def test_a_swept_bound_is_taken_where_it_is_less() -> None:
    op = smooth.Softsign()
    analytic = judged(op, Known()).bound
    assert analytic is not None
    for bound in (analytic / 2, analytic * 2):
        swept = replace(BROKEN, bound=bound)
        assert graded(judged(op, Known((op.formula(), swept)))) == ("U", min(bound, analytic))
    assert graded(judged(op, Known((op.formula(), CLEAN)))) == ("C (swept)", 0.0), "no violation: its code is monotone"
    silu = smooth.Silu()
    turned = replace(BROKEN, direction=valley(-1.278465, -1.278464))
    proved = judged(silu, Known()).bound
    assert proved is not None and proved < 0.25
    assert graded(judged(silu, Known((silu.formula(), turned)))) == ("U", proved)


@pytest.mark.parametrize(
    ("lo", "hi", "expected"),
    [(-5.0, 0.5, "C (swept)"), (8.0, 90.0, "C (swept)"), (-5.0, 1.5, "U"), (2.0, 4.0, "C (assumed)"), (-1e38, 1e38, "U")],
)
def test_violations_elsewhere_do_not_count(lo: float, hi: float, expected: str) -> None:
    """They are between 1 and 8: nothing is known of a range in between, but that its bound is no greater."""
    formula, domain = smooth.Sigmoid().formula(), Interval(lo, hi)
    assert judged(smooth.Sigmoid(), Known((formula, BROKEN)), domain).float_class == expected


def test_nan_counts_where_it_is() -> None:
    formula = smooth.Sigmoid().formula()
    at_infinity = replace(CLEAN, violations=1, nan=(-math.inf, -math.inf))
    assert judged(smooth.Sigmoid(), Known((formula, at_infinity))).float_class == "C (swept)", "data are finite"
    inside = replace(CLEAN, violations=1, nan=(3.0, 3.0))
    assert judged(smooth.Sigmoid(), Known((formula, inside))).float_class == "U"


def test_a_sweep_shows_a_direction_that_nobody_derived() -> None:
    formula, domain = apply("mod", X, 100 + apply("exp", X)), Interval(-1.0, 10.0)
    fact = Analysis(F32).on(formula, domain)
    assert fact.direction == UNKNOWN
    swept = replace(CLEAN, lo=-1.0, hi=10.0)
    shown = upgraded(fact, domain, support(formula, fact, domain, F32, Known((formula, swept))))
    assert (shown.direction, shown.float_class, shown.bound, shown.range.nan) == (UP, "C (swept)", 0.0, False)
    broken = upgraded(fact, domain, support(formula, fact, domain, F32, Known((formula, replace(BROKEN, hi=10.0, lo=-1.0)))))
    assert broken.direction == UNKNOWN, "a bound says nothing without a direction: down is swept with some bound, too"


@pytest.mark.parametrize("direction", [DOWN, valley(3.0, 4.0), valley()])
def test_a_sweep_for_another_direction_says_nothing(direction: Direction) -> None:
    formula = smooth.Sigmoid().formula()
    fact = judged(smooth.Sigmoid(), Known((formula, replace(BROKEN, direction=direction))))
    # UP is a valley that turns somewhere: where that fails, so does UP. And the bound of a valley is none of UP.
    assert graded(fact) == (("U", None) if direction == valley() else ("C (assumed)", 0.0))


def test_a_valley_that_is_clean_is_up_right_of_its_turn() -> None:
    op = smooth.Silu()
    swept = replace(CLEAN, direction=valley(-1.278465, -1.278464), violations=3, first=(-60.0, -59.0), last=-2.0, bound=1e-8)
    fact = judged(op, Known((op.formula(), swept)), Interval(-1.0, 50.0))
    assert fact.direction.is_up and fact.float_class == "C (swept)"


def test_coefficients_float64_and_layers_apart_leave_only_primitives() -> None:
    known = Known((EXP + Param("bias"), CLEAN), (smooth.Sigmoid().formula(), CLEAN), (EXP, CLEAN))
    assert support(EXP + Param("bias"), RISING, EVERY, F32, known).whole is None
    assert support(EXP + Param("bias"), RISING, EVERY, F32, known).swept
    wide = precision("f64")
    assert not support(smooth.Sigmoid().formula(), RISING, unknown(wide), wide, known).swept
    half = precision("f16")
    of_half = Known((EXP, replace(CLEAN, dtype="f16")))
    assert support(EXP, RISING, unknown(half), half, of_half).whole is not None
    assert support(EXP, RISING, unknown(half), half, of_half, layers=2).whole is None, "they may round in between"
    assert support(EXP, RISING, EVERY, F32, known, layers=2).whole is not None


def test_the_functions_of_a_formula() -> None:
    assert library(smooth.Mish().formula()) == ["softplus", "tanh"]
    assert library(apply("sqrt", X) * X) == []


def test_evidence_in_words() -> None:
    assert str(CLEAN) == "all 4,278,190,082 float32 inputs, llvm -mcpu=here, tvm 0.27.0"
    some = replace(CLEAN, dtype="f16", lo=0.0, hi=1.0, inputs=15362, versions=(("libm", "glibc 2.36"), ("tvm", "0.27.0")))
    assert str(some) == "all 15,362 float16 inputs in [0, 1], llvm -mcpu=here, tvm 0.27.0, glibc 2.36"


def test_fingerprints_tell_formulas_apart() -> None:
    shared = EXP + X
    pairs = [(shared * shared, (apply("exp", X) + X) * (X + 0 + apply("exp", X))), (X + 0.0, X + -0.0), (X - 1, 1 - X), (X, Param("x"))]
    for one, other in pairs:
        assert fingerprint(one) != fingerprint(other)
    assert fingerprint(shared * shared) == fingerprint((apply("exp", X) + X) * (apply("exp", X) + X))


def test_grade_names() -> None:
    assert [Fact(UP, EVERY, g, swept=s).float_class for g, s in ((Grade.E, False), (Grade.C, True), (Grade.U, False))] == [
        "E",
        "C (swept)",
        "U",
    ]
