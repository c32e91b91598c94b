"""The sweep: every input once and in order, violations and bounds as brute force finds them, for the code that networks run."""

from __future__ import annotations

import math
from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnnir
from cnnir.analysis.derive import derive
from cnnir.backends.tvm.sweep.code import compile_formula
from cnnir.backends.tvm.sweep.measure import sweep
from cnnir.backends.tvm.sweep.order import Order
from cnnir.backends.tvm.sweep.scan import scan
from cnnir.backends.tvm.sweep.summary import Summary, summarize
from cnnir.backends.tvm.targets import TargetSpec, parse_target
from cnnir.diagnostics import CnnirError
from cnnir.facts.fact import Grade, identity
from cnnir.facts.interval import unknown
from cnnir.facts.lattice import DOWN, UNKNOWN, UP, Direction, peak, valley
from cnnir.facts.precision import precision
from cnnir.ops import piecewise, smooth
from cnnir.ops.elementwise import Elementwise
from cnnir.scalar.expr import Expr, Param, X, apply

from ..cnnir.test_facts_ops import UNARY, VARIANTS

LLVM = TargetSpec("llvm")
ORDERS = {dtype: Order(precision(dtype)) for dtype in ("f16", "bf16", "f32")}


def everything(dtype: str) -> np.ndarray:
    """Every number of a 16-bit dtype that is not NaN, in order, as float64."""
    order = ORDERS[dtype]
    bits = np.empty(order.count, order.bits)
    for first, behind in order.chunks(0, order.count, 1000):
        order.fill(bits[first:behind], np.arange(behind - first, dtype=order.bits), first)
    return bits.view(order.precision.numpy).astype(np.float64)


@pytest.mark.parametrize(("dtype", "count"), [("f16", 63_490), ("bf16", 65_282), ("f32", 4_278_190_082)])
def test_every_number_has_a_place(dtype: str, count: int) -> None:
    order = ORDERS[dtype]
    assert order.span(-math.inf, math.inf) == (0, order.count) == (0, count)
    assert [order.number(p) for p in (0, order.zero - 1, order.zero, count - 1)] == [-math.inf, 0.0, 0.0, math.inf]
    assert math.copysign(1, order.number(order.zero - 1)) == -1
    if dtype != "f32":
        found = everything(dtype)
        assert not np.isnan(found).any() and (np.diff(np.delete(found, order.zero)) > 0).all()
        assert [order.number(p) for p in range(0, count, 997)] == found[::997].tolist()


def test_a_range_holds_both_zeros_and_no_number_outside() -> None:
    order = ORDERS["f16"]
    assert order.span(0, 0) == (order.zero - 1, order.zero + 1)
    start, stop = order.span(-0.1, 0.1)
    assert -0.1 <= order.number(start) < 0 < order.number(stop - 1) <= 0.1
    assert order.number(start - 1) < -0.1 and order.number(stop) > 0.1


numbers = st.lists(st.sampled_from([-math.inf, -2.0, -1.0, 0.0, 1.0, 1.5, 3.0, math.inf, math.nan]), min_size=1, max_size=12)


@given(numbers, st.booleans(), st.lists(st.integers(1, 11)))
def test_runs_merged_say_what_brute_force_says(values: list[float], rises: bool, cuts: list[int]) -> None:
    """However the values are cut into runs."""
    y = np.asarray(values, np.float32)
    ends = [0, *sorted({c for c in cuts if c < len(y)}), len(y)]
    found = reduce(Summary.then, [summarize(y[a:b], a, rises) for a, b in pairwise(ends)])
    z = [v if rises else -v for v in values]
    falls = [(i, i + 1) for i in range(len(z) - 1) if z[i + 1] < z[i]]
    missing = [i for i, v in enumerate(z) if math.isnan(v)]
    depth = max((z[i] - z[j] for j in range(len(z)) for i in range(j) if z[j] < z[i]), default=0.0)
    assert (found.falls, found.missing) == (len(falls), len(missing))
    assert found.fell == ((falls[0][0], falls[-1][1]) if falls else None)
    assert found.missed == ((missing[0], missing[-1]) if missing else None)
    assert depth <= found.depth <= math.nextafter(depth, math.inf)


def worst_window(x: np.ndarray, y: np.ndarray, direction: Direction) -> float:
    """The most by which max f(x_i) and what the law gives differ, on windows of two and three inputs out of few."""
    at = np.linspace(0, len(x) - 1, 40).astype(int)
    windows = np.stack(np.meshgrid(at, at, at)).reshape(3, -1)
    values, (low, high) = y[windows], (y[windows.min(0)], y[windows.max(0)])
    if direction.is_up or direction.is_down:
        return float(np.abs(values.max(0) - (high if direction.is_up else low)).max())
    if direction.valley:
        return float(np.abs(values.max(0) - np.maximum(low, high)).max())
    return float(np.abs(values.min(0) - np.minimum(low, high)).max())


