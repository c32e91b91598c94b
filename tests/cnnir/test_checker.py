"""The independent checker's own arithmetic: against the ops' declared meaning, and against dense sampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnnir
from cnnir.checker.directions import Search, contradiction, pieces
from cnnir.checker.floats import format_of
from cnnir.checker.function import Function
from cnnir.checker.windows import KINDS, divides_by_what_it_sums, empty_window, members
from cnnir.diagnostics import OpError
from cnnir.ops import pooling, smooth
from cnnir.ops.activation import UserActivation
from cnnir.ops.base import Op
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.pooling import Pooling
from cnnir.ops.registry import OPS
from cnnir.scalar.expr import X, apply
from cnnir.testing import expressions
from cnnir.types import TensorType


def function(op: Op, dtype: str = "f32") -> Function:
    assert isinstance(op, Elementwise)
    return Function(op.formula(), {}, TensorType(dtype, (1, 1, 4, 4)))


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32", "f64"])
def test_keys_count_numbers_in_order(dtype: str) -> None:
    of = format_of(dtype)
    first, last = of.inside(-1.0, 1.0)
    numbers = of.numbers(np.linspace(first, last, 999).astype(np.int64)).astype(np.float64)
    assert numbers[0] == -1 and numbers[-1] == 1 and (np.diff(numbers) > 0).all()
    assert float(of.numbers(np.array([1]))[0]) == of.tiny and of.inside(-np.inf, np.inf)[1] == int(of.keys(np.array(of.max)))


small = st.integers(0, 2)
two = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([pooling.MaxPool, pooling.MinPool]), two, two, st.tuples(small, small, small, small), two, st.booleans(), two)
def test_windows_are_those_of_the_op(kind, kernel, stride, pad, dilation, ceil, more) -> None:
    data = TensorType("f32", (1, 1, 4 + more[0], 5 + more[1]))
    op = kind(kernel, stride, pad, dilation, ceil)
    try:
        declared = op.windows(data)
    except OpError:
        return
    found = members(op, data)
    assert [[w.taps[o][w.real[o]].tolist() for o in range(w.outputs)] for w in declared] == found
    assert (empty_window(op, data) is not None) == any(len(w.empty) for w in declared)


@settings(max_examples=80, deadline=None)
@given(two, two, st.tuples(small, small, small, small), st.booleans(), st.booleans())
def test_divisors_are_those_of_the_op(kernel, stride, pad, ceil, counting) -> None:
    data = TensorType("f32", (1, 1, 6, 7))
    op = pooling.AvgPool(kernel, stride, pad, (1, 1), ceil, counting)
    try:
        op.infer([data])
    except OpError:
        return
    real = np.multiply.outer(*(w.real.sum(axis=1) for w in op.windows(data)))
    assert divides_by_what_it_sums(op, data) == bool(np.array_equal(op.divisor(data), real))


@pytest.mark.parametrize("out", [(1, 1), (3, 2), (4, 5)])
def test_adaptive_windows(out: tuple[int, int]) -> None:
    data = TensorType("f32", (1, 1, 7, 5))
    declared = pooling.AdaptiveMaxPool(out).windows(data)
    assert [[w.taps[o][w.real[o]].tolist() for o in range(w.outputs)] for w in declared] == members(pooling.AdaptiveMaxPool(out), data)


def test_every_pool_has_a_kind() -> None:
    known = {op.name: op.reduce for op in OPS.values() if issubclass(op, Pooling) and op.reduce in ("max", "min", "avg")}
    assert known == KINDS


WAYS = {
    "relu": "up", "sigmoid": "up", "neg": "down", "abs": "valley", "square": "valley", "elu": "up", "hardshrink": "up", "floor": "up",
    "softplus": "up", "celu": "up", "cosh": "valley", "tanh": "up", "sinh": "up", "logsigmoid": "up", "threshold": "up",
}  # fmt: skip


@pytest.mark.parametrize("name", WAYS)
def test_directions_are_found_on_every_finite_number(name: str) -> None:
    f = function(OPS[name]())
    for dtype in ("f16", "f32"):
        found = pieces(function(OPS[name](), dtype), 0, -np.inf, np.inf, Search())
        assert found.goes(WAYS[name]) and not found.open.any(), (name, dtype)  # type: ignore[arg-type]
    other = "down" if WAYS[name] != "down" else "up"
    assert contradiction(f, 0, other, -100.0, 100.0) is not None


@pytest.mark.parametrize("op", [smooth.Silu(), smooth.Mish(), smooth.QuickGelu()], ids=["silu", "mish", "quickgelu"])
def test_valleys_of_real_functions_come_with_a_bound(op: Elementwise) -> None:
    f = function(op)
    exact = pieces(f, 0, -20.0, 20.0, Search())
    assert exact.open.any(), "the float code is no valley, and nothing shows it to be one"
    found = pieces(f, 0, -20.0, 20.0, Search(True, 1e-4))
    assert found.goes("valley") and not found.open.any() and 0 < found.bound() < 1e-4
    assert contradiction(f, 0, "valley", -20.0, 20.0, slack=found.bound()) is None


@settings(max_examples=150, deadline=None)
@given(expressions(6), st.sampled_from([(-3.0, 3.0), (0.5, 20.0), (-50.0, -0.1)]), st.sampled_from(["f16", "f32"]))
def test_no_proof_is_contradicted_by_samples(body, span, dtype) -> None:
    """Whatever the formula: what is proved on all pieces is not refuted by trying."""
    f = function(UserActivation("f", body), dtype)
    for how in (Search(), Search(True)):
        found = pieces(f, 0, span[0], span[1], how)
        if found.open.any() or found.nan.any():
            continue
        for way in ("up", "down", "valley", "peak"):
            if found.goes(way):
                assert contradiction(f, 0, way, span[0], span[1], found.bound()) is None, (way, how)


def test_a_jump_is_counted_out() -> None:
    f = function(UserActivation("f", apply("select", X, 0.7, X - 1, X)))
    found = pieces(f, 0, -2.0, 2.0, Search())
    assert not found.open.any() and not found.goes("up") and not found.goes("valley")
    g = function(UserActivation("g", apply("select", X, 0.7, X + 1, X)))
    assert pieces(g, 0, -2.0, 2.0, Search()).goes("up")


def test_zeros_of_both_signs_count() -> None:
    f = function(UserActivation("f", 1 / X))
    assert not pieces(f, 0, 0.0, 1.0, Search()).goes("down"), "1/-0 is -inf and 1/+0 is inf"


def test_a_square_is_no_minus_zero() -> None:
    """1 / -0 is -inf, but squares are +0: the move is right, and was refuted. What may be -0 still counts."""
    text = "network n(x: f32[1, 2, 4, 4] in [-1, 1]) { x -> square -> reciprocal -> maxpool(2) }"
    done = cnnir.verify(cnnir.parse(text), place="always", runs=2)
    assert [d.verdict for d in done.optimized.decisions][:1] == ["moved"]
    assert done.ok and done.report.verdict == "confirmed"
