"""Reductions, and where the greatest or least element is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnir.ops import reduce
from cnnir.ops.arithmetic import Mul, Sub
from cnnir.ops.logic import Equal, Where
from cnnir.ops.piecewise import Abs
from cnnir.ops.reduce import ArgMax, ArgMin, CumSum, ReduceSum, Reduction
from cnnir.ops.shape import Slice
from cnnir.ops.smooth import primitive_op
from cnnir.types import numpy_dtype

from ..context import Context
from ..node import Node, Operand
from ..registry import Unreadable, reads
from .shape import axis_of

_REDUCTIONS: Mapping[str, type[Reduction]] = {
    "ReduceSum": reduce.ReduceSum, "ReduceMean": reduce.ReduceMean, "ReduceMax": reduce.ReduceMax, "ReduceMin": reduce.ReduceMin,
    "ReduceProd": reduce.ReduceProd, "ReduceL1": reduce.ReduceL1, "ReduceL2": reduce.ReduceL2, "ReduceLogSum": reduce.ReduceLogSum,
    "ReduceSumSquare": reduce.ReduceSumSquare, "ReduceLogSumExp": reduce.ReduceLogSumExp,
}  # fmt: skip


@reads(*_REDUCTIONS)
def reduction(node: Node, context: Context) -> Operand:
    """The Reduce family: axes are an attribute, and later an input; no axes are all, or none at all if so said."""
    since = 13 if node.op == "ReduceSum" else 18
    axes = context.optional_integers(1) if node.version >= since else node.ints("axes")
    if not axes and node.int("noop_with_empty_axes"):
        return _of_one(node, context)
    op, data = _REDUCTIONS[node.op](tuple(axes or ()), bool(node.int("keepdims", 1))), node.data()
    dtype = context.type(data).dtype
    if dtype == "bool":
        return context.cast(context.emit(op, context.cast(data, "u8")), "bool")
    if context.type(data).is_whole and op.floating:
        return _whole(context, op, data, dtype)
    return context.emit(op, data)


def _whole(context: Context, op: Reduction, data: Operand, dtype: str) -> Operand:
    """Whole numbers: sums stay whole, what needs a root or a quotient goes through float64."""
    if isinstance(op, reduce.ReduceL1):
        return context.emit(ReduceSum(op.axes, op.keepdims), context.emit(Abs(), data))
    if type(op) is reduce.ReduceSumSquare:
        return context.emit(ReduceSum(op.axes, op.keepdims), context.emit(Mul(), data, data))
    wide = context.emit(op, context.cast(data, "f64"))
    return context.cast(wide, dtype)


def _of_one(node: Node, context: Context) -> Operand:
    """What a reduction makes of each element by itself."""
    data = node.data()
    if node.op in ("ReduceL1", "ReduceL2"):
        return context.emit(Abs(), data)
    if node.op == "ReduceSumSquare":
        return context.emit(Mul(), data, data)
    return context.emit(primitive_op("log"), data) if node.op == "ReduceLogSum" else data


@reads("ArgMax", "ArgMin")
def position(node: Node, context: Context) -> Operand:
    """Of equal elements the first, or the last if so said."""
    data, op = context.type(node.data()), {"ArgMax": ArgMax, "ArgMin": ArgMin}[node.op]
    axis = axis_of(node, data.rank, 0)
    found = op(axis, bool(node.int("keepdims", 1)))
    if not node.int("select_last_index"):
        return context.emit(found, node.data())
    turned = context.emit(Slice((-1,), (-data.shape[axis] - 1,), (axis,), (-1,)), node.data())
    return context.emit(Sub(float(data.shape[axis] - 1), True), context.emit(found, turned))


@reads("CumSum")
def cumsum(node: Node, context: Context) -> Operand:
    """CumSum."""
    (axis,) = context.integers(1)
    return context.emit(CumSum(axis, bool(node.int("exclusive")), bool(node.int("reverse"))), node.data())


@reads("Hardmax")
def hardmax(node: Node, context: Context) -> Operand:
    """1 at the first greatest element of an axis, 0 elsewhere."""
    data = context.type(node.data())
    axis = axis_of(node, data.rank, -1 if node.version >= 13 else 1)
    if node.version < 13 and axis != data.rank - 1:
        raise Unreadable("it is over several axes")
    place = context.emit(ArgMax(axis), node.data())
    every = np.arange(data.shape[axis], dtype=np.int64).reshape(-1, *(1,) * (data.rank - 1 - axis))
    return context.cast(context.emit(Equal(), place, context.constant(every, "places")), data.dtype)


@reads("Trilu")
def trilu(node: Node, context: Context) -> Operand:
    """The upper or lower triangle, zeros elsewhere."""
    data = context.type(node.data())
    k = context.integers(1)[0] if node.input(1) is not None else 0
    rows, columns = data.shape[-2:]
    k = max(-rows - 1, min(columns + 1, k))
    mask = np.triu(np.ones((rows, columns), bool), k) if node.int("upper", 1) else np.tril(np.ones((rows, columns), bool), k)
    zero = context.constant(np.zeros((), numpy_dtype(data.dtype)), "zero")
    return context.emit(Where(), context.constant(mask, "mask"), node.data(), zero)