@pytest.mark.parametrize("direction", [UP, DOWN, valley(), valley(-1, 1), peak(), peak(2, 3)], ids=str)
@pytest.mark.parametrize("formula", [X, -X, X * X, apply("sin", X), apply("round", 3 * X) * X], ids=["x", "-x", "xx", "sin", "steps"])
def test_the_bound_holds_on_every_window(formula: Expr, direction: Direction) -> None:
    """Also where the function goes another way altogether."""
    found = sweep(formula, direction, "f16", LLVM, -4, 4)
    x = everything("f16")
    x = x[(x >= -4) & (x <= 4)]
    start, stop = ORDERS["f16"].span(-4, 4)
    y = np.concatenate(scan(compile_formula(formula, "f16", LLVM), start, stop, lambda values, _: values.astype(np.float64)))
    assert worst_window(x, y, direction) <= found.bound
    assert (found.violations == 0) == (found.bound == 0), "on finite values without NaN and with equal zeros"
    assert found.inputs == len(x) == stop - start


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
@pytest.mark.parametrize("op", [*UNARY, *VARIANTS], ids=repr)
def test_code_keeps_what_its_facts_promise(op: Elementwise, dtype: str) -> None:
    """Compiled code of E and C has no violation for finite data, and U none beyond its bound."""
    known = precision(dtype)
    domain = unknown(known)
    fact = derive(op, [identity(domain)], {}, known)
    if fact.direction.valley is None and fact.direction.peak is None:
        return
    found = sweep(op.formula(), fact.direction, dtype, LLVM, domain.lo, domain.hi)
    if fact.grade is not Grade.U:
        assert found.clean_on(domain) and found.bound == 0, found
    elif fact.bound is not None:
        assert found.bound <= fact.bound, found


BAD = {
    "exp / (1 + exp)": (apply("exp", X) / (1 + apply("exp", X)), 0.0, 16.0),
    "max(x, 0) + log1p(exp(-|x|))": (apply("max", X, 0) + apply("log1p", apply("exp", -apply("abs", X))), 0.01, 0.02),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_monotone_is_caught(name: str) -> None:
    """The same functions as sigmoid and softplus; the real ones never decrease."""
    formula, lo, hi = BAD[name]
    found = sweep(formula, UP, "f32", LLVM, lo, hi)
    assert found.violations > 1000 and found.first is not None and found.last is not None
    assert 0 < found.bound < 1e-6 and not found.nan
    code = compile_formula(formula, "f32", LLVM)
    order = ORDERS["f32"]
    start, _ = order.span(*found.first)
    before, after = scan(code, start, start + 2, lambda values, _: values.tolist())[0]
    assert order.number(start) == found.first[0] and before > after
    good = sweep(smooth.softplus(X) if "log1p" in name else smooth.sigmoid(X), UP, "f32", LLVM, lo, hi)
    assert (good.violations, good.bound, good.first, good.last) == (0, 0.0, None, None)


def test_nan_and_zeros_that_differ_are_violations() -> None:
    root = sweep(apply("sqrt", X), UP, "f16", LLVM)
    assert root.nan is not None and root.nan[0] == -math.inf and -1e-7 < root.nan[1] < 0
    assert root.violations == ORDERS["f16"].zero - 1 and root.bound == 0, "NaN is no part of the bound; -0 has a root"
    divided = sweep(1 / X, DOWN, "f16", LLVM)
    assert not divided.zeros_agree and divided.violations == 1 and divided.bound == math.inf
    assert divided.first == (0.0, 0.0) and divided.last == 0.0
    assert sweep(X, UP, "f16", LLVM).zeros_agree


def test_what_is_swept_is_what_a_network_runs() -> None:
    """The same bits in the epilogue of a convolution, in vectors, as in the sweep."""
    net = cnnir.parse("network n(x: f32[1, 16, 8, 8]) { x -> depthwise(1, bias=off) -> silu }")
    (weight,) = [key for layer in net.layers() for _, key in layer.weights]
    net.weights[weight] = np.ones((16, 1, 1, 1), np.float32)
    x = np.linspace(-20, 20, 1024, dtype=np.float32).reshape(1, 16, 8, 8)
    compiled = next(iter(cnnir.compile(net)({"x": x}).values()))
    evaluator = compile_formula(smooth.Silu().formula(), "f32", LLVM).opened()
    evaluator.inputs[0, :1024] = x.ravel()
    assert np.array_equal(evaluator.outputs()[:1024], compiled.ravel())
    evaluator.close()


def test_what_cannot_be_swept_is_refused() -> None:
    with pytest.raises(CnnirError) as caught:
        sweep(X, UP, "f32", parse_target("cuda"))
    assert caught.value.exit_code == 3
    with pytest.raises(ValueError):
        sweep(X + Param("bias"), UP, "f32", LLVM)
    with pytest.raises(ValueError):
        sweep(X, UNKNOWN, "f16", LLVM)
    with pytest.raises(ValueError):
        sweep(X, UP, "f16", LLVM, 1.0001, 1.0002)


def test_an_error_on_a_worker_ends_the_sweep() -> None:
    code = compile_formula(piecewise.Relu().formula(), "f32", LLVM)
    seen: list[int] = []

    def look(_values: np.ndarray, start: int) -> None:
        seen.append(start)
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        scan(code, 0, 1 << 30, look)
    assert len(seen) < 100
