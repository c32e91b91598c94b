"""Shape ops and resizing against indexing written out, and against numbers worked by hand."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import cnnir
from cnnir.diagnostics import OpError
from cnnir.ops.base import Op
from cnnir.ops.border import Pad
from cnnir.ops.piecewise import Relu
from cnnir.ops.rearrange import Gather
from cnnir.ops.resize import Resize
from cnnir.ops.shape import Reshape, Slice, Split, Squeeze, Transpose, Unsqueeze
from cnnir.types import TensorType

Array = np.ndarray[Any, Any]
X = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)


def run(op: Op, x: Array) -> tuple[Array, ...]:
    declared = op.infer([TensorType("f32", x.shape)])
    found = op.evaluate([x], {})
    assert [a.shape for a in found] == [t.shape for t in declared]
    assert all(a.dtype == np.float32 for a in found)
    return found


def test_reshapes_keep_the_order_of_elements() -> None:
    for op, shape in {
        Reshape((2, -1)): (2, 60), Reshape((-1,)): (120,), Reshape((5, 4, 3, 2)): (5, 4, 3, 2),
        Unsqueeze((0, -1)): (1, 2, 3, 4, 5, 1), Unsqueeze((2,)): (2, 3, 1, 4, 5),
    }.items():  # fmt: skip
        (found,) = run(op, X)
        assert found.shape == shape and found.ravel().tolist() == X.ravel().tolist()
    assert Squeeze((0, -1)).infer([TensorType("f32", (1, 3, 1))]) == (TensorType("f32", (3,)),)
    assert Squeeze().infer([TensorType("f32", (1, 3, 1))]) == (TensorType("f32", (3,)),)


@pytest.mark.parametrize("op", [Transpose(), Relu()])
def test_a_scalar_stays_one(op: Op) -> None:
    (found,) = op.evaluate([np.asarray(2.0, np.float32)], {})
    assert found.shape == ()


def test_transpose_moves_axes() -> None:
    (found,) = run(Transpose((0, 2, 3, 1)), X)
    assert all(found[n, h, w, c] == X[n, c, h, w] for n, c, h, w in np.ndindex(*X.shape))
    (turned,) = run(Transpose(), X)
    assert turned[4, 3, 2, 1] == X[1, 2, 3, 4]


def test_slices_are_pythons() -> None:
    (found,) = run(Slice((1, -1), (9, -100), (2, 3), (2, -3)), X)
    assert found.tolist() == X[:, :, 1:9:2, -1:-100:-3].tolist()
    (front,) = run(Slice((1,), (2,)), X)
    assert front.tolist() == X[1:2].tolist()


@pytest.mark.parametrize(("op", "edges"), [(Split(2, 2), [0, 2, 4]), (Split((1, 3), 2), [0, 1, 4]), (Split(3), [0, 1, 2, 3])])
def test_split_cuts_at_its_edges(op: Split, edges: list[int]) -> None:
    found = run(op, X)
    assert len(found) == len(edges) - 1
    for slot, part in enumerate(found):
        expected = X.take(range(edges[slot], edges[slot + 1]), axis=op.axis)
        assert part.tolist() == expected.tolist()
        (alone,) = run(op.alone(slot, [TensorType("f32", X.shape)]), X)
        assert alone.tolist() == expected.tolist()


def test_pads() -> None:
    row = np.array([[1, 2, 3]], np.float32)
    assert run(Pad((2,), (1,), -1.0), row)[0].tolist() == [[-1, -1, 1, 2, 3, -1]]
    assert run(Pad((2,), mode="edge"), row)[0].tolist() == [[1, 1, 1, 2, 3, 3, 3]]
    assert run(Pad((2,), (1,), mode="reflect"), row)[0].tolist() == [[3, 2, 1, 2, 3, 2]]
    (spatial,) = run(Pad(1), X)
    assert spatial.shape == (2, 3, 6, 7) and spatial[:, :, 1:-1, 1:-1].tolist() == X.tolist() and spatial.sum() == X.sum()


def by_hand(x: list[float], length: int, scale: float, mode: str, grid: str, rounding: str) -> list[float]:
    """One axis, after the formulas of ONNX's Resize."""
    n, found = len(x), list[float]()
    for o in range(length):
        if grid == "align_corners":
            place = o * (n - 1) / (length - 1) if length > 1 else 0.0
        else:
            place = o / scale if grid == "asymmetric" else (o + 0.5) / scale - 0.5
        if mode == "linear":
            inside = min(max(place, 0), n - 1)
            low = math.floor(inside)
            found.append(x[low] + (x[min(low + 1, n - 1)] - x[low]) * (inside - low))
            continue
        half = place % 1 == 0.5
        near = {"floor": math.floor(place), "ceil": math.ceil(place)}.get(rounding)
        if near is None:
            near = (math.floor(place) if rounding == "prefer_floor" else math.ceil(place)) if half else round(place)
        found.append(x[min(max(near, 0), n - 1)])
    return found


