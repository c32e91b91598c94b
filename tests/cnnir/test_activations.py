"""docs/activations.md is what the analysis says, and the analysis says what calculus does."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnir.analysis.derive import derive
from cnnir.facts.fact import Fact, Grade, identity
from cnnir.facts.interval import Interval, unknown
from cnnir.facts.precision import precision
from cnnir.ops import arithmetic, choose, convert, logic, piecewise, smooth
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.registry import OPS
from cnnir.testing.activations import ELSEWHERE, NAMED, direction, page, rows

F32 = precision("f32")
POSITIVE, RIGHT, UNIT = Interval(F32.tiny, F32.max), Interval(0.0, F32.max), Interval(-1.0, 1.0, minus_zero=True)


def fact_of(op: Elementwise, domain: Interval | None = None, dtype: str = "f32", **coefficients: Interval) -> Fact:
    of = precision(dtype)
    return derive(op, [identity(domain or unknown(of))], coefficients, of)


def primitive(name: str) -> Elementwise:
    op = OPS[name]()
    assert isinstance(op, Elementwise)
    return op


UP: list[tuple[Elementwise, Interval | None]] = [
    *((op, None) for op in (
        piecewise.Relu(), piecewise.Relu6(), piecewise.Clip(-0.3, 4.0), piecewise.Leaky(0.0), piecewise.Leaky(0.3), piecewise.Threshold(0.0),
        piecewise.Threshold(2.0), smooth.Elu(0.0), smooth.Elu(2.5), smooth.Celu(2.0), smooth.Celu(-2.0), smooth.Selu(), smooth.Sigmoid(),
        piecewise.HardSigmoid(0.0, 0.5), piecewise.HardSigmoid(0.2, 0.5), primitive("tanh"), smooth.Softplus(), smooth.LogSigmoid(),
        smooth.Softsign(), primitive("erf"), primitive("exp"), primitive("floor"), primitive("ceil"), primitive("round"), primitive("sign"),
        piecewise.HardShrink(0.0), piecewise.HardShrink(0.5), piecewise.SoftShrink(0.5), piecewise.Shrink(0.5, 0.0), piecewise.Shrink(0.5, 0.5),
        piecewise.Shrink(0.5, -0.2), smooth.TanhShrink(), arithmetic.Add(3.0), arithmetic.Add(-3.0), arithmetic.Mul(0.5), arithmetic.Div(0.7),
        arithmetic.Maximum(0.3), arithmetic.Minimum(-0.3), primitive("atan"), primitive("sinh"), primitive("asinh"),
    )),
    (primitive("log"), POSITIVE), (primitive("sqrt"), RIGHT), (primitive("asin"), UNIT),
]  # fmt: skip
DOWN: list[tuple[Elementwise, Interval | None]] = [
    (arithmetic.Neg(), None), (arithmetic.Sub(2.0, reverse=True), None), (primitive("acos"), UNIT), (smooth.Rsqrt(), POSITIVE),
    (smooth.Reciprocal(), POSITIVE), (smooth.Reciprocal(), Interval(-F32.max, -F32.tiny)),
]  # fmt: skip
VALLEY: list[tuple[Elementwise, Interval | None]] = [
    *((op, None) for op in (
        piecewise.Abs(), primitive("square"), primitive("cosh"), piecewise.Leaky(-0.3), smooth.Elu(-0.7), smooth.Silu(), smooth.Gelu(),
        smooth.Gelu("tanh"), smooth.Mish(), piecewise.HardSwish(), smooth.QuickGelu(),
    )),
]  # fmt: skip
NEITHER: list[tuple[Elementwise, Interval | None]] = [
    (smooth.Reciprocal(), None), (smooth.Reciprocal(), UNIT), (primitive("sin"), None), (piecewise.Shrink(0.5, 0.75), None),
]  # fmt: skip
LISTS = {"up": UP, "down": DOWN, "valley": VALLEY, "none": NEITHER}


@pytest.mark.parametrize("word", LISTS)
def test_directions_are_those_of_the_theory(word: str) -> None:
    for op, domain in LISTS[word]:
        fact = fact_of(op, domain)
        assert direction(fact) == word or (word == "up" and fact.direction.is_constant), (op, domain)


def test_slopes_by_channel() -> None:
    for lo, hi, word in ((0.0, 2.0, "up"), (-3.0, -0.5, "valley")):
        assert direction(fact_of(piecewise.PRelu(), slope=Interval(lo, hi))) == word


TABLE = [
    (smooth.Silu(), -1.278465, -1.278464, -0.278465), (smooth.Gelu(), -0.751792, -0.751791, -0.169971),
    (smooth.Mish(), -1.192432, -1.192431, -0.308843), (smooth.Gelu("tanh"), -0.752462, -0.752461, -0.170041),
    (piecewise.HardSwish(), -1.5, -1.5, -0.375), (smooth.QuickGelu(), -0.751155, -0.751154, -0.163610),
]  # fmt: skip


@pytest.mark.parametrize(("op", "lo", "hi", "least"), TABLE, ids=lambda v: repr(v))
def test_turning_points_and_minima_are_those_of_the_table(op: Elementwise, lo: float, hi: float, least: float) -> None:
    for dtype in ("f32", "f64"):
        fact = fact_of(op, dtype=dtype)
        turn = fact.direction.valley
        assert turn is not None and lo <= turn.until <= turn.since <= hi, turn
        assert fact.range.lo == pytest.approx(least, abs=4e-6)


@pytest.mark.parametrize(("dtype", "most"), [("f16", 20.0), ("bf16", 26.0), ("f32", 28.0), ("f64", 400.0)])
def test_bounds_on_the_whole_range_are_a_few_units_of_rounding(dtype: str, most: float) -> None:
    named = [op for op, _ in VALLEY[5:]] + [smooth.Softsign(), smooth.TanhShrink()]
    for op in named:
        fact = fact_of(op, dtype=dtype)
        assert fact.grade is Grade.U and fact.bound is not None, op
        assert 0 < fact.bound <= most * precision(dtype).unit, (op, fact.bound / precision(dtype).unit)


def test_the_committed_page_is_what_the_analysis_says() -> None:
    committed = Path(__file__).resolve().parents[2] / "docs" / "activations.md"
    assert committed.read_text("utf-8") == page(), "`make docs` writes it anew"


def test_the_page_is_complete() -> None:
    shown = {type(row.op) for row in rows()}
    elementwise = {op for op in OPS.values() if issubclass(op, Elementwise)}
    others = (convert.Cast, convert.Affine, choose.Choose, logic.Comparison, logic.Logic, logic.Where)
    of_two = {arithmetic.Power, arithmetic.Modulo, arithmetic.FloatModulo}
    assert {op for op in elementwise if not issubclass(op, others)} - of_two <= shown
    names = {name for row in NAMED for name in (row.onnx, row.pytorch)} | {n for names in ELSEWHERE for n in names.split(", ")}
    wanted = (
        "LeakyRelu Celu Elu Selu HardSigmoid HardSwish Mish Gelu ThresholdedRelu Shrink Softplus Softsign Swish PRelu Relu Sigmoid Clip "
        "ReLU ReLU6 Hardtanh LogSigmoid Softshrink Hardshrink Tanhshrink Hardswish Hardsigmoid SiLU GELU ELU SELU CELU PReLU Threshold GLU Softmax"
    )
    assert not set(wanted.split()) - names
