"""Certificates about averages: that the region is a x + b, or the convolution reads single places, and the bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cnnir.ops.convolution import Conv
from cnnir.ops.pooling import Pooling
from cnnir.scalar.expr import Const, Expr, Param, Var, fold
from cnnir.scalar.primitives import Primitive
from cnnir.types import TensorType

from .conditions import Place, comparing, counted, data_range, full_windows, private
from .floats import Format, format_of
from .function import Function
from .report import Check, confirmed, refuted, unconfirmed
from .windows import largest_window

Array = np.ndarray[Any, Any]
Line = tuple[Array, Array]
"""a and b of a x + b, a number a channel."""


def affine(place: Place) -> Iterator[Check]:
    """Everything about a move by the law affine."""
    yield private(place)
    yield comparing(place)
    yield full_windows(place)
    yield data_range(place)
    line = line_of(place.function)
    if line is None:
        yield _bent(place.function, place.certificate.records[0].data)
        return
    yield confirmed("affine")
    yield counted(place, bool(np.any(line[1] != 0)))
    if place.certificate.float_class == "E":
        itself = isinstance(place.function.formula, Var)
        yield confirmed("float class") if itself else unconfirmed("float class", "exact only for x itself")
        return
    yield _bound(place, affine_error(place.function, line, place.pool, place.function.data, place.certificate.records[0].data))


def _bent(function: Function, ends: tuple[float, float]) -> Check:
    """Whether points of its range show that a function is no line; where not, nothing is known of it."""
    points = np.linspace(max(ends[0], -2.0), min(ends[1], 2.0), 5) if ends[0] < 2 and ends[1] > -2 else np.linspace(*ends, 5)
    points = points.astype(function.data.numpy)
    values = function.at(points, 0)
    steps = np.diff(values)
    if np.isfinite(steps).all() and np.ptp(steps) > 1e-2 * max(1.0, float(np.abs(values).max())):
        return refuted("affine", f"f({points[0]:.6g}..{points[-1]:.6g}) is {', '.join(f'{v:.6g}' for v in values)}")
    return unconfirmed("affine", "the formula is no sum of multiples of x")


def line_of(function: Function) -> Line | None:
    """The function as a x + b, where sums, and products and quotients with numbers, show it to be one.

    Numbers are computed in the dtype of the data, as the code does: a floor may be another in float64.
    """
    kind = function.data.numpy

    def leaf(expr: Expr) -> Line | None:
        if isinstance(expr, Var):
            return np.ones(1), np.zeros(1)
        value = (
            function.coefficients[expr.role] if isinstance(expr, Param) else np.asarray(expr.value if isinstance(expr, Const) else np.nan)
        )
        return np.zeros(1), np.atleast_1d(value.astype(kind).astype(np.float64))

    def node(primitive: Primitive, args: Sequence[Line | None]) -> Line | None:
        known = [a for a in args if a is not None]
        if len(known) < len(args):
            return None
        if all(not np.any(a) for a, _ in known):
            return np.zeros(1), np.asarray(primitive.evaluate(*(b.astype(kind) for _, b in known)), np.float64)
        return _combined(primitive.name, known)

    with np.errstate(all="ignore"):
        return fold(function.formula, leaf, node)


def _combined(name: str, lines: Sequence[Line]) -> Line | None:
    (a, b), (c, d) = lines[0], lines[-1]
    if name in ("add", "sub"):
        sign = 1 if name == "add" else -1
        return a + sign * c, b + sign * d
    if name == "neg":
        return -a, -b
    if name == "mul" and not np.any(c):
        return a * d, b * d
    if name == "mul" and not np.any(a):
        return c * b, d * b
    return (a / d, b / d) if name == "div" and not np.any(c) else None


def affine_error(function: Function, line: Line, pool: Pooling, data: TensorType, ends: tuple[float, float]) -> float:
    """How far apart both orders can be: the region's error twice, and a sum's rounding on either side of it.

    Infinite, which confirms nothing, where the ends of a range of f64 leave the format.
    """
    of = format_of(data.dtype)
    rows = np.arange(function.rows)
    lo, hi = (np.full(len(rows), end).astype(of.dtype) for end in ends)
    _, slope = function.on(lo, hi, rows)
    with np.errstate(over="ignore"):
        reach = float((np.abs(line[0]) * max(abs(ends[0]), abs(ends[1])) + np.abs(line[1])).max())
    values = float(np.maximum(np.abs(slope.lo), np.abs(slope.hi)).max())
    terms = largest_window(pool, data) + 2
    return 2 * float(slope.error.max()) + _gamma(terms, of) * (values + reach) + 2 * terms * of.tiny


def pointwise_error(op: Conv, weights: Mapping[str, Array], pool: Pooling, data: TensorType, ends: tuple[float, float]) -> float:
    """The same of a convolution of single places."""
    rows = np.abs(np.asarray(weights["weight"], np.float64)).reshape(op.out, -1)
    of = format_of(data.dtype)
    bias = np.abs(np.asarray(weights.get("bias", 0.0), np.float64))
    with np.errstate(over="ignore"):
        reach = float((rows.sum(axis=1) * max(abs(ends[0]), abs(ends[1])) + bias).max())
    terms = largest_window(pool, data) + rows.shape[1] + 2
    return 2 * _gamma(terms, of) * reach + 2 * terms * of.tiny


def _gamma(terms: int, of: Format) -> float:
    spread = terms * of.unit
    return spread / (1 - spread) if spread < 1 else np.inf


def _bound(place: Place, own: float) -> Check:
    stated = place.certificate.bound
    if stated is None:
        return unconfirmed("bound", "the certificate states none")
    if own <= stated:
        return confirmed("bound", f"{own:.3g}, stated is {stated:.3g}")
    return unconfirmed("bound", f"stated is {stated:.3g}, and {own:.3g} is the best the checker can show")


def pointwise(place: Place) -> Iterator[Check]:
    """Everything about a move by the law pointwise."""
    (name,) = place.region
    op = place.graph[name].op
    yield private(place)
    yield comparing(place)
    if not isinstance(op, Conv) or set(op.kernel) != {1} or set(op.stride) != {1} or any(op.pad):
        yield refuted("single places", f"`{name}` does not read each place once")
        return
    yield confirmed("single places")
    yield data_range(place)
    weights = place.graph.parameters(name)
    bias = np.asarray(weights.get("bias", 0.0), np.float64)
    yield counted(place, bool(np.any(bias)))
    ends = place.certificate.records[0].data
    yield _bound(place, pointwise_error(op, weights, place.pool, place.graph.type(place.data), ends))


def concat(place: Place) -> Iterator[Check]:
    """Everything about a move by the law concat."""
    (name,) = place.region
    layer = place.graph[name]
    axis = layer.op.attributes().get("axis", 1) % layer.type.rank
    yield private(place)
    yield confirmed("axis") if axis <= 1 else refuted("axis", f"`{name}` joins along axis {axis}, which is pooled")