GRIDS = ("half_pixel", "asymmetric", "align_corners")


@pytest.mark.parametrize(("mode", "grid", "rounding"), [("linear", g, "floor") for g in GRIDS]
    + list(itertools.product(["nearest"], GRIDS, ["prefer_floor", "prefer_ceil", "floor", "ceil"])))  # fmt: skip
def test_resize_follows_onnx_on_every_axis(mode: Any, grid: Any, rounding: Any) -> None:
    x = np.array([3, 1, 4, 1, 5], np.float32)
    for length, scale in ((10, 2.0), (3, 0.6), (7, 1.4), (1, 0.2)):
        (found,) = run(Resize(None, length, mode, grid, rounding), x[None, None])
        np.testing.assert_allclose(found[0, 0], by_hand(x.tolist(), length, length / 5, mode, grid, rounding), rtol=1e-6)
        (scaled,) = run(Resize(scale, None, mode, grid, rounding), x[None, None])
        np.testing.assert_allclose(scaled[0, 0], by_hand(x.tolist(), len(scaled[0, 0]), scale, mode, grid, rounding), rtol=1e-6)


def test_linear_resize_is_a_product_of_axes() -> None:
    (found,) = run(Resize(None, (8, 3), "linear"), X)
    rows = np.apply_along_axis(lambda r: np.array(by_hand(r.tolist(), 3, 3 / 5, "linear", "half_pixel", "")), 3, X)
    both = np.apply_along_axis(lambda r: np.array(by_hand(r.tolist(), 8, 2.0, "linear", "half_pixel", "")), 2, rows)
    np.testing.assert_allclose(found, both, rtol=1e-6)


@pytest.mark.parametrize(("make", "code"), [
    (lambda: Reshape((7, -1)), "C0204"), (lambda: Reshape((3, 3)), "C0204"), (lambda: Reshape((-1, -1)), "C0206"),
    (lambda: Transpose((0, 1)), "C0209"), (lambda: Transpose((0, 1, 2, 9)), "C0209"), (lambda: Squeeze((0,)), "C0204"),
    (lambda: Slice((3,), (3,)), "C0206"), (lambda: Slice((1, 2), (3,)), "C0206"), (lambda: Slice((0,), (1,), (9,)), "C0209"),
    (lambda: Split(2), "C0204"), (lambda: Split((1, 1)), "C0204"), (lambda: Split(0), "C0206"), (lambda: Pad(-1), "C0206"),
    (lambda: Pad((1,) * 5), "C0202"), (lambda: Pad(4, mode="reflect"), "C0203"), (lambda: Resize(), "C0213"),
    (lambda: Resize(0.1), "C0206"), (lambda: Resize((1.0,)), "C0202"), (lambda: Unsqueeze((0, 0)), "C0209"),
    (lambda: Gather((), 1), "C0206"),  # no tensor is empty: a mean of none is no number
])  # fmt: skip
def test_what_does_not_fit_is_refused_with_a_code(make: Any, code: str) -> None:
    with pytest.raises(OpError) as caught:
        make().infer([TensorType("f32", X.shape)])
    assert caught.value.code == code


def test_a_border_is_of_the_inputs_type() -> None:
    for dtype, value, sound in (("u8", 255.0, True), ("u8", -1.0, False), ("i8", 0.5, False), ("bool", 1.0, True), ("bool", 2.0, False)):
        if sound:
            assert Pad((1,), value=value).infer([TensorType(dtype, (1, 2))]) == (TensorType(dtype, (1, 4)),)
            continue
        with pytest.raises(OpError, match="is not one of"):
            Pad((1,), value=value).infer([TensorType(dtype, (1, 2))])


def test_tensors_have_as_many_axes_as_numpy_allows() -> None:
    graph = cnnir.parse("network n(x: f32[2]) { x -> [unsqueeze(0)]*63 -> relu -> add(1) }")
    assert cnnir.evaluate(graph, {"x": np.ones(2, np.float32)})["output"].shape == (1,) * 63 + (2,)
    with pytest.raises(cnnir.CnnirError) as caught:
        cnnir.parse("network n(x: f32[2]) { x -> [unsqueeze(0)]*64 }")
    assert caught.value.diagnostics[0].code == "C0210"


def test_a_resize_beyond_every_number_is_refused() -> None:
    with pytest.raises(cnnir.CnnirError) as caught:
        cnnir.parse("network n(x: f32[1, 1, 4, 4]) { x -> resize(1e308) }")
    assert caught.value.diagnostics[0].code == "C0210"
