"""Resize and Upsample: our own layer where it has a name for what is asked, else each axis by its places or by a matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnir.ops.arithmetic import Add
from cnnir.ops.matmul import MatMul
from cnnir.ops.rearrange import Gather
from cnnir.ops.resize import Resize
from cnnir.ops.shape import Transpose
from cnnir.types import TensorType

from ..context import Context
from ..node import Array, Node, Operand
from ..problems import refuse
from ..registry import Unreadable, reads

LONGEST = 2**31 - 1
MATRIX = 1 << 24
_ROUNDINGS = {"round_prefer_floor": "prefer_floor", "round_prefer_ceil": "prefer_ceil", "floor": "floor", "ceil": "ceil"}


@dataclass(frozen=True)
class _Axis:
    """One axis: its length before and after, the scale, and the part of it that is looked at."""

    number: int
    before: int
    after: int
    scale: float
    start: float = 0.0
    end: float = 1.0


@dataclass(frozen=True)
class _How:
    """The attributes."""

    mode: str
    coordinates: str
    rounding: str
    cubic: float = -0.75
    antialias: bool = False
    exclude: bool = False
    outside: float = 0.0


@reads("Upsample")
def upsample(node: Node, context: Context) -> Operand:
    """Upsample: Resize as it was."""
    scales = node.floats("scales") if node.version < 9 else tuple(context.array(1).astype(float).tolist())
    return _resized(node, context, scales or (), None, _How(node.text("mode", "nearest"), "asymmetric", "floor"))


@reads("Resize")
def resize(node: Node, context: Context) -> Operand:
    """Resize."""
    if node.version < 11:
        return _resized(
            node, context, tuple(context.array(1).astype(float).tolist()), None, _How(node.text("mode", "nearest"), "asymmetric", "floor")
        )
    how = _How(
        node.text("mode", "nearest"), node.text("coordinate_transformation_mode", "half_pixel"),
        node.text("nearest_mode", "round_prefer_floor"),
        node.float("cubic_coeff_a", -0.75), bool(node.int("antialias")), bool(node.int("exclude_outside")),
        node.float("extrapolation_value"),
    )  # fmt: skip
    scales = tuple(context.array(2).astype(float).tolist()) if node.input(2) is not None else ()
    sizes = context.optional_integers(3)
    return _resized(node, context, scales, sizes, how)


def _resized(node: Node, context: Context, scales: tuple[float, ...], sizes: tuple[int, ...] | None, how: _How) -> Operand:
    data = context.type(node.data())
    if how.mode not in ("nearest", "linear", "bilinear", "cubic") or how.rounding not in _ROUNDINGS:
        raise refuse("C0811", f"{node.title} has the mode `{how.mode}`, `{how.rounding}`", node.span)
    axes = _axes(node, context, data, scales, sizes, how)
    changed = [a for a in axes if a.after != a.before or not math.isclose(a.scale, 1) or (a.start, a.end) != (0, 1)]
    own = _own(data, axes, sizes is not None, how)
    if own is not None and changed:
        return context.emit(own, node.data())
    value, dtype = node.data(), data.dtype
    if how.mode == "nearest":
        for axis in changed:
            value = context.emit(Gather(tuple(_nearest(axis, how)), axis.number), value)
        return value
    if changed and not data.is_float:
        value = context.cast(value, "f32")
    for axis in changed:
        value = _mixed(context, value, axis, how)
    return value if data.is_float or not changed else context.cast(value, dtype)


def _axes(
    node: Node, context: Context, data: TensorType, scales: tuple[float, ...], sizes: tuple[int, ...] | None, how: _How
) -> list[_Axis]:
    named = node.ints("axes")
    places = [a % data.rank for a in named] if named else list(range(data.rank))
    given = scales if sizes is None else sizes
    if len(given) != len(places):
        raise refuse("C0811", f"{node.title} has {len(given)} sizes or scales for {len(places)} axes", node.span)
    parts = [0.0] * len(places) + [1.0] * len(places)
    if how.coordinates == "tf_crop_and_resize":
        parts = context.array(1).astype(float).tolist()
    factors = [s / data.shape[p] for s, p in zip(given, places, strict=True)] if sizes is not None else list(scales)
    lengths = list(sizes) if sizes is not None else [math.floor(data.shape[p] * s) for p, s in zip(places, factors, strict=True)]
    policy = node.text("keep_aspect_ratio_policy", "stretch")
    if sizes is not None and policy != "stretch":
        factor = min(factors) if policy == "not_larger" else max(factors)
        factors, lengths = [factor] * len(places), [int(factor * data.shape[p] + 0.5) for p in places]
    if any(not 1 <= n <= LONGEST or not 0 < f < math.inf for n, f in zip(lengths, factors, strict=True)):
        raise refuse("C0206", f"{node.title} makes {lengths} of {list(data.shape)}", node.span)
    columns = zip(places, lengths, factors, parts[: len(places)], parts[len(places) :], strict=True)
    return [_Axis(p, data.shape[p], n, f, start, end) for p, n, f, start, end in columns]


def _own(data: TensorType, axes: Sequence[_Axis], by_size: bool, how: _How) -> Resize | None:
    """Our layer, if it means the same."""
    by_number = {a.number: a for a in axes}
    spatial = [by_number.get(i) or _Axis(i, data.shape[i], data.shape[i], 1.0) for i in range(2, data.rank)]
    still = all(a.after == a.before and a.scale == 1 for a in axes if a.number < 2)
    coordinates = "half_pixel" if how.coordinates == "pytorch_half_pixel" and all(a.after > 1 for a in axes) else how.coordinates
    linear = how.mode in ("linear", "bilinear") and data.is_float
    plain = (how.mode == "nearest" or linear) and not how.antialias and not how.exclude
    exact = not by_size or all(a.after / a.before == a.scale for a in axes)
    corners = coordinates != "align_corners" or all(a.before * a.scale == a.after for a in axes)
    if not (3 <= data.rank <= 5 and still and plain and exact and corners and coordinates in ("half_pixel", "asymmetric", "align_corners")):
        return None
    mode, rounding = ("linear" if linear else "nearest"), _ROUNDINGS[how.rounding]
    if by_size:
        return Resize(None, tuple(a.after for a in spatial), mode, coordinates, rounding)  # pyright: ignore[reportArgumentType] - words of these Literals
    return Resize(tuple(a.scale for a in spatial), None, mode, coordinates, rounding)  # pyright: ignore[reportArgumentType] - words of these Literals


def _coordinates(axis: _Axis, how: _How) -> Array:
    """Where each place of the result lies on the axis."""
    places, n = np.arange(axis.after, dtype=np.float64), axis.before
    length = axis.scale * n
    if how.coordinates == "align_corners":
        return places * 0 if length == 1 else places * (n - 1) / (length - 1)
    if how.coordinates == "asymmetric":
        return places / axis.scale
    if how.coordinates == "tf_crop_and_resize":
        part = (axis.end - axis.start) * (n - 1)
        return axis.start * (n - 1) + (places * 0 + part / 2 if length == 1 else places * part / (length - 1))
    if how.coordinates == "half_pixel_symmetric":
        return n / 2 * (1 - axis.after / length) + (places + 0.5) / axis.scale - 0.5
    if how.coordinates not in ("half_pixel", "pytorch_half_pixel"):
        raise Unreadable(f"coordinates are `{how.coordinates}`")
    return places * 0 - 0.5 if how.coordinates == "pytorch_half_pixel" and length == 1 else (places + 0.5) / axis.scale - 0.5


def _nearest(axis: _Axis, how: _How) -> list[int]:
    where = _coordinates(axis, how)
    if how.coordinates == "tf_crop_and_resize" and ((where < 0) | (where > axis.before - 1)).any():
        raise Unreadable("it looks beyond its data")
    rules = {"prefer_floor": np.ceil(where - 0.5), "prefer_ceil": np.floor(where + 0.5), "floor": np.floor(where), "ceil": np.ceil(where)}
    return [int(i) for i in np.clip(rules[_ROUNDINGS[how.rounding]], 0, axis.before - 1)]


def _mixed(context: Context, value: Operand, axis: _Axis, how: _How) -> Operand:
    """An axis times a matrix of weights."""
    t = context.type(value)
    if axis.before * axis.after > MATRIX:
        raise Unreadable("an axis is too long to interpolate by a matrix")
    matrix, constant = _matrix(axis, how)
    order = [i for i in range(t.rank) if i != axis.number] + [axis.number]
    last = axis.number == t.rank - 1
    moved = value if last else context.emit(Transpose(tuple(order)), value)
    made = context.emit(MatMul(), moved, context.constant(matrix.T.astype(t.numpy), f"matrix{axis.number}"))
    if constant.any():
        made = context.emit(Add(), made, context.constant(constant.astype(t.numpy), f"outside{axis.number}"))
    return made if last else context.emit(Transpose(tuple(np.argsort(order).tolist())), made)


def _matrix(axis: _Axis, how: _How) -> tuple[Array, Array]:
    """What each element of an axis counts in each of the result, and what stands where that lies outside."""
    matrix, where = np.zeros((axis.after, axis.before)), _coordinates(axis, how)
    constant = np.zeros(axis.after)
    for row, x in enumerate(where.tolist()):
        if how.coordinates == "tf_crop_and_resize" and not 0 <= x <= axis.before - 1:
            constant[row] = how.outside
            continue
        taps, weights = _taps(x, min(axis.scale, 1.0) if how.antialias else 1.0, how)
        if how.exclude:
            weights = np.where((taps >= 0) & (taps < axis.before), weights, 0.0)
            weights = weights / (weights.sum() or 1.0)
        np.add.at(matrix[row], np.clip(taps, 0, axis.before - 1), weights)
    return matrix, constant


def _taps(x: float, scale: float, how: _How) -> tuple[Array, Array]:
    """The neighbours of a place and their weights; a smaller scale widens the window."""
    reach = (2 if how.mode == "cubic" else 1) / scale
    first, last = math.ceil(x - reach), math.floor(x + reach)
    taps = np.arange(first, last + 1)
    distance = np.abs(taps - x) * scale
    weights = _cubic(distance, how.cubic) if how.mode == "cubic" else np.clip(1 - distance, 0, 1)
    return taps, weights / weights.sum() if how.antialias else weights


def _cubic(d: Array, a: float) -> Array:
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))
