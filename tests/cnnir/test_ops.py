"""Shape rules and NumPy meanings of the ops, against small computations that share nothing with them."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from cnnir.diagnostics import OpError
from cnnir.ops.arithmetic import Add, BatchNorm, Bias, Binary, Div, Sub
from cnnir.ops.base import Op
from cnnir.ops.convolution import Conv, Dense
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.logic import Logic, Where
from cnnir.ops.piecewise import PRelu
from cnnir.ops.pooling import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    GlobalMinPool,
    MaxPool,
    MinPool,
    flipped,
)
from cnnir.ops.registry import OPS
from cnnir.ops.tensor import Concat, Flatten, Lrn, Softmax
from cnnir.ops.window import output_size, same_pads
from cnnir.types import TensorType

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(7)


def run(op: Op, *inputs: Array, **parameters: Array) -> Array:
    types = [TensorType("f32", i.shape) for i in inputs]
    (declared,) = op.infer(types)
    (result,) = op.evaluate(inputs, parameters)
    assert result.shape == declared.shape and result.dtype == np.float32
    return result


def data(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def conv_by_loops(
    x: Array, w: Array, b: float, stride: tuple[int, int], pad: tuple[int, int, int, int], dilation: tuple[int, int], groups: int
) -> Array:
    n, _, h, width = x.shape
    out, per, kh, kw = w.shape
    top, left, bottom, right = pad
    oh = (h + top + bottom - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    ow = (width + left + right - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    y = np.zeros((n, out, oh, ow))
    for i, o, r, s in itertools.product(range(n), range(out), range(oh), range(ow)):
        total = b
        for k, p, q in itertools.product(range(per), range(kh), range(kw)):
            channel = o // (out // groups) * per + k
            row, column = r * stride[0] + p * dilation[0] - top, s * stride[1] + q * dilation[1] - left
            if 0 <= row < h and 0 <= column < width:
                total += float(x[i, channel, row, column]) * float(w[o, k, p, q])
        y[i, o, r, s] = total
    return y


@pytest.mark.parametrize(
    ("stride", "pad", "dilation", "groups"),
    [
        ((1, 1), (0, 0, 0, 0), (1, 1), 1),
        ((2, 1), (1, 0, 2, 1), (1, 1), 1),
        ((1, 2), (1, 1, 1, 1), (2, 1), 2),
        ((1, 1), (2, 2, 2, 2), (2, 2), 4),
    ],
)
def test_convolution_sums_what_it_says(stride: Any, pad: Any, dilation: Any, groups: int) -> None:
    x, w = data(2, 4, 6, 7), data(8, 4 // groups, 3, 2)
    got = run(Conv(8, (3, 2), stride, pad, dilation, groups), x, weight=w, bias=np.full(8, 0.5, np.float32))
    np.testing.assert_allclose(got, conv_by_loops(x, w, 0.5, stride, pad, dilation, groups), rtol=1e-6, atol=1e-6)


def test_convolution_in_one_and_three_dimensions() -> None:
    x, w = data(1, 1, 5), np.array([[[1, 2]]], np.float32)
    got = run(Conv(1, (2,), (1,), (0, 0), (1,), bias=False), x, weight=w)
    np.testing.assert_allclose(got[0, 0], x[0, 0, :-1] + 2 * x[0, 0, 1:], rtol=1e-6)
    ones = np.ones((1, 2, 3, 3, 3), np.float32)
    assert run(Conv(1, (3, 3, 3), (1,) * 3, (0,) * 6, (1,) * 3, bias=False), ones, weight=np.ones((1, 2, 3, 3, 3), np.float32)).item() == 54


def pool_by_loops(
    x: Array, kernel: int, stride: int, pad: tuple[int, int], dilation: int, ceil: bool, how: str, count_pad: bool = False
) -> list[float]:
    """One axis, after PyTorch's documentation."""
    n, span = len(x), dilation * (kernel - 1) + 1
    rounded = math.ceil if ceil else math.floor
    outputs = rounded((n + sum(pad) - span) / stride) + 1
    if ceil and (outputs - 1) * stride >= n + pad[0]:
        outputs -= 1
    found: list[float] = []
    for o in range(outputs):
        places = [o * stride - pad[0] + k * dilation for k in range(kernel)]
        real = [float(x[p]) for p in places if 0 <= p < n]
        if how == "avg":
            found.append(sum(real) / (sum(p < n + pad[1] for p in places) if count_pad else len(real)))
        else:
            found.append(max(real, default=-np.inf) if how == "max" else min(real, default=np.inf))
    return found


