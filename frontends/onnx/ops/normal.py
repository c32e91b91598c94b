"""Normalisation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cnnir.ops.arithmetic import Add, BatchNorm, Div, Dropout, Mul, Sub
from cnnir.ops.logic import Equal
from cnnir.ops.normal import GroupNorm, InstanceNorm, LayerNorm, LogSoftmax
from cnnir.ops.reduce import ReduceL1, ReduceL2, ReduceMean
from cnnir.ops.shape import Reshape
from cnnir.ops.smooth import primitive_op
from cnnir.ops.tensor import Lrn, Softmax

from ..context import Context
from ..node import Known, Node, Operand
from ..problems import refuse
from ..registry import Unreadable, reads
from .shape import axis_of


def _per_channel(node: Node, context: Context, slot: int, channels: int) -> Known:
    found, data = context.known(slot), context.type(node.data())
    if found.type.shape != (channels,):
        raise refuse("C0304", f"{node.title} has a weight of shape {list(found.type.shape)}, and needs {[channels]}", node.span)
    return found if found.type.dtype == data.dtype else found.turned(data.dtype, (channels,), lambda a: a, data.dtype)


@reads("BatchNormalization")
def batch_norm(node: Node, context: Context) -> Operand | Sequence[Operand]:
    """BatchNormalization: at inference a layer of its own, in training mode the statistics of the batch."""
    if not node.int("spatial", 1):
        raise Unreadable("it has one statistic for each place of a map")
    if node.int("training_mode"):
        return _trained(node, context)
    if any(node.wants(slot) for slot in range(1, len(node.outputs))):
        raise Unreadable("its statistics are asked for")
    channels = context.type(node.data()).channels
    scale, bias, mean, variance = (_per_channel(node, context, slot, channels) for slot in range(1, 5))
    return context.emit(BatchNorm(node.float("epsilon", 1e-5)), node.data(), scale=scale, bias=bias, mean=mean, variance=variance)


def _trained(node: Node, context: Context) -> Sequence[Operand]:
    """The data normalised by their own statistics, and these mixed into the ones that are given."""
    data, momentum = context.type(node.data()), node.float("momentum", 0.9)
    axes, column = (0, *range(2, data.rank)), (data.channels, *(1,) * (data.rank - 2))
    apart = context.emit(Sub(), node.data(), context.emit(ReduceMean(axes), node.data()))
    spread = context.emit(ReduceMean(axes), context.emit(primitive_op("square"), apart))
    normal = context.emit(Div(), apart, context.emit(primitive_op("sqrt"), context.emit(Add(node.float("epsilon", 1e-5)), spread)))
    scale, bias = (context.emit(Reshape(column), node.data(slot)) for slot in (1, 2))
    result: list[Operand] = [context.emit(Add(), context.emit(Mul(), normal, scale), bias)]
    for slot, found in ((3, context.emit(ReduceMean(axes), node.data())), (4, spread)):
        now = context.emit(Mul(1 - momentum), context.emit(Reshape((data.channels,)), found))
        result.append(context.emit(Add(), context.emit(Mul(momentum), node.data(slot)), now))
    return result[: max(1, len(node.outputs))]


@reads("InstanceNormalization")
def instance_norm(node: Node, context: Context) -> Operand:
    """InstanceNormalization."""
    channels = context.type(node.data()).channels
    scale, bias = (_per_channel(node, context, slot, channels) for slot in (1, 2))
    return context.emit(InstanceNorm(eps=node.float("epsilon", 1e-5)), node.data(), scale=scale, bias=bias)


@reads("GroupNormalization")
def group_norm(node: Node, context: Context) -> Operand:
    """GroupNormalization: one scale a channel since opset 21, one a group before."""
    channels, groups = context.type(node.data()).channels, node.int("num_groups", 1)
    count = channels if node.version >= 21 else groups
    scale, bias = (_per_channel(node, context, slot, count) for slot in (1, 2))
    if node.version < 21 and groups:
        scale, bias = (k.turned("channels", (channels,), lambda a: np.repeat(a, channels // groups)) for k in (scale, bias))
    return context.emit(GroupNorm(groups, node.float("epsilon", 1e-5)), node.data(), scale=scale, bias=bias)


@reads("LayerNormalization")
def layer_norm(node: Node, context: Context) -> Operand:
    """LayerNormalization without its statistics, scale and bias of the axes' own shape."""
    if node.wants(1) or node.wants(2):
        raise Unreadable("its mean or deviation is asked for")
    data = context.type(node.data())
    axis = axis_of(node, data.rank, -1)
    shape = data.shape[axis:]
    scale = context.known(1)
    bias = context.known(2) if node.input(2) is not None else context.constant(np.zeros(shape, data.numpy), "bias")
    if scale.type.elements != math.prod(shape) or bias.type.elements != math.prod(shape) or scale.type.dtype != data.dtype:
        raise Unreadable("its scale or bias is broadcast")
    return context.emit(LayerNorm(axis, node.float("epsilon", 1e-5)), node.data(), scale=scale.reshaped(shape), bias=bias.reshaped(shape))


