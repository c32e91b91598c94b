"""Pools: sliding and global, of maxima with their places, of means and of powers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cnnir.ops.arithmetic import Add, Div, Modulo, Mul, Power, Sub
from cnnir.ops.piecewise import Abs
from cnnir.ops.pooling import AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool
from cnnir.ops.reduce import ReduceL1, ReduceL2, ReduceSum
from cnnir.ops.special_pools import LpPool, MaxPoolPlaces
from cnnir.types import TensorType

from ..context import Context
from ..node import Node, Operand
from ..problems import refuse
from ..registry import Unreadable, reads
from .windows import Window, window


def _window(node: Node, context: Context) -> Window:
    data = context.type(node.data())
    if node.ints("kernel_shape") is None:
        raise refuse("C0811", f"{node.title} has no `kernel_shape`", node.span)
    return window(node, data.spatial, node.ints("kernel_shape") or ())


@reads("MaxPool")
def max_pool(node: Node, context: Context) -> Operand | Sequence[Operand]:
    """MaxPool, with or without places."""
    w, data = _window(node, context), node.data()
    ceil = bool(node.int("ceil_mode"))
    if not node.wants(1):
        return context.emit(MaxPool(w.kernel, w.stride, w.pad, w.dilation, ceil), data)
    both = context.outputs(context.emit(MaxPoolPlaces(w.kernel, w.stride, w.pad, w.dilation, ceil), data))
    return [both[0], _through_tensor(node, context, both[1], context.type(data))]


def _through_tensor(node: Node, context: Context, places: Operand, data: TensorType) -> Operand:
    """Places in a map as ONNX counts them: through the whole tensor, or with the last axis slowest within a map."""
    if node.int("storage_order"):
        if len(data.spatial) != 2:
            raise Unreadable("places are counted by columns on other than two axes")
        rows, columns = data.spatial
        column = context.emit(Modulo(float(columns)), places)
        row = context.emit(Sub(), places, column)
        number = context.cast(context.emit(Div(float(columns)), context.cast(row, "f64")), "i64")  # exact below 2^53
        places = context.emit(Add(), context.emit(Mul(float(rows)), column), number)
    if math.prod(data.shape[:2]) == 1:
        return places
    starts = np.arange(math.prod(data.shape[:2]), dtype=np.int64) * math.prod(data.spatial)
    return context.emit(Add(), places, context.constant(starts.reshape(*data.shape[:2], *(1,) * len(data.spatial)), "starts"))


@reads("AveragePool")
def average_pool(node: Node, context: Context) -> Operand:
    """AveragePool."""
    w = _window(node, context)
    return context.emit(
        AvgPool(w.kernel, w.stride, w.pad, w.dilation, bool(node.int("ceil_mode")), bool(node.int("count_include_pad"))), node.data()
    )


@reads("LpPool")
def lp_pool(node: Node, context: Context) -> Operand:
    """LpPool."""
    w = _window(node, context)
    return context.emit(LpPool(w.kernel, w.stride, w.pad, w.dilation, bool(node.int("ceil_mode")), node.int("p", 2)), node.data())


@reads("GlobalMaxPool")
def global_max_pool(node: Node, context: Context) -> Operand:
    """GlobalMaxPool."""
    return context.emit(GlobalMaxPool(), node.data())


@reads("GlobalAveragePool")
def global_average_pool(node: Node, context: Context) -> Operand:
    """GlobalAveragePool."""
    return context.emit(GlobalAvgPool(), node.data())


@reads("GlobalLpPool")
def global_lp_pool(node: Node, context: Context) -> Operand:
    """GlobalLpPool: the norm of each map."""
    p, axes = node.int("p", 2), tuple(range(2, context.type(node.data()).rank))
    if p in (1, 2):
        return context.emit((ReduceL1, ReduceL2)[p - 1](axes), node.data())
    powers = context.emit(Power(float(p)), context.emit(Abs(), node.data()))
    return context.emit(Power(1 / p), context.emit(ReduceSum(axes), powers))