WINDOWS = [
    (k, s, p, d, c) for k, s, p, d, c in itertools.product((2, 3), (1, 2, 3), ((0, 0), (1, 1), (0, 1), (1, 0)), (1, 2), (False, True))
]


@pytest.mark.parametrize(("kernel", "stride", "pad", "dilation", "ceil"), WINDOWS)
def test_pools_look_at_the_windows_of_pytorch(kernel: int, stride: int, pad: tuple[int, int], dilation: int, ceil: bool) -> None:
    x = data(1, 1, 7)
    given = ((kernel,), (stride,), pad, (dilation,), ceil)
    for how, op in {"max": MaxPool(*given), "min": MinPool(*given)}.items():
        assert run(op, x).ravel().tolist() == pool_by_loops(x.ravel(), kernel, stride, pad, dilation, ceil, how)
    for counted in (False, True):
        expected = pool_by_loops(x.ravel(), kernel, stride, pad, dilation, ceil, "avg", counted)
        np.testing.assert_allclose(run(AvgPool(*given, counted), x).ravel(), expected, rtol=1e-6)


def test_two_dimensional_pools_are_products_of_windows() -> None:
    x = data(2, 3, 6, 5)
    got = run(MaxPool((2, 3), (2, 1), (1, 0, 0, 1)), x)
    wide = np.pad(x, [(0, 0), (0, 0), (1, 0), (0, 1)], constant_values=-np.inf)
    expected = [[wide[..., 2 * r : 2 * r + 2, s : s + 3].max(axis=(2, 3)) for s in range(4)] for r in range(3)]
    np.testing.assert_array_equal(got, np.moveaxis(np.array(expected), (0, 1), (2, 3)))


def test_max_pool_starts_at_minus_infinity_and_keeps_nan() -> None:
    low = np.full((1, 1, 2, 2), -np.inf, np.float32)
    assert run(MaxPool((2, 2), (2, 2)), low).item() == -np.inf
    low[0, 0, 1, 1] = np.nan
    assert math.isnan(run(MaxPool((2, 2), (2, 2)), low).item()) and math.isnan(run(MinPool((2, 2), (2, 2)), low).item())


