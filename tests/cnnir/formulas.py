"""Random formulas as users write them, what dense sampling says of them, and the laws that what is known of each keeps."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnir.facts.analyse import Analysis
from cnnir.facts.enclosure import Enclosure
from cnnir.facts.interval import Interval, unknown
from cnnir.facts.jet import differentiable, jet
from cnnir.facts.oracle import contradiction, samples, values_at
from cnnir.facts.precision import Precision, precision
from cnnir.facts.rounding import Rounding
from cnnir.ops import piecewise, smooth
from cnnir.scalar.expr import Expr, Var, X, apply, substitute
from cnnir.scalar.primitives import PRIMITIVES

Array = np.ndarray[Any, Any]
F64 = precision("f64")
UNARY = [p.name for p in PRIMITIVES.values() if p.arity == 1]
ACTIVATIONS = [
    op.formula()
    for op in (
        smooth.Silu(), smooth.Gelu(), smooth.Mish(), smooth.Sigmoid(), smooth.Softplus(), smooth.Softsign(), smooth.TanhShrink(), smooth.Elu(),
        piecewise.HardSwish(), piecewise.Relu(), piecewise.Leaky(0.1),
    )
]  # fmt: skip


def of(outer: Expr, inner: Expr) -> Expr:
    """outer(inner(x))."""
    return substitute(outer, lambda leaf: inner if isinstance(leaf, Var) else leaf)


def constant(rng: random.Random) -> float:
    """A number that is not 0."""
    drawn = rng.choice([round(rng.uniform(-4, 4), 2), rng.choice([-3.0, -1.0, -0.5, 0.1, 0.5, 1.0, 2.0, 6.0])])
    return drawn or 1.0


def step(rng: random.Random, inner: Expr) -> Expr:
    """One more elementwise op: a primitive, an activation, arithmetic with a number or with x."""
    kind = rng.random()
    if kind < 0.3:
        return apply(rng.choice(UNARY), inner)
    if kind < 0.5:
        return of(rng.choice(ACTIVATIONS), inner)
    if kind < 0.85:
        name, number = rng.choice(["add", "sub", "mul", "div", "max", "min"]), constant(rng)
        return apply(name, inner, number) if rng.random() < 0.7 or name == "div" else apply(name, number, inner)
    name = rng.choice(["add", "mul", "max", "min", "sub"])
    return apply(name, inner, X) if rng.random() < 0.5 else apply(name, X, inner)


def formula(rng: random.Random) -> Expr:
    """One to six ops."""
    found: Expr = X
    for _ in range(rng.randint(1, 6)):
        found = step(rng, found)
    return found


def domain(rng: random.Random, precision: Precision) -> Interval:
    """Everything, or an interval near 0."""
    kind = rng.random()
    if kind < 0.3:
        return unknown(precision)
    lo, hi = sorted(precision.round(rng.uniform(-8, 8)) for _ in range(2))
    lo = 0.0 if kind < 0.5 else -100.0 if kind > 0.9 else lo
    return Interval(lo, hi if hi > lo else lo + 1, minus_zero=True)


@dataclass(frozen=True)
class Seen:
    """What samples in float64, where rounding does not show, say of a formula; None where it is not finite everywhere."""

    goes_one_way: bool
    turns_once: bool


def seen(expr: Expr, known: Interval, precision: Precision) -> Seen | None:
    """Sampled at the numbers of `precision`."""
    values = values_at(expr, samples(expr, known, precision).astype(np.float64), {})
    if not np.isfinite(values).all():
        return None
    slack = 1e-13 * float(np.abs(values).max())

    def rises(part: Array) -> bool:
        return not len(part) or bool(np.all(np.maximum.accumulate(part) - part <= slack))

    least, most = int(np.argmin(values)), int(np.argmax(values))
    valley = rises(values[least:]) and rises(values[: least + 1][::-1])
    peak = rises(-values[most:]) and rises(-values[: most + 1][::-1])
    return Seen(rises(values) or rises(-values), valley or peak)


def assert_not_contradicted(expr: Expr, known: Interval, precision: Precision) -> None:
    """No sample is against the direction and the bound that are said of a formula."""
    fact = Analysis(precision).on(expr, known)
    assert contradiction(expr, fact, known, precision, {}) is None, fact


def assert_enclosed(expr: Expr, rng: random.Random) -> None:
    """Differences over short steps are mean slopes, so they lie in the enclosure of the slope, up to rounding; likewise theirs."""
    lo = rng.uniform(-4, 4)
    ends = (lo, lo + rng.choice([1e-3, 0.1, 1.0]))
    if ends[0] < 0 < ends[1] or not differentiable(expr):
        return
    found = jet(expr, Enclosure(np.array(ends[:1]), np.array(ends[1:])), F64, {})
    x = np.linspace(*ends, 65)
    y = values_at(expr, x, {})
    if not np.isfinite(y).all() or not found.sound.all():
        return
    slack = 1e-11 * (1 + float(np.abs(y).max()))
    assert np.all(y >= found.value.lo - slack) and np.all(y <= found.value.hi + slack)
    slopes, width = np.diff(y) / np.diff(x), slack / float(np.diff(x).min())
    assert np.all(slopes >= found.first.lo - width) and np.all(slopes <= found.first.hi + width)
    bends, wide = np.diff(slopes) / np.diff(x)[1:], 4 * width / float(np.diff(x).min())
    assert np.all(bends >= found.second.lo - wide) and np.all(bends <= found.second.hi + wide)


def assert_error_bounded(expr: Expr, known: Interval, precision: Precision) -> None:
    """On single numbers and on boxes of a few hundred, against real values: the formula with the constants as the precision holds them."""
    if not differentiable(expr):
        return
    points = samples(expr, known, precision)
    x = points.astype(np.float64)
    code = values_at(expr, points, {})
    real = Rounding(precision, {}).of(expr, Enclosure(x, x)).real
    for reach in (0, 1, 200):
        at = np.arange(len(x))
        lo, hi = x[np.maximum(at - reach, 0)], x[np.minimum(at + reach, len(x) - 1)]
        ends = Enclosure(np.where((lo < 0) & (x >= 0), 0.0, lo), np.where((hi > 0) & (x < 0), 0.0, hi))
        error = np.broadcast_to(Rounding(precision, {}).of(expr, ends).error, code.shape)
        sure = np.isfinite(code) & np.isfinite(error)
        least, most = (np.broadcast_to(v, code.shape)[sure] for v in (real.lo, real.hi))
        slack = error[sure] * (1 + 1e-9)
        assert np.all(code[sure] >= least - slack) and np.all(code[sure] <= most + slack)
