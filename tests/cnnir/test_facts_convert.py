"""Facts of conversions and of integer arithmetic, and formulas whose steps are of several dtypes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

import cnnir
from cnnir.analysis.derive import derive
from cnnir.diagnostics import OpError
from cnnir.facts.analyse import Analysis
from cnnir.facts.fact import Fact, identity
from cnnir.facts.interval import Interval, unknown
from cnnir.facts.precision import precision
from cnnir.ops.arithmetic import Add, Mul, Neg
from cnnir.ops.convert import Cast, Dequantize, Quantize
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.piecewise import Abs
from cnnir.scalar.evaluate import evaluate
from cnnir.scalar.expr import Const, Expr, Var, X, apply, convert
from cnnir.types import DTYPES, DType, TensorType, numpy_dtype


def fact(op: Elementwise, dtype: str, lo: float | None = None, hi: float | None = None) -> Fact:
    of = precision(dtype)
    known = unknown(of) if lo is None or hi is None else Interval(lo, hi, minus_zero=of.unit > 0)
    return derive(op, [identity(known)], {}, of)


@pytest.mark.parametrize(("op", "dtype", "range", "image"), [
    (Cast("f16"), "f32", (-1e5, 70000.0), (-math.inf, math.inf)), (Cast("f16"), "f32", (0.1, 2.0), (0.0999755859375, 2.0)),
    (Cast("f64"), "f32", (0.0, 1.0), (0, 1)), (Cast("i8"), "f32", (-128.9, 127.9), (-128, 127)), (Cast("f32"), "i64", None, (-(2.0**63), 2.0**63)),
    (Cast("i16"), "u8", None, (0, 255)), (Cast("f32"), "bool", None, (0, 1)), (Cast("u8"), "bool", None, (0, 1)),
    (Quantize(0.5, 3), "f32", None, (0, 255)), (Quantize(0.5, 3), "f32", (-1.0, 4.0), (1, 11)), (Quantize(1.0, to="i16"), "f16", None, (-32768, 32767)),
    (Dequantize(0.5, 3), "u8", None, (-1.5, 126.0)), (Dequantize(2.0, to="f64"), "i32", None, (-(2.0**32), 2.0**32 - 2)),
    (Add(7.0), "i8", (-128, 120), (-121, 127)), (Mul(3.0), "u8", (0, 85), (0, 255)),
])  # fmt: skip
def test_what_keeps_order(op: Elementwise, dtype: str, range: tuple[float, float] | None, image: tuple[float, float]) -> None:
    found = fact(op, dtype, *(range or (None, None)))
    assert found.direction.is_up and not found.direction.is_down and found.float_class == "E", found
    assert (found.range.lo, found.range.hi, found.range.nan) == (*image, False)


@pytest.mark.parametrize(("op", "dtype", "range"), [
    (Cast("i8"), "f32", None), (Cast("i8"), "f32", (-129.0, 0.0)), (Cast("i8"), "f32", (0.0, 128.0)), (Cast("u8"), "f32", (-1.0, 0.0)),
    (Cast("i32"), "i64", None), (Cast("i64"), "u64", None), (Cast("u64"), "i64", None), (Cast("bool"), "f32", None), (Cast("bool"), "i8", None),
    (Cast("f8e4m3"), "f32", None), (Cast("i64"), "f64", (0.0, 2.0**63)), (Neg(), "i8", None), (Neg(), "u8", None), (Abs(), "i8", None),
    (Add(1.0), "i64", None), (Add(1.0), "u64", None), (Add(8.0), "i8", (-128, 120)), (Mul(2.0), "i8", (-65, 63)),
])  # fmt: skip
def test_what_may_not(op: Elementwise, dtype: str, range: tuple[float, float] | None) -> None:
    assert not fact(op, dtype, *(range or (None, None))).direction.is_monotone


def test_integers_go_down_and_turn_where_they_fit() -> None:
    assert fact(Neg(), "i8", -127, 127).direction.is_down
    assert fact(Abs(), "i8", -127, 5).direction.valley is not None
    assert fact(Abs(), "i8", 0, 127).direction.is_up


def every(dtype: str) -> np.ndarray:
    """Numbers of a dtype in order: all of them, or all that end a power of two, and neighbours."""
    of = numpy_dtype(dtype)
    if of.kind in "iu" and of.itemsize <= 2:
        return np.arange(np.iinfo(of).min, np.iinfo(of).max + 1).astype(of)
    if of.itemsize == 2:
        found = np.arange(1 << 16).astype(np.uint16).view(of)
        return np.unique(found[np.isfinite(found.astype(np.float32))])
    if of.kind == "f":
        powers = np.exp2(np.arange(-60, 60) / 2).astype(of)
        return np.unique(
            np.concatenate([powers, -powers, np.nextafter(powers, of.type(0)), [0, 0.1, 127.5, 128, 254.5, 65504, 65520]]).astype(of)
        )
    powers = [2**k + d for k in range(64) for d in (-1, 0, 1)]
    limits = np.iinfo(of)
    return np.unique(np.array([s * p for p in powers for s in (1, -1) if limits.min <= s * p <= limits.max], object)).astype(of)


@pytest.mark.parametrize("source", [d for d in DTYPES if d != "bool" and not d.startswith("f8")])
def test_no_claim_about_a_conversion_is_refuted(source: str) -> None:
    values = every(source)
    wide = values.astype(np.float64)
    ops: Sequence[Elementwise] = [Cast(to) for to in DTYPES]
    if source in ("f16", "f32", "f64", "bf16"):
        ops = [*ops, *(Quantize(s, 3, to=to) for s in (0.1, 3.0) for to in ("u8", "i8", "u16", "i16"))]
    elif source in ("u8", "i8", "u16", "i16", "i32"):
        ops = [*ops, *(Dequantize(s, 3, to=to) for s in (0.1, 3.0) for to in ("f32", "f16", "bf16", "f64"))]
    for op in ops:
        for lo, hi in ((-math.inf, math.inf), (-128.5, 127.5), (0.0, 255.0), (0.0, 70000.0), (-(2.0**31), 2.0**31 - 1)):
            inside = values[(wide >= lo) & (wide <= hi)]
            low, high = float(inside.min()), float(inside.max())
            found = fact(op, source, low, high)
            (result,) = op.evaluate([inside], {})
            numbers = result.astype(np.float64)
            assert found.range.nan or not np.isnan(numbers).any(), (op, low, high)
            assert np.isnan(numbers).any() or found.range.lo <= numbers.min() <= numbers.max() <= found.range.hi, (op, low, high, found)
            assert not found.direction.is_up or (result[1:] >= result[:-1]).all(), (op, low, high)


def test_numbers_take_the_dtype_of_what_they_meet() -> None:
    """0.1 is added in f32, then 0.1 in f64; select compares in one dtype and chooses in another."""
    x = np.array([0.5, 2.0], np.float32)
    wide: Expr = convert(X + 0.1, "f64") + (Const(0.05) + Const(0.05))
    assert evaluate(wide, [x]).tolist() == [float(np.float32(v) + np.float32(0.1)) + 0.1 for v in x]
    chosen = apply("select", X, 0.6, convert(X, "f16"), 0.1)
    assert evaluate(chosen, [x]).dtype == np.float16 and evaluate(chosen, [x]).tolist() == [float(np.float16(0.1)), 2.0]
    found = Analysis(precision("f32")).on(chosen, Interval(0.5, 2.0))
    assert found.direction.is_up and found.range.lo == float(np.float16(0.1))
    assert evaluate(Var(0) * 0 + Const(1.0), [np.asarray(3, np.int8)]).shape == ()


@pytest.mark.parametrize("scale", [0.0, -0.5, math.nan, math.inf, (0.1, 0.0)])
def test_a_scale_that_is_not_above_zero_is_refused(scale: float) -> None:
    for op in (Quantize, Dequantize):
        with pytest.raises(OpError, match="scales above 0"):
            op(scale)


@pytest.mark.parametrize(("scale", "dtype"), [(1e-9, "f16"), (1e9, "f16"), (1e-50, "f32")])
def test_a_scale_that_its_dtype_cannot_hold_is_refused(scale: float, dtype: DType) -> None:
    for op, data in ((Quantize(scale), dtype), (Dequantize(scale, to=dtype), "u8")):  # type: ignore[arg-type]  # a float
        with pytest.raises(OpError, match="0 or infinite"):
            op.infer([TensorType(data, (2, 2))])


def test_a_conversion_behind_what_rounds_has_no_derivative() -> None:
    """How far a conversion spreads the error of silu is not known, and no reason to fail."""
    body = "x -> silu -> cast(f16) -> cast(f32) -> maxpool(2)"
    graph = cnnir.parse(f"network n(x: f32[1, 2, 4, 4] in [-20, -0.5]) {{ {body} }}")
    decisions = cnnir.optimize(graph, place="always", exactness="ulp").decisions
    assert [(d.site.region, d.verdict) for d in decisions] == [(("cast1", "cast2"), "moved"), (("silu1",), "moved")]
