"""Facts of every elementwise op: what laws.md says they are, and never what dense sampling contradicts."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cnnir.analysis.derive import derive
from cnnir.facts.analyse import Analysis
from cnnir.facts.fact import Fact, Grade, identity
from cnnir.facts.interval import Interval, unknown
from cnnir.facts.lattice import name
from cnnir.facts.oracle import contradiction
from cnnir.facts.precision import precision
from cnnir.ops import arithmetic, logic, piecewise, smooth
from cnnir.ops.base import Op
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.registry import OPS
from cnnir.scalar.expr import Expr, Param, X, apply, leaves
from cnnir.scalar.primitives import PRIMITIVES

F32 = precision("f32")


def is_unary(op: type[Elementwise]) -> bool:
    """One data input, no weights: an op that can be made from its defaults."""
    needs = [p for p in inspect.signature(op).parameters.values() if p.default is p.empty]
    return (
        not needs
        and not issubclass(op, arithmetic.Binary | logic.Logic | logic.Where)
        and not any(isinstance(v, Param) for v in leaves(op().formula()))
    )


UNARY: list[Elementwise] = [c() for c in OPS.values() if issubclass(c, Elementwise) and is_unary(c)]
VARIANTS: list[Elementwise] = [
    piecewise.Leaky(-0.3), piecewise.Leaky(0.0), piecewise.Threshold(-1.0), piecewise.Threshold(0.0), piecewise.Clip(-0.7, 0.3),
    piecewise.Shrink(0.5, -0.2), piecewise.Shrink(0.5, 0.5), piecewise.Shrink(0.5, 0.7), piecewise.Shrink(0.0, 0.0),
    piecewise.HardSigmoid(-0.2, 0.5), piecewise.HardShrink(0.0), piecewise.SoftShrink(1.5), piecewise.HardTanh(-2.0, 7.0),
    smooth.Celu(-2.0), smooth.Celu(0.3), smooth.Elu(-1.0), smooth.Elu(0.1), smooth.Gelu("tanh"), smooth.Selu(1.0, -1.0),
    *(c(k) for c in (arithmetic.Add, arithmetic.Sub, arithmetic.Mul, arithmetic.Div) for k in (-1.7, 0.1)),
    *(c(k) for c in (arithmetic.Maximum, arithmetic.Minimum) for k in (-1.7, 0.1)),
    *(c(k, True) for c in (arithmetic.Sub, arithmetic.Div) for k in (-1.7, 0.1)), arithmetic.Mul(0.0),
]  # fmt: skip
DOMAINS = [
    unknown(F32), Interval(0.0, 1.0, minus_zero=True), Interval(0.0, F32.max), Interval(-F32.max, 0.0),
    Interval(-2.5, 2.5, minus_zero=True),
    Interval(0.5, 20.0), Interval(-21.0, -0.25), Interval(19.0, 21.0), Interval(-1e30, 1e30, minus_zero=True),
]  # fmt: skip


def fact_of(op: Op, domain: Interval | None = None) -> Fact:
    """The facts of a layer on a range."""
    assert isinstance(op, Elementwise)
    return derive(op, [identity(domain or unknown(F32))], {}, F32)


@pytest.mark.parametrize("op", UNARY + VARIANTS, ids=repr)
def test_sampling_contradicts_no_fact(op: Elementwise) -> None:
    for domain in DOMAINS:
        fact = fact_of(op, domain)
        assert contradiction(op.formula(), fact, domain, F32, {}) is None, (domain, fact)


EXPECTED = {
    "up": "relu relu6 leaky hardtanh hardsigmoid threshold hardshrink softshrink shrink sign sigmoid tanh softplus logsigmoid "
    "elu selu celu exp expm1 erf floor ceil round atan sinh asinh softsign tanhshrink dropout",
    "down": "neg",
    "valley": "abs square cosh",
    "unknown": "sin cos tan reciprocal rsqrt asin acos atanh acosh log log1p sqrt",
}


@pytest.mark.parametrize(("direction", "names"), EXPECTED.items())
def test_directions_are_those_of_the_theory(direction: str, names: str) -> None:
    for spelling in names.split():
        found = name(fact_of(OPS[spelling]()).direction)
        assert found.split("(")[0] == direction, (spelling, found)


@pytest.mark.parametrize(
    ("op", "lo", "hi"),
    [
        (smooth.Silu(), -1.278465, -1.278464), (smooth.Mish(), -1.192432, -1.192431), (smooth.Gelu(), -0.751792, -0.751791),
        (smooth.Gelu("tanh"), -0.752462, -0.752461), (smooth.QuickGelu(), -0.751155, -0.751154), (piecewise.HardSwish(), -1.5, -1.5),
    ],
    ids=repr,
)  # fmt: skip
def test_valleys_turn_where_the_real_function_does(op: Elementwise, lo: float, hi: float) -> None:
    turn = fact_of(op).direction.valley
    assert turn is not None and lo <= turn.until <= turn.since <= hi, turn
    assert turn.since - turn.until <= 1.2e-7, "no more than two numbers of float32"
    assert fact_of(op).grade is Grade.U
    right = fact_of(op, Interval(0.0, 100.0))
    assert right.direction.is_up and right.grade is not Grade.U, "on x >= 0 composition proves it"
    if hi > lo:
        f = precision("f64")
        for ends, falls in (((lo - 4e-6, lo), True), ((hi, hi + 4e-6), False)):
            a, b = (_at(op.formula(), x) for x in ends)
            assert (a > b) == falls, (ends, a, b, f.name)


def _at(expr: Expr, x: float) -> float:
    import numpy as np

    from cnnir.scalar.evaluate import evaluate

    return float(evaluate(expr, [np.asarray([x])])[0])


@pytest.mark.parametrize(
    ("op", "direction"),
    [
        (piecewise.Leaky(-0.3), "valley"), (piecewise.Threshold(-1.0), "valley"), (piecewise.Threshold(0.0), "up"),
        (smooth.Celu(-2.0), "up"),
        (smooth.Elu(-1.0), "valley"), (piecewise.Shrink(0.5, 0.5), "up"), (piecewise.Shrink(0.5, 0.7), "unknown"),
        (piecewise.HardSigmoid(-0.2), "down"), (arithmetic.Mul(-2.0), "down"), (arithmetic.Mul(0.0), "constant"),
        (arithmetic.Sub(1.0, True), "down"),
        (arithmetic.Div(-2.0), "down"), (arithmetic.Div(1.0, True), "unknown"), (arithmetic.Maximum(1.0), "up"),
    ],
    ids=repr,
)  # fmt: skip
def test_directions_depend_on_the_constants(op: Elementwise, direction: str) -> None:
    assert name(fact_of(op).direction).split("(")[0] == direction


def test_ranges_refine_directions() -> None:
    positive, negative = Interval(0.1, 9.0), Interval(-9.0, -0.1)
    assert fact_of(smooth.Reciprocal(), positive).direction.is_down and fact_of(smooth.Reciprocal(), negative).direction.is_down
    assert not fact_of(smooth.Reciprocal(), Interval(0.0, 9.0, minus_zero=True)).direction.is_monotone, "1/-0 is not 1/+0"
    assert fact_of(smooth.Reciprocal(), Interval(0.0, 9.0)).direction.is_down
    assert fact_of(piecewise.Abs(), positive).direction.is_up and fact_of(piecewise.Abs(), negative).direction.is_down
    assert fact_of(smooth.Rsqrt(), positive).direction.is_down
    assert fact_of(OPS["log"](), Interval(-1.0, 1.0)).range.nan and not fact_of(OPS["log"](), positive).range.nan
    assert fact_of(OPS["sqrt"](), Interval(0.0, 4.0)).direction.is_up


def test_float_classes() -> None:
    grades = {"relu": Grade.E, "leaky": Grade.E, "floor": Grade.E, "sigmoid": Grade.C, "tanh": Grade.C, "softsign": Grade.U}
    for spelling, grade in grades.items():
        assert fact_of(OPS[spelling]()).grade is grade, spelling
    wide = precision("f64")
    assert derive(smooth.Sigmoid(), [identity(unknown(wide))], {}, wide).grade is Grade.U, "no sweep can cover float64"
    assert derive(smooth.Softplus(), [identity(unknown(wide))], {}, wide).direction.is_up, "a maximum has no seam to jump at"


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f64"])
def test_sampling_contradicts_no_fact_in_other_precisions(dtype: str) -> None:
    other = precision(dtype)
    for op in [*UNARY, *VARIANTS[:19]]:
        fact = derive(op, [identity(unknown(other))], {}, other)
        assert contradiction(op.formula(), fact, unknown(other), other, {}) is None, (op, fact)


def expressions() -> st.SearchStrategy[Expr]:
    """Random formulas, as a user might write them in `activation f(x) = ...`."""
    constants = st.sampled_from([-3.0, -1.0, -0.5, 0.0, 0.1, 0.5, 1.0, 2.0, 6.0])
    unary = st.sampled_from([p for p in PRIMITIVES.values() if p.arity == 1])
    binary = st.sampled_from([p for p in PRIMITIVES.values() if p.arity == 2])

    def grow(children: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        operand = children | constants
        return st.one_of(
            st.builds(lambda p, a: apply(p.name, a), unary, children),
            st.builds(lambda p, a, b: apply(p.name, a, b), binary, children, operand),
            st.builds(lambda p, a, b: apply(p.name, a, b), binary, operand, children),
            st.builds(lambda a, c, p, q: apply("select", a, c, p, q), children, constants, operand, operand),
            st.builds(lambda a, c, p, q: apply("select", c, a, p, q), children, constants, operand, operand),
        )

    return st.recursive(st.just(X), grow, max_leaves=6)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(expressions(), st.sampled_from(DOMAINS))
@example(apply("select", 2.0, X / X, X, apply("exp", X)), DOMAINS[0])  # x / x is 1, except where it is NaN
def test_sampling_contradicts_no_random_formula(formula: Expr, domain: Interval) -> None:
    fact = Analysis(F32).on(formula, domain)
    assert contradiction(formula, fact, domain, F32, {}) is None, fact
