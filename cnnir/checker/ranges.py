"""Ranges of the values of a network, by the checker's own arithmetic: the few rules that sites need, everything finite elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from cnnir.ir.graph import Graph, Layer, Value
from cnnir.ops.convolution import Conv
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.pooling import Pooling
from cnnir.ops.tensor import Concat, Input
from cnnir.scalar.expr import Const, Expr, Param, Var
from cnnir.scalar.primitives import Primitive
from cnnir.scalar.typed import fold_typed
from cnnir.types import TensorType, numpy_dtype

from . import spans
from .floats import format_of
from .spans import Span
from .windows import empty_window, kind_of, start_of

Array = np.ndarray[Any, Any]
Ends = tuple[float, float]
PIECES = 512
SPREAD = 16
"""Unit roundoffs a term that a convolution may lose: plain sums lose one, fast algorithms some more."""


def limits(t: TensorType) -> Ends:
    """Every finite number of a type."""
    if t.is_float:
        most = format_of(t.dtype).max
        return -most, most
    if t.is_whole and t.dtype != "bool":
        ends = np.iinfo(t.numpy)
        return float(ends.min), float(ends.max)
    return (0.0, 1.0) if t.dtype == "bool" else (-np.inf, np.inf)


class Ranges:
    """Value -> ends that its elements lie between, as long as they are finite."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._known: dict[Value, Ends] = {}
        self._positive_zeros: set[str] = set()
        """Layers that give no -0, whatever they read: squares, for one."""

    def may_be_minus_zero(self, value: Value) -> bool:
        """Whether nothing shows that the elements of a value are no -0."""
        _ = self[value]
        return value.layer not in self._positive_zeros

    def __getitem__(self, value: Value) -> Ends:
        stack = [value]
        while stack:
            current = stack[-1]
            waiting = [v for v in self._graph.data(current.layer) if v not in self._known]
            if current in self._known or not waiting:
                stack.pop()
                self._known.setdefault(current, self._transfer(current)) if not waiting else None
            else:
                stack.extend(waiting)
        return self._known[value]

    def _transfer(self, value: Value) -> Ends:
        layer, t = self._graph[value.layer], self._graph.type(value)
        least, most = limits(t)
        lo, hi = self._ends(layer, value.slot, [self._known[v] for v in self._graph.data(layer.name)]) or (least, most)
        return max(lo, least), min(hi, most)

    def _ends(self, layer: Layer, slot: int, inputs: list[Ends]) -> Ends | None:
        op = layer.op
        if isinstance(op, Input):
            return op.range and _rounded(op.range, layer.type)
        if isinstance(op, Pooling):
            return self._pooled(layer, op, inputs[0]) if slot == 0 else None  # what is beside elements are their places
        if isinstance(op, Concat) or op.keeps_elements:
            return min(lo for lo, _ in inputs), max(hi for _, hi in inputs)
        if isinstance(op, Conv):
            return self._summed(layer, op, inputs[0])
        return self._computed(layer, op, inputs) if isinstance(op, Elementwise) else None

    def _pooled(self, layer: Layer, op: Pooling, data: Ends) -> Ends | None:
        """Elements, what the pool starts from, or means of elements; nothing is known of other kinds."""
        kind = kind_of(op)
        if kind == "other":
            return None
        begin = start_of(op)
        start, _ = _rounded((begin, begin), layer.type)
        if kind != "avg":
            (source,) = self._graph.data(layer.name)
            shown = np.isfinite(start) or empty_window(op, self._graph.type(source)) is not None
            return (min(data[0], start), max(data[1], start)) if shown else data
        size = max(abs(data[0]), abs(data[1]))
        slack = size * 64 * format_of(layer.type.dtype).unit * max(1.0, np.log2(layer.type.elements + 2))
        return min(data[0], 0.0) - slack, max(data[1], 0.0) + slack

    def _summed(self, layer: Layer, op: Conv, data: Ends) -> Ends | None:
        weights = self._graph.parameters(layer.name)
        rows = np.asarray(weights["weight"], np.float64).reshape(op.out, -1)
        bias = np.asarray(weights.get("bias", np.zeros(op.out)), np.float64)
        lo, hi = (min(data[0], 0.0), max(data[1], 0.0)) if any(op.pad) else data
        with np.errstate(all="ignore"):
            ends = np.stack([rows * lo, rows * hi])
            low, high = ends.min(axis=0).sum(axis=1) + bias, ends.max(axis=0).sum(axis=1) + bias
            size = np.abs(ends).max(axis=0).sum(axis=1) + np.abs(bias)
            slack = size * rows.shape[1] * SPREAD * format_of(layer.type.dtype).unit
            found = float((low - slack).min()), float((high + slack).max())
        return found if np.isfinite(size).all() else None

    def _computed(self, layer: Layer, op: Elementwise, inputs: list[Ends]) -> Ends | None:
        types = [self._graph.type(v) for v in self._graph.data(layer.name)]
        single = len(inputs) == 1 and np.isfinite(inputs[0]).all()
        ends = [_pieces(*inputs[0], types[0])] if single else [(np.full(1, lo), np.full(1, hi)) for lo, hi in inputs]
        shape = ends[0][0].shape
        read: Mapping[str, Array] = op.coefficients(self._graph.parameters(layer.name)) if layer.weights else {}
        numbers = {**read, **op.written(types[0])}

        def leaf(expr: Expr, dtype: str) -> Span:
            if isinstance(expr, Var):
                return replace(
                    spans.between(0.0, 0.0, shape), lo=ends[expr.index][0], hi=ends[expr.index][1], minus_zero=np.ones(shape, bool)
                )
            if isinstance(expr, Param):
                values = np.asarray(numbers[expr.role]).astype(np.float64)
                return spans.between(float(values.min()), float(values.max()), shape)
            assert isinstance(expr, Const)
            with np.errstate(all="ignore"):
                return spans.number(np.asarray(expr.value).astype(numpy_dtype(dtype)), shape)

        def node(primitive: Primitive, args: Any, dtype: str) -> Span:
            return spans.step(primitive, args, dtype)

        found = fold_typed(op.formula(), [t.dtype for t in types], leaf, node).value
        if not bool(found.minus_zero.any() or found.nan.any()):
            self._positive_zeros.add(layer.name)
        return None if bool(found.nan.any()) else (float(found.lo.min()), float(found.hi.max()))


def _pieces(lo: float, hi: float, t: TensorType) -> tuple[Array, Array]:
    """A range cut in pieces, whose ends are numbers of the type: an interval says less of a wide piece."""
    with np.errstate(all="ignore"):
        cuts = np.unique([lo, hi])
        if t.is_float and np.isfinite(hi - lo):
            inner = np.linspace(lo, hi, PIECES + 1).astype(t.numpy).astype(np.float64)
            cuts = np.unique(np.concatenate([cuts, np.clip(inner, lo, hi)]))
    return (cuts[:-1], cuts[1:]) if len(cuts) > 1 else (cuts, cuts)


def _rounded(ends: Ends, t: TensorType) -> Ends:
    if not t.is_float:
        return ends
    with np.errstate(over="ignore"):  # beyond every number of the type it is infinite
        rounded = np.asarray(ends, np.float64).astype(t.numpy).astype(np.float64)
    return float(rounded[0]), float(rounded[1])
