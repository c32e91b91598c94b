"""Kernels without a schedule: any layer, rank and dtype in plain row-major layout, as TE.

TVM schedules them: dlight on CUDA, a serial loop nest on llvm. What a target has a template for never comes here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import singledispatch

import numpy as np
from tvm import te, tirx, topi
from tvm.ir import Expr as PrimExpr

from cnnir.ops.base import Array, Op
from cnnir.ops.convolution import Conv, Dense
from cnnir.ops.pooling import Pooling
from cnnir.ops.tensor import Concat, Flatten, Lrn, Softmax
from cnnir.ops.wide import NARROW
from cnnir.ops.window import Windows, axis_pads
from cnnir.types import TensorType

from .scalar import literal

Tensors = Sequence[te.Tensor]
Weights = Mapping[str, te.Tensor]


@singledispatch
def tables(op: Op, types: Sequence[TensorType]) -> list[Array]:
    """Constant arrays that the op's kernel needs beside its weights, in the order `compute` takes them."""
    del op, types
    return []


@tables.register
def _(op: Pooling, types: Sequence[TensorType]) -> list[Array]:
    """The taps of each axis whose windows are uneven, then the divisors of an average where they differ."""
    t = types[0]
    uneven = [w.taps.astype(np.int32) for w in op.windows(t) if affine_windows(w) is None]
    divisor = op.divisor(t).astype(t.numpy) if op.reduce == "avg" else np.ones(1)
    return uneven if (divisor == divisor.flat[0]).all() else [*uneven, divisor]


