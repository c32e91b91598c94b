"""Transposed convolution: by loops, and as the adjoint of convolution, over one, two and three axes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from cnnir.diagnostics import OpError
from cnnir.ops.conv_transpose import ConvTranspose
from cnnir.ops.convolution import Conv
from cnnir.types import TensorType

RNG = np.random.default_rng(3)
CASES: list[tuple[Any, ...]] = [  # sizes, kernel, stride, pad, output_pad, dilation, groups
    ((5,), (3,), (2,), (1, 0), (1,), (1,), 1),
    ((4, 3), (3, 2), (2, 3), (1, 0, 0, 1), (0, 1), (1, 2), 2),
    ((2, 3, 2), (2, 1, 3), (1, 2, 2), (0, 0, 1, 0, 0, 2), (0, 1, 0), (2, 1, 1), 2),
]


@pytest.mark.parametrize(("sizes", "kernel", "stride", "pad", "output_pad", "dilation", "groups"), CASES)
def test_every_element_spreads_the_kernel(
    sizes: Any, kernel: Any, stride: Any, pad: Any, output_pad: Any, dilation: Any, groups: int
) -> None:
    op = ConvTranspose(6, kernel, stride, pad, output_pad, dilation, groups)
    x = RNG.standard_normal((2, 4, *sizes)).astype(np.float32)
    w = RNG.standard_normal((4, 6 // groups, *kernel)).astype(np.float32)
    b = RNG.standard_normal(6).astype(np.float32)
    (t,) = op.infer([TensorType("f32", x.shape)])
    expected = np.broadcast_to(b.reshape(1, 6, *(1,) * len(sizes)), t.shape).astype(np.float64)
    for n, c, o in itertools.product(range(2), range(4), range(6 // groups)):
        for place, tap in itertools.product(np.ndindex(*sizes), np.ndindex(*kernel)):
            at = [p * s + k * d - begin for p, s, k, d, begin in zip(place, stride, tap, dilation, pad, strict=False)]
            if all(0 <= a < size for a, size in zip(at, t.spatial, strict=True)):
                channel = c // (4 // groups) * (6 // groups) + o
                expected[(n, channel, *at)] += float(x[(n, c, *place)]) * float(w[(c, o, *tap)])
    (found,) = op.evaluate([x], {"weight": w, "bias": b})
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("sizes", "kernel", "stride", "pad", "output_pad", "dilation", "groups"), CASES)
def test_it_is_the_adjoint_of_convolution(
    sizes: Any, kernel: Any, stride: Any, pad: Any, output_pad: Any, dilation: Any, groups: int
) -> None:
    back = ConvTranspose(6, kernel, stride, pad, output_pad, dilation, groups, bias=False)
    forth = Conv(4, kernel, stride, pad, dilation, groups, bias=False)
    y = RNG.standard_normal((2, 4, *sizes))
    (t,) = back.infer([TensorType("f64", y.shape)])
    x = RNG.standard_normal(t.shape)
    w = RNG.standard_normal((4, 6 // groups, *kernel))
    (spread,) = back.evaluate([y], {"weight": w})
    (gathered,) = forth.evaluate([x], {"weight": w})
    assert gathered.shape == y.shape
    assert float((spread * x).sum()) == pytest.approx(float((gathered * y).sum()), rel=1e-9)


def test_what_does_not_fit_is_refused() -> None:
    data = [TensorType("f32", (1, 4, 3))]
    for op, code in (
        (ConvTranspose(4, (3,), (1,), (9, 9), (0,), (1,)), "C0203"), (ConvTranspose(6, (3,), (1,), (0, 0), (0,), (1,), 4), "C0207"),
        (ConvTranspose(4, (3, 3)), "C0202"),
    ):  # fmt: skip
        with pytest.raises(OpError) as caught:
            op.infer(data)
        assert caught.value.code == code
