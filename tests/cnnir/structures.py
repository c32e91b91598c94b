"""Hypothesis strategies for ops that a chain of float layers does not have: shapes, types, several outputs, opaque nodes."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from cnnir.ops.base import Op
from cnnir.ops.border import Pad
from cnnir.ops.constant import Constant
from cnnir.ops.conv_transpose import ConvTranspose
from cnnir.ops.convert import Cast, Dequantize, Quantize
from cnnir.ops.convolution import Conv
from cnnir.ops.opaque import Opaque
from cnnir.ops.pooling import AvgPool, MaxPool
from cnnir.ops.recurrent import Gru, Lstm
from cnnir.ops.resize import Resize
from cnnir.ops.shape import Reshape, Slice, Split, Squeeze, Transpose, Unsqueeze
from cnnir.types import DTYPES, TensorType

AXES = st.integers(-4, 4)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)


def types() -> st.SearchStrategy[TensorType]:
    """Small types of every dtype, rank 0 to 5."""
    return st.builds(TensorType, st.sampled_from(DTYPES), st.lists(st.integers(1, 5), max_size=5).map(tuple))


def _lists(element: st.SearchStrategy[Any], least: int = 0, most: int = 4) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(element, min_size=least, max_size=most).map(tuple)


def moves() -> st.SearchStrategy[Op]:
    """Ops that move elements."""
    one = st.integers(-9, 9)
    return st.one_of(
        st.builds(Reshape, st.sampled_from([(-1,), (1, -1), (4, -1), (2, 2, -1), (1, 4, 8, 8)])),
        st.builds(Transpose, st.sampled_from([(), (0, 1), (1, 0, 2), (0, 2, 3, 1), (-1, 0, 1, 2)])),
        st.builds(Squeeze, _lists(AXES, most=2)), st.builds(Unsqueeze, _lists(AXES, 1, 2)),
        st.builds(Slice, st.tuples(one), st.tuples(one), st.one_of(st.just(()), st.tuples(AXES)), st.sampled_from([(), (1,), (-2,)])),
        st.builds(Split, st.sampled_from([1, 2, 4, (1, 3), (3, 5), (4,)]), AXES),
        st.builds(Pad, st.integers(0, 2), st.none(), st.floats(-9, 9), st.sampled_from(["constant", "edge", "reflect"])),
        st.builds(Pad, _lists(st.integers(0, 2), 1), st.one_of(st.none(), _lists(st.integers(0, 2), 1)), st.floats(-9, 9)),
    )  # fmt: skip


def conversions() -> st.SearchStrategy[Op]:
    """Ops that change the element type."""
    scale, four = st.floats(1e-3, 9), (0.1, 0.2, 0.5, 1.0)
    return st.one_of(
        st.builds(Cast, st.sampled_from(DTYPES)),
        st.builds(Quantize, scale, st.integers(0, 99), AXES, st.sampled_from(["u8", "i8", "u16", "i16"])),
        st.builds(Quantize, st.just(four), st.sampled_from([0, (0, 1, 2, 3)])),
        st.builds(Dequantize, st.one_of(scale, st.just(four)), st.integers(0, 99), AXES, st.sampled_from(["f32", "f16", "f64", "bf16"])),
    )


@st.composite
def windows(draw: Any) -> Op:
    """Convolutions, transposed ones and pools over one to three axes."""
    axes = draw(st.integers(1, 3))

    def each(least: int, most: int, count: int = 1) -> tuple[int, ...]:
        return draw(_lists(st.integers(least, most), axes * count, axes * count))

    if draw(st.booleans()):
        return draw(st.sampled_from([MaxPool, AvgPool]))(each(1, 3), each(1, 3), (0,) * 2 * axes, (1,) * axes)
    groups, bias = draw(st.sampled_from([1, 2, 4])), draw(st.booleans())
    if draw(st.booleans()):
        return Conv(4, each(1, 3), each(1, 2), each(0, 1, 2), each(1, 2), groups, bias)
    return ConvTranspose(4, each(1, 3), each(1, 2), each(0, 1, 2), each(0, 1), each(1, 2), groups, bias)


def resizes() -> st.SearchStrategy[Op]:
    """Resizes by scale and by size."""
    mode, grid = st.sampled_from(["nearest", "linear"]), st.sampled_from(["half_pixel", "asymmetric", "align_corners"])
    rounding = st.sampled_from(["prefer_floor", "prefer_ceil", "floor", "ceil"])
    scale = st.one_of(st.floats(0.3, 2.5), _lists(st.floats(0.3, 2.5), 1, 3))
    size = st.one_of(st.integers(1, 9), _lists(st.integers(1, 9), 1, 3))
    return st.one_of(st.builds(Resize, scale, st.none(), mode, grid, rounding), st.builds(Resize, st.none(), size, mode, grid, rounding))


def opaques() -> st.SearchStrategy[Op]:
    """Opaque nodes with attributes of every kind."""
    plain = st.one_of(st.integers(-(2**63) + 1, 2**63 - 1), st.floats(allow_nan=False), WORDS, st.binary(max_size=2000), types())
    value = st.recursive(plain, lambda inner: _lists(inner), max_leaves=6)
    keys = st.one_of(st.sampled_from(["alpha", "outputs", "name", "in"]), WORDS)
    payload = st.dictionaries(keys, value, max_size=3).map(lambda found: tuple(found.items()))
    return st.builds(Opaque, st.sampled_from(["onnx.Loop", "aten", "a.b.C1"]), _lists(types(), 1, 3), payload)


def recurrent() -> st.SearchStrategy[Op]:
    """LSTM and GRU."""
    size, direction = st.integers(1, 3), st.sampled_from(["forward", "reverse", "bidirectional"])
    return st.one_of(
        st.builds(Lstm, size, direction, st.booleans(), st.booleans()), st.builds(Gru, size, direction, st.booleans(), st.booleans())
    )


def structures() -> st.SearchStrategy[Op]:
    """Any of them."""
    return st.one_of(moves(), conversions(), windows(), resizes(), opaques(), recurrent(), st.builds(Constant, types()))
