"""Rules of `plain.compute` for ops that move elements or interpolate between them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from tvm import te, tirx, topi
from tvm.ir import Expr as PrimExpr

from cnnir.ops.base import Array
from cnnir.ops.border import Pad
from cnnir.ops.constant import Constant
from cnnir.ops.conv_transpose import ConvTranspose
from cnnir.ops.resize import Resize
from cnnir.ops.shape import Reshaping, Slice, Split, Transpose
from cnnir.ops.window import axis_pads
from cnnir.types import TensorType

from .plain import Tensors, Weights, compute, tables, with_bias
from .scalar import literal


@compute.register
def _(op: Constant, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    value = weights["value"]
    return te.compute(op.type.shape, lambda *place: value(*place), name="constant")


@compute.register
def _(op: Reshaping, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    (out,) = op.infer(types)
    return topi.reshape(data[0], out.shape)


@compute.register
def _(op: Transpose, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    return topi.transpose(data[0], op.order(types[0].rank))


@compute.register
def _(op: Slice, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    x, spans = data[0], op.spans(types[0].shape)

    def at(*place: PrimExpr) -> PrimExpr:
        return x(*(span.start + p * span.step for p, span in zip(place, spans, strict=True)))

    return te.compute([len(span) for span in spans], at, name="slice")


@compute.register
def _(op: Split, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    return compute(op.alone(0, types), data, weights, types, constants)  # of one part: several are planned one by one


@compute.register
def _(op: Pad, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    x, t = data[0], types[0]
    widths = op.widths(t.rank)
    (out,) = op.infer(types)
    value = tirx.const(bool(op.value), "bool") if t.dtype == "bool" else literal(op.value, str(t.numpy))

    def source(place: PrimExpr, before: int, n: int) -> PrimExpr:
        where = place - before
        if op.mode == "reflect":
            where = tirx.Max(where, -where)
            return tirx.Min(where, 2 * (n - 1) - where)
        return tirx.Max(tirx.Min(where, n - 1), 0) if op.mode == "edge" else where

    def at(*place: PrimExpr) -> PrimExpr:
        where = [source(p, b, n) if (b, a) != (0, 0) else p for p, (b, a), n in zip(place, widths, t.shape, strict=True)]
        if op.mode != "constant":
            return x(*where)
        sides = [(w >= 0, w < n) for w, n, (b, a) in zip(where, t.shape, widths, strict=True) if b or a]
        inside = [side for pair in sides for side in pair]
        return tirx.if_then_else(tirx.all(*inside), x(*where), value) if inside else x(*where)

    return te.compute(out.shape, at, name="pad")


@tables.register
def _(op: Resize, types: Sequence[TensorType]) -> list[Array]:
    """Of each axis its lower neighbours and, for interpolation, the upper ones and the share of either."""
    found: list[Array] = []
    for lower, upper, fraction in op.taps(types[0]):
        found.append(lower)
        if op.mode == "linear":
            found += [upper, (1 - fraction).astype(types[0].numpy), fraction.astype(types[0].numpy)]
    return found


@compute.register
def _(op: Resize, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    x, axes = data[0], types[0].rank - 2
    (out,) = op.infer(types)
    if op.mode == "nearest":
        return te.compute(out.shape, lambda n, c, *place: x(n, c, *(t(p) for t, p in zip(constants, place, strict=True))), name="resize")

    def at(n: PrimExpr, c: PrimExpr, *place: PrimExpr) -> PrimExpr:
        total: PrimExpr | None = None
        for sides in itertools.product((0, 1), repeat=axes):
            term = x(n, c, *(constants[4 * i + side](place[i]) for i, side in enumerate(sides)))
            for i, side in enumerate(sides):
                term = term * constants[4 * i + 2 + side](place[i])
            total = term if total is None else total + term
        return total

    return te.compute(out.shape, at, name="resize")


@compute.register
def _(op: ConvTranspose, data: Tensors, weights: Weights, types: Sequence[TensorType], constants: Tensors) -> te.Tensor:
    x, weight, t = data[0], weights["weight"], types[0]
    group_in, group_out = t.channels // op.groups, op.out // op.groups
    channel = te.reduce_axis((0, group_in), "channel")
    taps = [te.reduce_axis((0, k), f"tap{i}") for i, k in enumerate(op.kernel)]
    (out,) = op.infer(types)

    def at(n: PrimExpr, k: PrimExpr, *place: PrimExpr) -> PrimExpr:
        """What reaches an output: input o where o stride + tap dilation is its place, begin pad and all."""
        source = channel if op.groups == 1 else tirx.indexdiv(k, group_out) * group_in + channel
        ahead = [p + axis_pads(op.pad, i)[0] - taps[i] * op.dilation[i] for i, p in enumerate(place)]
        where = [tirx.indexdiv(a, s) for a, s in zip(ahead, op.stride, strict=True)]
        hit = [tirx.all(a >= 0, tirx.indexmod(a, s) == 0, w < n) for a, s, w, n in zip(ahead, op.stride, where, t.spatial, strict=True)]
        product = x(n, source, *where) * weight(source, k if op.groups == 1 else tirx.indexmod(k, group_out), *taps)
        return te.sum(tirx.if_then_else(tirx.all(*hit), product, tirx.const(0, str(t.numpy))), axis=[channel, *taps])

    return with_bias(te.compute(out.shape, at, name="conv_transpose"), weights)