@pytest.mark.parametrize(("length", "outputs"), [(7, 3), (5, 5), (3, 5), (10, 4), (6, 1)])
def test_adaptive_pools_use_pytorchs_uneven_windows(length: int, outputs: int) -> None:
    x = data(1, 2, length)
    windows = [x[..., o * length // outputs : -(-(o + 1) * length // outputs)] for o in range(outputs)]
    np.testing.assert_array_equal(run(AdaptiveMaxPool((outputs,)), x), np.stack([w.max(axis=2) for w in windows], 2))
    np.testing.assert_allclose(run(AdaptiveAvgPool((outputs,)), x), np.stack([w.mean(axis=2) for w in windows], 2), rtol=1e-5)


def test_global_pools() -> None:
    x = data(2, 3, 4, 5)
    np.testing.assert_array_equal(run(GlobalMaxPool(), x), x.max(axis=(2, 3), keepdims=True))
    np.testing.assert_array_equal(run(GlobalMinPool(), x), x.min(axis=(2, 3), keepdims=True))
    np.testing.assert_allclose(run(GlobalAvgPool(), x), x.mean(axis=(2, 3), keepdims=True), rtol=1e-5)
    assert flipped(MaxPool((2, 2), (1, 1), ceil=True)) == MinPool((2, 2), (1, 1), ceil=True)


def test_same_pads_give_as_many_outputs_as_strides() -> None:
    for length, kernel, stride, dilation in itertools.product(range(1, 12), (1, 2, 3, 5), (1, 2, 3), (1, 2)):
        begin, end = same_pads(length, kernel, stride, dilation)
        assert output_size(length, kernel, stride, dilation, (begin, end)) == math.ceil(length / stride)
        assert 0 <= end - begin <= 1


def test_dense_softmax_lrn_flatten_concat() -> None:
    x, w, b = data(3, 4), data(2, 4), data(2)
    np.testing.assert_allclose(run(Dense(2), x, weight=w, bias=b), x @ w.T + b, rtol=1e-5, atol=1e-6)
    soft = run(Softmax(), x * 500)
    np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-6)
    assert (soft.argmax(axis=1) == x.argmax(axis=1)).all()
    y = data(1, 5, 2, 1)
    expected = [y[0, c] / (2 + 0.3 / 3 * (y[0, max(0, c - 1) : c + 2] ** 2).sum(axis=0)) ** 0.5 for c in range(5)]
    np.testing.assert_allclose(run(Lrn(3, 0.3, 0.5, 2.0), y)[0], expected, rtol=1e-5)
    assert run(Flatten(), y).tolist() == [y.ravel().tolist()]
    np.testing.assert_array_equal(run(Concat(2), y, y, y), np.tile(y, (1, 1, 3, 1)))


@pytest.mark.parametrize(("dtype", "wanted"), [("f16", np.nan), ("f32", np.nan), ("f64", 0.0)])
def test_a_divisor_below_every_number_is_zero(dtype: str, wanted: float) -> None:
    """As compiled: 1e-60 is no number of f32, nor is (1e-5)^20. It was 0 / 1e-60 = 0 by the reference, and 0 / 0 compiled."""
    for op in (Lrn(3, bias=1e-60), Lrn(3, beta=20.0, bias=1e-5)):
        (found,) = op.evaluate([np.zeros((1, 2), TensorType(dtype, ()).numpy)], {})
        np.testing.assert_array_equal(found.astype(np.float64), [[wanted, wanted]])


def test_layers_with_coefficients() -> None:
    x = data(1, 2, 3, 3)
    slope = np.array([0.5, -1], np.float32)
    np.testing.assert_array_equal(run(PRelu(), x, slope=slope), np.where(x > 0, x, x * slope[:, None, None]))
    np.testing.assert_array_equal(run(Bias("element"), x, bias=x[0]), x + x[0])
    mean, variance, scale, bias = data(2), np.array([0.5, 2], np.float32), data(2), data(2)
    shaped = [v[:, None, None] for v in (mean, variance, scale, bias)]
    expected = (x - shaped[0]) / np.sqrt(shaped[1] + 1e-5) * shaped[2] + shaped[3]
    np.testing.assert_allclose(run(BatchNorm(), x, mean=mean, variance=variance, scale=scale, bias=bias), expected, rtol=1e-4, atol=1e-5)


def test_arithmetic_broadcasts_and_knows_its_sides() -> None:
    x, row = data(2, 3), data(3)
    np.testing.assert_array_equal(run(Add(), x, row), x + row)
    np.testing.assert_array_equal(run(Sub(1.0, reverse=True), x), np.float32(1) - x)
    np.testing.assert_array_equal(run(Div(2.0), x), x / 2)


KNOWN = {
    "relu": lambda x: max(x, 0), "relu6": lambda x: min(max(x, 0), 6), "leaky": lambda x: x if x > 0 else 0.01 * x,
    "hardtanh": lambda x: min(max(x, -1), 1), "hardsigmoid": lambda x: min(max(x / 6 + 0.5, 0), 1),
    "hardswish": lambda x: x * min(max(x + 3, 0), 6) / 6, "threshold": lambda x: x if x > 1 else 0,
    "hardshrink": lambda x: x if abs(x) > 0.5 else 0, "softshrink": lambda x: math.copysign(max(abs(x) - 0.5, 0), x),
    "shrink": lambda x: x if abs(x) > 0.5 else 0, "abs": abs, "sign": lambda x: (x > 0) - (x < 0), "neg": lambda x: -x,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)), "tanh": math.tanh, "softplus": lambda x: math.log1p(math.exp(x)),
    "softsign": lambda x: x / (1 + abs(x)), "logsigmoid": lambda x: -math.log1p(math.exp(-x)),
    "elu": lambda x: x if x > 0 else math.expm1(x), "celu": lambda x: x if x > 0 else math.expm1(x),
    "selu": lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * math.expm1(x)),
    "silu": lambda x: x / (1 + math.exp(-x)), "mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2, "quickgelu": lambda x: x / (1 + math.exp(-1.702 * x)),
    "tanhshrink": lambda x: x - math.tanh(x), "floor": math.floor, "ceil": math.ceil, "round": round, "dropout": lambda x: x,
    "square": lambda x: x * x, "exp": math.exp, "expm1": math.expm1, "sin": math.sin, "cos": math.cos, "tan": math.tan,
    "atan": math.atan, "sinh": math.sinh, "cosh": math.cosh, "asinh": math.asinh, "erf": math.erf,
    "log": math.log, "log1p": math.log1p, "sqrt": math.sqrt, "rsqrt": lambda x: x**-0.5, "reciprocal": lambda x: 1 / x,
    "asin": math.asin, "acos": math.acos, "acosh": math.acosh, "atanh": math.atanh,
}  # fmt: skip
DOMAIN = {
    **dict.fromkeys(("log", "log1p", "sqrt", "rsqrt", "reciprocal"), (0.01, 9.0)),
    **dict.fromkeys(("asin", "acos", "atanh"), (-0.99, 0.99)), "acosh": (1.01, 9.0), "tan": (-1.4, 1.4),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_elementwise_ops_compute_their_functions(name: str) -> None:
    x = np.linspace(*DOMAIN.get(name, (-9.0, 9.0)), 101, dtype=np.float32)
    op = OPS[name]()
    np.testing.assert_allclose(run(op, x), [KNOWN[name](v) for v in x.tolist()], rtol=3e-5, atol=3e-6)


def test_every_elementwise_op_without_arguments_is_in_the_table() -> None:
    with_weights = {"prelu", "bias", "batchnorm", "scale", "choose", "clip", "cast", "quantize", "dequantize"}
    several = {n for n, c in OPS.items() if issubclass(c, Binary | Logic | Where)}  # tests/backends/test_table.py
    assert {n for n, c in OPS.items() if issubclass(c, Elementwise)} - with_weights - several == set(KNOWN)


@pytest.mark.parametrize(
    ("make", "types", "code"),
    [
        (lambda: Conv(8, (3, 3)), ["f32[1, 3, 2, 9]"], "C0203"),
        (lambda: Conv(8, (3, 3)), ["f32[1, 3, 9]"], "C0202"),
        (lambda: Conv(8, (3, 3)), ["i8[1, 3, 9, 9]"], "C0205"),
        (lambda: Conv(8, (3, 3), groups=2), ["f32[1, 3, 9, 9]"], "C0207"),
        (lambda: Conv(0, (3, 3)), ["f32[1, 3, 9, 9]"], "C0206"),
        (lambda: MaxPool((2, 2), (0, 1)), ["f32[1, 3, 9, 9]"], "C0206"),
        (lambda: MaxPool((2, 2), (1, 1), (0, 0, -1, 0)), ["f32[1, 3, 9, 9]"], "C0206"),
        (lambda: AvgPool((1, 1), (1, 1), (1, 1, 1, 1)), ["f32[1, 3, 9, 9]"], "C0208"),
        (lambda: Dense(3), ["f32[1, 3, 9, 9]"], "C0202"),
        (lambda: Add(), ["f32[2]", "f32[3]"], "C0204"),
        (lambda: Add(), ["f32[2]", "f16[2]"], "C0205"),
        (lambda: Add(), ["f32[2]"], "C0201"),
        (lambda: Concat(4), ["f32[1, 2]"], "C0209"),
        (lambda: Softmax(-3), ["f32[1, 2]"], "C0209"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_code(make: Any, types: list[str], code: str) -> None:
    parsed = [TensorType(t[: t.index("[")], tuple(int(n) for n in t[t.index("[") + 1 : -1].split(","))) for t in types]
    with pytest.raises(OpError) as caught:
        make().infer(parsed)
    assert caught.value.code == code


@pytest.mark.parametrize("body", ["clip(-5, 300)", "max(-5)", "min(300)", "mul(0.5)", "add(1e9)"])
def test_integer_layers_refuse_constants_that_do_not_fit(body: str) -> None:
    import cnnir

    with pytest.raises(cnnir.CnnirError) as caught:
        cnnir.parse(f"network n(x: u8[1, 1, 2, 2]) {{ x -> {body} }}")
    assert caught.value.diagnostics[0].code == "C0205"
    assert cnnir.parse("network n(x: u8[1, 1, 2, 2]) { x -> clip(5, 200) -> relu6 }")