@reads("LRN")
def lrn(node: Node, context: Context) -> Operand:
    """LRN."""
    return context.emit(Lrn(node.int("size", 1), node.float("alpha", 1e-4), node.float("beta", 0.75), node.float("bias", 1.0)), node.data())


@reads("LpNormalization")
def lp_norm(node: Node, context: Context) -> Operand:
    """x divided by its norm along an axis; 0 where that is 0."""
    axis = axis_of(node, context.type(node.data()).rank, -1)
    norm = context.emit((ReduceL1 if node.int("p", 2) == 1 else ReduceL2)((axis,)), node.data())
    zero = context.cast(context.emit(Equal(0.0), norm), context.type(norm).dtype)
    return context.emit(Div(), node.data(), context.emit(Add(), norm, zero))


@reads("MeanVarianceNormalization")
def mean_variance(node: Node, context: Context) -> Operand:
    """(x - mean) / (deviation + 1e-9)."""
    axes = node.ints("axes") or (0, 2, 3)
    apart = context.emit(Sub(), node.data(), context.emit(ReduceMean(axes), node.data()))
    variance = context.emit(ReduceMean(axes), context.emit(primitive_op("square"), apart))
    return context.emit(Div(), apart, context.emit(Add(1e-9), context.emit(primitive_op("sqrt"), variance)))


@reads("Softmax", "LogSoftmax")
def softmax(node: Node, context: Context) -> Operand:
    """Along one axis since opset 13; before, over all axes from one on."""
    op, data = {"Softmax": Softmax, "LogSoftmax": LogSoftmax}[node.op], context.type(node.data())
    if node.version >= 13:
        return context.emit(op(axis_of(node, data.rank, -1)), node.data())
    axis = axis_of(node, data.rank, 1)
    if math.prod(data.shape[axis + 1 :]) == 1:
        return context.emit(op(axis), node.data())
    flat = context.emit(Reshape((math.prod(data.shape[:axis]), math.prod(data.shape[axis:]))), node.data())
    return context.emit(Reshape(data.shape), context.emit(op(1), flat))


@reads("Dropout")
def dropout(node: Node, context: Context) -> Operand | Sequence[Operand]:
    """Dropout at inference; its mask keeps everything."""
    mode = node.input(2)
    if mode is not None and not (isinstance(mode, Known) and not bool(mode.array().any())):
        rate = node.input(1)
        if not (isinstance(mode, Known) and isinstance(rate, Known) and float(rate.array().reshape(-1)[0]) == 0):
            raise Unreadable("it is in training mode", [node.proto.input[2]])
    data = context.type(node.data())
    ratio = node.input(1)
    rate = float(ratio.array().reshape(-1)[0]) if isinstance(ratio, Known) else node.float("ratio", 0.5)
    kept = context.emit(Dropout(rate), node.data()) if data.is_float else node.data()
    if not node.wants(1):
        return kept
    ones = np.ones(data.shape, np.bool_)
    return [kept, context.constant(ones if node.version >= 10 else ones.astype(data.numpy), "mask")]
