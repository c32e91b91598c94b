"""One network per side condition that must be refused because of it, and data on which the move would be wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnnir.ir.graph import Graph
from cnnir.ops import arithmetic, convert, piecewise, smooth
from cnnir.ops.activation import UserActivation
from cnnir.ops.convolution import Conv
from cnnir.ops.pooling import AdaptiveMaxPool, AvgPool, GlobalMaxPool, MaxPool, MinPool
from cnnir.ops.tensor import Softmax
from cnnir.passes.terms import Terms
from cnnir.scalar.expr import X, apply

from .builders import (
    AVERAGE,
    COUNTING,
    EXACT,
    STRICT,
    TWO,
    ULP,
    WINDOW,
    Spread,
    image,
    joined,
    joined_and_read,
    mixed_slopes,
    overflowing,
    places_used,
    pointwise,
    pointwise_read,
    pooled_and_read,
    pooled_twice,
    rounds_down,
    shown,
    used_twice,
    window,
    zeros,
)
from .networks import Array, chain


@dataclass(frozen=True)
class Case:
    """A network, the condition that refuses it, words of the reason, and data that show the move to be wrong."""

    condition: str
    words: str
    graph: Callable[[], Graph]
    data: Callable[[], Array]
    alone: bool = True
    """Whether no other condition refuses it."""
    law: str = "order"
    """Whose condition it is: of `order` (the laws about max and min pools), `region` (finding one), or a law by its name."""
    terms: Terms = EXACT
    """On what terms it is refused. Where `exactness` is `exact`, `ulp` must refuse it too, unless that is the condition."""


CASES: dict[str, Case] = {
    "softmax": Case(
        "elementwise", "`softmax` is not elementwise", lambda: chain(Softmax(), TWO, shape=WINDOW), window(1, 2, 3, 4), law="region"
    ),
    "other consumer": Case("private", "also read by `sigmoid`", used_twice, window(-1, 2, 3, 4), law="region"),
    "network output": Case("private", "an output of the network", shown, window(-1, 2, 3, 4), law="region"),
    "average": Case("comparing", "", lambda: chain(piecewise.Relu(), AVERAGE, shape=WINDOW), window(-1, 2, 3, 4)),
    "a start": Case(
        "identity start",
        "starts from 3",
        lambda: chain(arithmetic.Mul(2.0), MaxPool((2, 2), (2, 2), start=3.0), shape=WINDOW),
        window(-1, 1, 2, 0),
    ),
    "broadcast": Case("same shape", "turns", lambda: chain(Spread(), TWO, shape=(1, 12, 1, 2)), lambda: np.ones((1, 12, 1, 2), "float32")),
    "bias per element": Case(
        "fixed coefficients",
        "varies over the pooled axes",
        lambda: chain(arithmetic.Bias("element"), TWO, shape=WINDOW),
        window(1, 2, 3, 4),
    ),
    "dilation": Case(
        "full windows",
        "holds no real element",
        lambda: chain(piecewise.Relu(), MaxPool((2, 1), (1, 1), (1, 0, 1, 0), (3, 1)), shape=WINDOW),
        window(7, 8, 7, 8),
    ),
    "int8 negation": Case(
        "no wrapping",
        "may wrap around in i8",
        lambda: chain(arithmetic.Neg(), TWO, shape=WINDOW, dtype="i8"),
        window(-128, 5, 3, 1, dtype="int8"),
    ),
    "NaN first": Case(
        "finite data",
        "nothing proves it finite",
        lambda: chain(piecewise.Threshold(0.0), TWO, shape=WINDOW),
        window(np.nan, -1, 2, 3),
        terms=STRICT,
    ),
    "an infinity": Case(
        "finite data",
        "nothing proves it finite",
        lambda: chain(UserActivation("f", X * 0.0), TWO, shape=WINDOW),
        window(-np.inf, 1, 2, 3),
        terms=STRICT,
    ),
    "int8 product": Case(
        "no wrapping",
        "`mul` of `mul` may wrap around in i8, for data in [-20, 20]",
        lambda: chain(arithmetic.Mul(7.0), TWO, shape=WINDOW, dtype="i8", range=(-20, 20)),
        window(20, 1, -3, 2, dtype="int8"),
    ),
    "cast beyond the range": Case(
        "no wrapping",
        "`cast` cannot keep the order of every number in u8",
        lambda: chain(convert.Cast("u8"), TWO, shape=WINDOW, dtype="i32", range=(0, 300)),
        window(256, 1, 3, 2, dtype="int32"),
    ),
    "cast to truth values": Case(
        "comparable",
        "would have to pool the bool",
        lambda: chain(convert.Cast("bool"), convert.Cast("f32"), TWO, shape=WINDOW),
        window(-1, 0, 0, 0),
    ),
    "scales along the width": Case(
        "fixed coefficients",
        "the scale of `dequantize` varies over the pooled axes",
        lambda: chain(convert.Dequantize((0.5, 4.0), axis=3), TWO, shape=WINDOW, dtype="u8"),
        window(3, 1, 2, 0, dtype="uint8"),
    ),
    "quantized, then averaged": Case(
        "comparing",
        "",
        lambda: chain(convert.Dequantize(0.1), AvgPool((2, 2), (2, 2)), shape=WINDOW, dtype="u8"),
        window(3, 1, 2, 0, dtype="uint8"),
    ),
    "places of a pool": Case("elements alone", "the places that `maxpool_with_places` gives are used", places_used, window(-3, -1, -2, -7)),
    "overflow to NaN": Case(
        "no NaN", "NaN is possible", lambda: chain(UserActivation("f", X * 1e30 * 0.0), TWO, shape=WINDOW), window(-1e20, 1, 2, 3)
    ),
    "one channel's slope": Case("right direction", "slope of `prelu` is -0.41 in channel 7", mixed_slopes, window(-3, 1, 1, 1)),
    "cubic wave": Case(
        "right direction", "", lambda: chain(UserActivation("f", X * X * X - X), TWO, shape=WINDOW), window(-0.5, 0.5, 0, 0.25)
    ),
    "a valley's minimum": Case(
        "right direction", "turning", lambda: chain(piecewise.Abs(), MinPool((2, 2), (2, 2)), shape=WINDOW), window(-9, 1, 2, 4)
    ),
    "a peak's maximum": Case(
        "right direction",
        "",
        lambda: chain(UserActivation("f", apply("exp", -(X * X))), GlobalMaxPool(), shape=WINDOW),
        window(-9, 1, 2, 4),
        alone=False,
    ),
    "reciprocal": Case("right direction", "", lambda: chain(smooth.Reciprocal(), TWO, shape=WINDOW), window(-1, 1, 2, 4), alone=False),
    "threshold": Case(
        "right direction",
        "",
        lambda: chain(piecewise.Threshold(-1.0), MinPool((2, 2), (2, 2)), shape=WINDOW),
        window(-9, -0.5, -0.5, -0.5),
    ),
    "softsign": Case("exact enough", "class U", lambda: chain(smooth.Softsign(), TWO, shape=WINDOW), rounds_down),
    "sign of zero": Case(
        "zero sign",
        "tells -0 from +0",
        lambda: chain(arithmetic.Ceil(), TWO, smooth.Reciprocal(), shape=WINDOW),
        window(0, -0.5, -0.5, -0.5),
    ),
    "negation, max pool": Case(
        "averaging",
        "",
        lambda: chain(arithmetic.Neg(), TWO, shape=WINDOW, dtype="i8"),
        window(-128, 5, 3, 1, dtype="int8"),
        law="affine",
        terms=ULP,
    ),
    "broadcast average": Case(
        "same shape",
        "turns",
        lambda: chain(Spread(linear=True), AVERAGE, shape=(1, 12, 1, 2)),
        lambda: np.ones((1, 12, 1, 2), "float32"),
        law="affine",
        terms=ULP,
    ),
    "bias per element, average": Case(
        "fixed coefficients",
        "varies over the pooled axes",
        lambda: chain(arithmetic.Bias("element"), AVERAGE, shape=WINDOW),
        window(1, 2, 3, 4),
        law="affine",
        terms=ULP,
    ),
    "relu, average": Case(
        "affine", "not affine", lambda: chain(piecewise.Relu(), AVERAGE, shape=WINDOW), window(-1, 2, 3, 4), law="affine", terms=ULP
    ),
    "counted padding": Case(
        "counted elements",
        "counts padding",
        lambda: chain(arithmetic.Add(1.0), COUNTING, shape=WINDOW),
        window(1, 2, 3, 4),
        law="affine",
        terms=ULP,
    ),
    "average of what overflows": Case(
        "no overflow",
        "may overflow",
        lambda: chain(arithmetic.Mul(4.0), AVERAGE, shape=WINDOW, range=(-3e38, 3e38)),
        window(3e38, -3e38, 3e38, -3e38),
        law="affine",
        terms=STRICT,
    ),
    "rounding": Case(
        "exact enough", "class U", lambda: chain(arithmetic.Mul(0.1), AVERAGE, shape=WINDOW), window(1, 0.3, 7, 0.9), law="affine"
    ),
    "1 x 1, max pool": Case("averaging", "", lambda: pointwise(Conv(4, (1, 1)), TWO), image(1, -2, 3, 0.5, -1), law="pointwise", terms=ULP),
    "3 x 3, average": Case(
        "single places",
        "",
        lambda: pointwise(Conv(4, (3, 3), pad=(1, 1, 1, 1)), AVERAGE),
        image(1, -2, 3, 0.5, -1),
        law="pointwise",
        terms=ULP,
    ),
    "1 x 1, read twice": Case("private", "also read by `sigmoid`", pointwise_read, image(1, -2, 3, 0.5, -1), law="pointwise", terms=ULP),
    "1 x 1, counted padding": Case(
        "counted elements", "counts padding", lambda: pointwise(Conv(4, (1, 1)), COUNTING), image(1, 2, 3, 0.5), law="pointwise", terms=ULP
    ),
    "1 x 1, overflow": Case("no overflow", "may overflow", overflowing, image(3e38, -3e38), law="pointwise", terms=STRICT),
    "1 x 1, rounding": Case(
        "exact enough", "class U", lambda: pointwise(Conv(4, (1, 1)), AVERAGE), image(1, -2, 3, 0.5, -1), law="pointwise"
    ),
    "1 x 1, an infinite weight": Case(
        "finite weights",
        "is not finite",
        lambda: chain(Conv(4, (1, 1)), AVERAGE, shape=(1, 4, 4, 4), weights={"weight": np.full((), np.inf)}),
        image(-1, 9, 9, 9, 9),
        law="pointwise",
        terms=ULP,
    ),
    "max, then min": Case(
        "alike", "not `maxpool` and `minpool`", lambda: pooled_twice(MinPool((2, 2), (2, 2))), image(1, -2, 3, 0.5, -1), law="cascade"
    ),
    "two pools, read between": Case("private", "also read by `sigmoid`", pooled_and_read, image(1, 2, 3, 0.5), law="cascade"),
    "dropped element": Case(
        "same windows",
        "`maxpool` leaves it out",
        lambda: chain(MaxPool((3, 3), (2, 2)), MaxPool((3, 3), (4, 4), (0, 0, 1, 1)), shape=(1, 4, 14, 14)),
        lambda: np.arange(784, dtype=np.float32).reshape(1, 4, 14, 14),
        law="cascade",
    ),
    "elements between windows": Case(
        "same windows",
        "`maxpool` leaves it out",
        lambda: chain(MaxPool((3, 3), (4, 4)), MaxPool((2, 2), (4, 4)), shape=(1, 4, 15, 15)),
        lambda: np.eye(15, dtype=np.float32)[None, None] * (np.arange(15) == 3).astype(np.float32) + np.zeros((1, 4, 1, 1), np.float32),
        law="cascade",
    ),
    "two pools, adaptive": Case(
        "same windows", "are adaptive", lambda: pooled_twice(AdaptiveMaxPool((2, 2)), size=6), image(1, 2, 3, 0.5), law="cascade"
    ),
    "two pools, zeros": Case("zero sign", "tells -0 from +0", lambda: pooled_twice(TWO, smooth.Reciprocal()), zeros, law="cascade"),
    "relu, global pool": Case(
        "can start",
        "no number to start from",
        lambda: chain(piecewise.Relu(), GlobalMaxPool(), shape=WINDOW),
        window(-1, -2, -3, -4),
        law="absorb",
    ),
    "relu, places": Case(
        "elements alone", "the places that `maxpool_with_places` gives are used", places_used, window(-3, -1, -2, -7), law="absorb"
    ),
    "relu, a start": Case(
        "identity start",
        "starts from 3",
        lambda: chain(piecewise.Relu(), MaxPool((2, 2), (2, 2), start=3.0), shape=WINDOW),
        window(-1, 1, 2, 0),
        law="absorb",
    ),
    "relu, broadcast": Case(
        "same shape", "turns", lambda: chain(Spread(), TWO, shape=(1, 12, 1, 2)), lambda: np.ones((1, 12, 1, 2), "float32"), law="absorb"
    ),
    "relu, dilation": Case(
        "full windows",
        "holds no real element",
        lambda: chain(piecewise.Relu(), MaxPool((2, 1), (1, 1), (1, 0, 1, 0), (3, 1)), shape=WINDOW),
        window(7, 8, 7, 8),
        law="absorb",
    ),
    "NaN to zero": Case(
        "finite data",
        "nothing proves it finite",
        lambda: chain(UserActivation("f", apply("select", X, 0, X, 0)), TWO, shape=WINDOW),
        window(np.nan, -1, 2, 3),
        law="absorb",
        terms=STRICT,
    ),
    "leaky": Case("clamp", "is not x itself", lambda: chain(piecewise.Leaky(0.5), TWO, shape=WINDOW), window(-4, -1, -2, -3), law="absorb"),
    "max with -0": Case(
        "zero sign",
        "tells -0 from +0",
        lambda: chain(UserActivation("f", apply("select", -0.0, X, -0.0, X)), TWO, smooth.Reciprocal(), shape=WINDOW),
        window(0, -1, -2, -3),
        law="absorb",
    ),
    "joined across": Case("channel axis", "across the seam", lambda: joined(3), lambda: np.ones((1, 12, 2, 1), "float32"), law="concat"),
    "joined and read": Case("private", "also read by `sigmoid`", joined_and_read, window(-1, 2, 3, 4), law="concat"),
}