@singledispatch
def compute(op: Op, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    """The output of `op` on plain tensors of the given types; `constants` are its `tables`, its weights are by role.

    Raises NotImplementedError for an op without a rule.
    """
    raise NotImplementedError(op.name)


def has_rule(op: Op) -> bool:
    """Whether `compute` knows this op."""
    return compute.dispatch(type(op)) is not compute.dispatch(Op)


def has_own_rule(op: Op) -> bool:
    """Whether kernels are made of this op as it is: a rule of its own counts, and one of a class that cannot be written out."""
    return type(op) in compute.registry or (type(op).expand is Op.expand)


@compute.register
def _(op: Conv, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    x, weight = data[0], weights["weight"]
    axes = len(op.kernel)
    pads = [axis_pads(op.pad, i) for i in range(axes)]
    if any(map(any, pads)):
        before, after = [0, 0, *(b for b, _ in pads)], [0, 0, *(a for _, a in pads)]
        x = topi.nn.pad(x, before, after, pad_value=0.0, name="padded")
    group_in, group_out = types[0].channels // op.groups, op.out // op.groups
    channel = te.reduce_axis((0, group_in), "channel")
    taps = [te.reduce_axis((0, k), f"tap{i}") for i, k in enumerate(op.kernel)]
    (out,) = op.infer(types)

    def at(n: PrimExpr, k: PrimExpr, *place: PrimExpr) -> PrimExpr:
        source = channel if op.groups == 1 else tirx.indexdiv(k, group_out) * group_in + channel
        where = [p * s + t * d for p, s, t, d in zip(place, op.stride, taps, op.dilation, strict=True)]
        return te.sum(x(n, source, *where) * weight(k, channel, *taps), axis=[channel, *taps])

    result = te.compute(out.shape, at, name="conv")
    return with_bias(result, weights)


def with_bias(result: te.Tensor, weights: Weights) -> te.Tensor:
    """A sum over channels and its bias, where there is one."""
    bias = weights.get("bias")
    if bias is None:
        return result
    return te.compute(result.shape, lambda n, k, *place: result(n, k, *place) + bias(k), name="with_bias")


@compute.register
def _(op: Dense, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    x, weight = data[0], weights["weight"]
    feature = te.reduce_axis((0, types[0].shape[1]), "feature")
    (out,) = op.infer(types)
    result = te.compute(out.shape, lambda n, k: te.sum(x(n, feature) * weight(k, feature), axis=feature), name="dense")
    return with_bias(result, weights)


def affine_windows(windows: Windows) -> tuple[int, int, int] | None:
    """(stride, dilation, begin) where taps[o, k] = o stride + k dilation - begin for all o and k, else None."""
    taps = windows.taps
    stride = int(taps[1, 0] - taps[0, 0]) if len(taps) > 1 else 1
    dilation = int(taps[0, 1] - taps[0, 0]) if taps.shape[1] > 1 else 1
    begin = -int(taps[0, 0])
    rows, columns = np.indices(taps.shape)
    return (stride, dilation, begin) if np.array_equal(taps, rows * stride + columns * dilation - begin) else None


@compute.register
def _(op: Pooling, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    x, t = data[0], types[0]
    windows = op.windows(t)
    (out,) = op.infer(types)
    taps = [te.reduce_axis((0, w.taps.shape[1]), f"tap{i}") for i, w in enumerate(windows)]
    given = iter(constants)
    positions = [_position(w, given) for w in windows]
    start = literal(op.start_in(t.numpy), str(t.numpy))

    def inside(n: PrimExpr, c: PrimExpr, *place: PrimExpr) -> PrimExpr:
        where = [position(o, k) for position, o, k in zip(positions, place, taps, strict=True)]
        real = [c for p, w in zip(where, windows, strict=True) if not w.real.all() for c in (p >= 0, p < w.length)]
        element = x(n, c, *where)
        return tirx.if_then_else(tirx.all(*real), element, start) if real else element

    reduce = {  # lambdas: comm_reducer wants a Python function
        "max": te.comm_reducer(lambda a, b: tirx.Max(a, b), lambda _: start),
        "min": te.comm_reducer(lambda a, b: tirx.Min(a, b), lambda _: start),
        "avg": te.sum,
    }[op.reduce]
    pooled = te.compute(out.shape, lambda *place: reduce(inside(*place), axis=taps), name="pool")
    if op.reduce != "avg":
        return pooled
    return _divide(pooled, op.divisor(t), str(t.numpy), given)


def _position(windows: Windows, given: Iterator[te.Tensor]) -> Callable[[PrimExpr, PrimExpr], PrimExpr]:
    affine = affine_windows(windows)
    if affine is None:
        table = next(given)
        return lambda o, k: table(o, k)
    stride, dilation, begin = affine
    return lambda o, k: o * stride + k * dilation - begin


def _divide(total: te.Tensor, divisor: Array, dtype: str, given: Iterator[te.Tensor]) -> te.Tensor:
    if (divisor == divisor.flat[0]).all():
        count = tirx.const(float(divisor.flat[0]), dtype)
        return te.compute(total.shape, lambda *place: tirx.Div(total(*place), count), name="average")
    counts = next(given)
    return te.compute(total.shape, lambda n, c, *place: tirx.Div(total(n, c, *place), counts(*place)), name="average")


@compute.register
def _(op: Softmax, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    return topi.nn.softmax(data[0], axis=op.axis % types[0].rank)


@compute.register
def _(op: Lrn, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    """Of half floats in float32, rounded once: their squares are soon infinite."""
    x, t = data[0], types[0]
    own = str(t.numpy)
    wide = "float32" if t.dtype in NARROW else own
    neighbour = te.reduce_axis((0, op.size), "neighbour")
    before, zero = (op.size - 1) // 2, tirx.const(0, wide)

    def square(n: PrimExpr, c: PrimExpr, *place: PrimExpr) -> PrimExpr:
        other = c + neighbour - before
        element = x(n, other, *place).astype(wide)
        return te.sum(tirx.if_then_else(tirx.all(other >= 0, other < t.channels), element * element, zero), axis=neighbour)

    total = te.compute(t.shape, square, name="squares")

    def scale(*place: PrimExpr) -> PrimExpr:
        inner = literal(op.bias, wide) + literal(op.alpha / op.size, wide) * total(*place)
        return tirx.Div(x(*place).astype(wide), tirx.pow(inner, literal(op.beta, wide))).astype(own)

    return te.compute(t.shape, scale, name="lrn")


@compute.register
def _(op: Flatten, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    x, shape = data[0], types[0].shape
    strides = [math.prod(shape[i + 1 :]) for i in range(1, len(shape))]
    (out,) = op.infer(types)

    def at(n: PrimExpr, feature: PrimExpr) -> PrimExpr:
        return x(n, *(tirx.indexmod(tirx.indexdiv(feature, s), size) for s, size in zip(strides, shape[1:], strict=True)))

    return te.compute(out.shape, at, name="flatten")


@compute.register
def _(op: Concat, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    return topi.concatenate(tuple(data), axis=op.axis % types[0].rank)
