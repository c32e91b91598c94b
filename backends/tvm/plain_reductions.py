"""Rules of `plain.compute` for reductions, products of matrices, and ops that repeat or pick elements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tvm import te, tirx, topi
from tvm.ir import Expr as PrimExpr

from cnnir.ops.base import Array
from cnnir.ops.matmul import MatMul
from cnnir.ops.pooling import start_value
from cnnir.ops.rearrange import Expand, Gather
from cnnir.ops.reduce import ArgMax, ArgMin, CumSum, ReduceMax, ReduceMin, ReduceProd, ReduceSum
from cnnir.ops.special_pools import PoolPlaces
from cnnir.ops.window import axis_pads
from cnnir.types import TensorType

from .plain import Tensors, Weights, compute, tables
from .scalar import literal


@compute.register
def _(op: ReduceSum, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    return topi.sum(data[0], op.over(types[0].rank), op.keepdims)


@compute.register
def _(op: ReduceProd, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    return topi.prod(data[0], op.over(types[0].rank), op.keepdims)


@compute.register
def _(op: ReduceMax, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    return topi.max(data[0], op.over(types[0].rank), op.keepdims)


@compute.register
def _(op: ReduceMin, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    return topi.min(data[0], op.over(types[0].rank), op.keepdims)


@compute.register
def _(op: ArgMax, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    return _wide(topi.argmax(data[0], op.axis % types[0].rank, op.keepdims))


@compute.register
def _(op: ArgMin, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    return _wide(topi.argmin(data[0], op.axis % types[0].rank, op.keepdims))


def _wide(places: te.Tensor) -> te.Tensor:
    return te.compute(places.shape, lambda *place: tirx.Cast("int64", places(*place)), name="place")


@compute.register
def _(op: PoolPlaces, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    """The greatest element with its place, of equal ones the first; padding has no place."""
    x, t, (out,) = data[0], types[0], op.infer(types)
    begins = [axis_pads(op.pad, i)[0] for i in range(len(op.kernel))]
    taps = [te.reduce_axis((0, k), f"tap{i}") for i, k in enumerate(op.kernel)]
    nowhere, least = tirx.const(1 << 62, "int64"), literal(start_value("max", t.numpy), str(t.numpy))

    def combine(a: Sequence[PrimExpr], b: Sequence[PrimExpr]) -> tuple[PrimExpr, PrimExpr]:
        first = tirx.any(a[1] > b[1], tirx.all(a[1] == b[1], a[0] < b[0]))
        return tirx.Select(first, a[0], b[0]), tirx.Select(first, a[1], b[1])

    greatest = te.comm_reducer(combine, lambda _place, _value: (nowhere, least), name="greatest")

    def at(n: PrimExpr, c: PrimExpr, *place: PrimExpr) -> object:
        where = [p * s + k * d - b for p, s, k, d, b in zip(place, op.stride, taps, op.dilation, begins, strict=True)]
        real = tirx.all(*(side for w, length in zip(where, t.spatial, strict=True) for side in (w >= 0, w < length)))
        flat = tirx.const(0, "int64")
        for w, length in zip(where, t.spatial, strict=True):
            flat = flat * length + tirx.Cast("int64", w)
        return greatest((tirx.if_then_else(real, flat, nowhere), tirx.if_then_else(real, x(n, c, *where), least)), axis=taps)

    places, _ = te.compute(out.shape, at, name="greatest")
    return te.compute(out.shape, lambda *p: tirx.Select(places(*p) == nowhere, tirx.const(-1, "int64"), places(*p)), name="place")


@tables.register
def _(op: PoolPlaces, types: Sequence[TensorType]) -> list[Array]:
    """Its windows are even, so that it needs none."""
    del op, types
    return []


@compute.register
def _(op: CumSum, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    """Every sum by itself: its work grows with the square of the axis."""
    x, t = data[0], types[0]
    axis = op.axis % t.rank
    other = te.reduce_axis((0, t.shape[axis]), "other")
    zero = tirx.const(0, str(t.numpy))

    def at(*place: PrimExpr) -> PrimExpr:
        here = place[axis]
        before, after = (here, other) if op.reverse else (other, here)
        counts = before < after if op.exclusive else before <= after
        return te.sum(tirx.if_then_else(counts, x(*place[:axis], other, *place[axis + 1 :]), zero), axis=other)

    return te.compute(t.shape, at, name="cumsum")


@compute.register
def _(op: MatMul, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    (a, b), (left, right), (out,) = data, (t.shape for t in types), op.infer(types)
    inner = te.reduce_axis((0, left[-1]), "inner")

    def batched(batch: Sequence[PrimExpr], shape: Sequence[int]) -> list[PrimExpr]:
        own = batch[max(0, len(batch) - len(shape) + 2) :]
        return [0 if n == 1 else p for p, n in zip(own, shape, strict=False)]

    def at(*place: PrimExpr) -> PrimExpr:
        rest = list(place)
        columns = [rest.pop()] if len(right) > 1 else []
        rows = [rest.pop()] if len(left) > 1 else []
        return te.sum(a(*batched(rest, left), *rows, inner) * b(*batched(rest, right), inner, *columns), axis=inner)

    return te.compute(out.shape, at, name="matmul")


@compute.register
def _(op: Expand, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    (out,) = op.infer(types)
    return topi.broadcast_to(data[0], out.shape)


@tables.register
def _(op: Gather, types: Sequence[TensorType]) -> list[Array]:
    """The indices, where they are written."""
    return [] if op.indices is None else [np.asarray(op.indices, np.int64)]


@compute.register
def _(op: Gather, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    x, indices = data[0], data[1] if op.indices is None else constants[0]
    axis, own, (out,) = op.axis % types[0].rank, len(indices.shape), op.infer(types)
    length = types[0].shape[axis]

    def at(*place: PrimExpr) -> PrimExpr:
        written = tirx.Cast("int64", indices(*place[axis : axis + own]))
        index = tirx.Select(written < 0, written + length, written)
        return x(*place[:axis], tirx.Max(tirx.Min(index, tirx.const(length - 1, "int64")), tirx.const(0, "int64")), *place[axis + own :])

    return te.compute(out.shape, at, name="gather")
