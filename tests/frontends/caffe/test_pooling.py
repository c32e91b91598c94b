"""Pools against Caffe's own loops (pooling_layer.cpp), written down plainly."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnir.diagnostics import CnnirError
from cnnir.ops.pooling import AvgPool, MaxPool

from .caffemodels import Array
from .networks import data, net, parse, refused, run

Pair = tuple[int, int]


def caffe_pool(x: Array, kind: str, kernel: Pair, stride: Pair, pad: Pair) -> Array | None:
    """PoolingLayer::Reshape and Forward_cpu; None where a window holds no element."""
    sizes: list[int] = []
    for n, k, s, p in zip(x.shape[2:], kernel, stride, pad, strict=True):
        count = math.ceil((n + 2 * p - k) / s) + 1
        if (pad[0] or pad[1]) and (count - 1) * s >= n + p:
            count -= 1
        sizes.append(count)
    result = np.zeros((*x.shape[:2], *sizes))
    for i, j in np.ndindex(*sizes):
        begin = [i * stride[0] - pad[0], j * stride[1] - pad[1]]
        end = [min(b + k, n + p) for b, k, n, p in zip(begin, kernel, x.shape[2:], pad, strict=True)]
        area = (end[0] - begin[0]) * (end[1] - begin[1])
        window = x[:, :, max(begin[0], 0) : min(end[0], x.shape[2]), max(begin[1], 0) : min(end[1], x.shape[3])]
        if not window.size:
            return None
        result[:, :, i, j] = window.max(axis=(2, 3)) if kind == "MAX" else window.sum(axis=(2, 3), dtype=np.float64) / area
    return result


@st.composite
def pools(draw: st.DrawFn) -> tuple[str, Pair, Pair, Pair, Pair]:
    def pair(least: int, most: int) -> Pair:
        return draw(st.integers(least, most)), draw(st.integers(least, most))

    size, kernel, stride = pair(1, 9), pair(1, 4), pair(1, 5)
    pad = tuple(draw(st.integers(0, k - 1)) for k in kernel)
    return draw(st.sampled_from(["MAX", "AVE"])), size, kernel, stride, (pad[0], pad[1])


@settings(deadline=None)
@given(pools())
def test_pools_are_caffes(case: tuple[str, Pair, Pair, Pair, Pair]) -> None:
    kind, size, kernel, stride, pad = case
    said = f"pool: {kind} kernel_h: {kernel[0]} kernel_w: {kernel[1]} stride_h: {stride[0]} stride_w: {stride[1]}"
    text = net(f'type: "Pooling" pooling_param {{ {said} pad_h: {pad[0]} pad_w: {pad[1]} }}', shape=(1, 2, *size))
    x = data(1, 2, *size)
    fits = all(n + 2 * p >= k for n, p, k in zip(size, pad, kernel, strict=True))
    wanted = caffe_pool(x, kind, kernel, stride, pad) if fits else None
    if wanted is None:
        with pytest.raises(CnnirError, match=r"C0203|C0208"):
            parse(text)
    else:
        assert np.array_equal(run(parse(text), x), wanted.astype(np.float32))


def test_a_pool_that_rounds_to_the_same_says_nothing_of_it() -> None:
    text = 'type: "Pooling" pooling_param { kernel_size: 2 stride: 2 }'
    even, odd = parse(net(text, shape=(1, 8, 8, 8))), parse(net(text, shape=(1, 8, 9, 9)))
    assert even["l1"].op == MaxPool((2, 2), (2, 2))
    assert odd["l1"].op == MaxPool((2, 2), (2, 2), ceil=True)
    assert parse(net(text[:-1] + "round_mode: FLOOR }"))["l1"].op == MaxPool((2, 2), (2, 2))
    assert parse(net(text[:-1] + "ceil_mode: false }"))["l1"].op == MaxPool((2, 2), (2, 2))


def test_averages_count_padding_only_where_there_is_some() -> None:
    text = 'type: "Pooling" pooling_param {{ pool: AVE kernel_size: 3 stride: 2 pad: {} }}'
    assert parse(net(text.format(0)))["l1"].op == AvgPool((3, 3), (2, 2))
    assert parse(net(text.format(1)))["l1"].op == AvgPool((3, 3), (2, 2), (1, 1, 1, 1), count_include_pad=True)


@pytest.mark.parametrize(("kind", "reduce"), [("MAX", np.max), ("AVE", np.mean)])
def test_global_pools(kind: str, reduce: Callable[..., Array]) -> None:
    x = data(1, 8, 9, 9)
    found = run(parse(net(f'type: "Pooling" pooling_param {{ pool: {kind} global_pooling: true }}')), x)
    assert np.allclose(found, reduce(x, axis=(2, 3), keepdims=True), atol=1e-7) and found.shape == (1, 8, 1, 1)


@pytest.mark.parametrize(("said", "code", "at"), [
    ("pool: STOCHASTIC kernel_size: 2", "C0844", "STOCHASTIC"),
    ("kernel_size: 2 pad: 2", "C0206", "2"),
    ("kernel_size: 0", "C0206", '"l1"'),
    ("kernel_size: 2 stride: 0", "C0206", '"l1"'),
    ("stride: 2", "C0842", '"l1"'),
    ("kernel_size: 2 kernel_h: 2 kernel_w: 2", "C0842", "2"),
    ("kernel_size: 10", "C0203", '"l1"'),
    ("kernel_size: 1 stride: 3", None, None),
    ("kernel_size: 1 stride: 5", "C0208", "5"),
])  # fmt: skip
def test_pools_that_are_refused(said: str, code: str | None, at: str | None) -> None:
    text = net(f'type: "Pooling" pooling_param {{ {said} }}', shape=(1, 8, 7, 7))
    if code is None:
        parse(text)
        return
    (diagnostic,) = refused(text)
    assert (diagnostic.code, diagnostic.labels[0].span.text) == (code, at)


def test_the_places_of_maxima_are_refused() -> None:
    (diagnostic,) = refused(net('type: "Pooling" top: "a" top: "mask" pooling_param { kernel_size: 2 }'))
    assert diagnostic.code == "C0844"
