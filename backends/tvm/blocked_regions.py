"""Plans regions that have a template: float32, rank 4 in the blocked layout, dense layers on rank 2."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnnir.ir.graph import Graph, Layer
from cnnir.ops.base import Op
from cnnir.ops.convolution import Conv, Dense
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.pooling import AvgPool, Pooling
from cnnir.ops.tensor import Concat, Flatten, Lrn
from cnnir.scalar.expr import Param, Var
from cnnir.types import TensorType

from .context import Context, step_keys
from .convolutions import kernel, packed, packed_shape
from .kernels.blocked import block, blocked_shape, dense_panel, pack_channel, pack_dense_weight
from .kernels.blocked import pack as pack_tensor
from .kernels.dense import dense
from .kernels.epilogue import Epilogue, Extra, PoolWindow, Stage
from .kernels.geometry import ConvGeometry, can_fuse_pool
from .kernels.layout import concat_kernel, flatten_kernel
from .kernels.lrn import lrn, power
from .kernels.pointwise import pointwise
from .kernels.pooling import pool2d
from .kernels.winograd import can_pool
from .plain import affine_windows
from .plan import Array, Buffer
from .regions import Region, Step, anchor_step
from .scalar import build

if TYPE_CHECKING:
    from tvm.ir import Expr as PrimExpr
    from tvm.tirx import PrimFunc


def has_template(graph: Graph, layer: Layer) -> bool:
    """Whether a region anchored at this layer can be planned here."""
    types = [graph.type(v) for v in graph.data(layer.name)]
    if not types or any(t.dtype != "f32" for t in (*types, layer.type)):
        return False
    op, first = layer.op, types[0]
    if isinstance(op, Dense):
        return True
    if isinstance(op, Pooling):
        return first.rank == 4 and pool_window(op, first) is not None
    if isinstance(op, Elementwise):
        return first.rank in (2, 4) and all(t == layer.type for t in types)
    if isinstance(op, Lrn):
        return first.rank == 4 and power(op.beta) is not None
    return first.rank == 4 and (isinstance(op, Conv | Flatten) or (isinstance(op, Concat) and op.axis == 1))


def takes_steps(layer: Layer) -> bool:
    """Whether elementwise layers can ride in the anchor's kernel: not where it only moves data."""
    return not isinstance(layer.op, Concat | Flatten)


def takes_pool(context: Context, anchor: Layer, pool: Layer) -> bool:
    """Whether the pool can ride in the anchor's kernel: only in a convolution's registers or tiles, nothing computed twice."""
    graph, lanes = context.graph, context.lanes
    if not (isinstance(anchor.op, Conv) and isinstance(pool.op, Pooling) and has_template(graph, anchor)):
        return False
    window = pool_window(pool.op, anchor.type)
    if window is None:
        return False
    geometry = _geometry(graph, anchor)
    tiling = context.choose(geometry)
    return can_fuse_pool(geometry, window, lanes) and (tiling is None or can_pool(tiling.m, window))


def plan_blocked(context: Context, region: Region) -> None:
    """Plan a region for which `has_template` holds."""
    op = context.graph[region.anchor].op
    for kind, planner in _PLANNERS.items():
        if isinstance(op, kind):
            planner(context, region)
            return
    raise TypeError(f"no template for {op.name}")


def pool_window(op: Pooling, data: TensorType) -> PoolWindow | None:
    """The pool as the templates know it, or None where its windows are uneven."""
    if op.reduce not in ("max", "min", "avg"):
        return None
    windows = op.windows(data)
    affine = [affine_windows(w) for w in windows]
    if any(a is None for a in affine):
        return None
    rows, columns = (a for a in affine if a is not None)
    bottom, right = op.pad[2:] if isinstance(op, AvgPool) else (0, 0)
    return PoolWindow(
        kind=op.reduce,
        kernel=(windows[0].taps.shape[1], windows[1].taps.shape[1]),
        stride=(rows[0], columns[0]),
        output=(windows[0].outputs, windows[1].outputs),
        pad=(rows[2], columns[2], bottom, right),
        dilation=(rows[1], columns[1]),
        count_include_pad=isinstance(op, AvgPool) and op.count_include_pad,
        start=float(op.start_in(data.numpy)) if op.started else None,
    )


def _geometry(graph: Graph, layer: Layer) -> ConvGeometry:
    op, data = layer.op, graph.type(graph.data(layer.name)[0])
    assert isinstance(op, Conv)
    return ConvGeometry(
        batch=data.shape[0], in_channels=data.channels, in_size=_pair(data.spatial), out_channels=op.out, kernel=_pair(op.kernel),
        out_size=_pair(layer.type.spatial), stride=_pair(op.stride), pad=_quad(op.pad), dilation=_pair(op.dilation), groups=op.groups,
    )  # fmt: skip


def _pair(values: Sequence[int]) -> tuple[int, int]:
    first, second = values
    return first, second


def _quad(values: Sequence[int]) -> tuple[int, int, int, int]:
    a, b, c, d = values
    return a, b, c, d


# -- stages ---------------------------------------------------------------------------------------------------------


def _bias(context: Context, layer: Layer) -> list[Step]:
    """The layer's own bias as the first step of its epilogue."""
    if "bias" not in dict(layer.weights):
        return []
    return [Step(Var(0) + Param("0"), (layer.name,), (), ((layer.name, "bias"),))]


def _stage(context: Context, step: Step) -> Stage:
    kinds = ["channel" if _is_channel(context, *c) else "tensor" for c in step.coefficients]
    extras = tuple(Extra("tensor") for _ in step.extras) + tuple(Extra("tensor" if k == "tensor" else "channel") for k in kinds)
    count = len(step.extras)

    def apply(value: PrimExpr, *arguments: PrimExpr) -> PrimExpr:
        coefficients = {str(i): a for i, a in enumerate(arguments[count:])}
        return build(step.expr, [value, *arguments[:count]], coefficients, context.kind)

    return Stage(apply, extras)


def _is_channel(context: Context, layer: str, role: str) -> bool:
    return context.coefficient_rank(layer, role) < 2


def _step_operands(context: Context, steps: Sequence[Step]) -> list[Buffer]:
    found: list[Buffer] = []
    for step in steps:
        for value in step.extras:
            found.append(context.operand(value, "blocked" if context.graph.type(value).rank == 4 else "plain"))
        found.extend(_coefficient(context, layer, role) for layer, role in step.coefficients)
    return found


def _coefficient(context: Context, layer: str, role: str) -> Buffer:
    t, lanes = context.graph[layer].type, context.lanes
    channel = _is_channel(context, layer, role)

    def make() -> Array:
        values = context.coefficient(layer, role)
        if not channel:
            whole = np.ascontiguousarray(np.broadcast_to(values, t.shape))
            return pack_tensor(whole, lanes) if t.rank == 4 else whole
        vector = np.ascontiguousarray(np.broadcast_to(values, (t.channels,)))
        return pack_channel(vector, lanes) if t.rank == 4 else vector

    if t.rank != 4:
        shape = (t.channels,) if channel else t.shape
    else:
        blocks = (t.channels // block(t.channels, lanes), block(t.channels, lanes))
        shape = blocks if channel else _blocked(t, lanes)
    return context.constant("coefficient", shape, "float32", make)


def _blocked(t: TensorType, lanes: int) -> tuple[int, ...]:
    return blocked_shape(_quad(t.shape), lanes)


# -- one planner per kind of anchor -----------------------------------------------------------------------------------


def _emit(context: Context, region: Region, key: object, make: Callable[[str], PrimFunc], operands: Sequence[Buffer]) -> None:
    t = context.graph.type(region.output)
    layout = "blocked" if t.rank == 4 else "plain"
    shape = _blocked(t, context.lanes) if t.rank == 4 else t.shape
    identity = (key, step_keys(region.before), step_keys(region.after), tuple(b.shape for b in operands))
    context.values.put(region.output, layout, context.call(identity, make, operands, shape, layers=region.layers))


def _plan_conv(context: Context, region: Region) -> None:
    graph, layer, lanes = context.graph, context.graph[region.anchor], context.lanes
    geometry = _geometry(graph, layer)
    before = [*_bias(context, layer), *region.before]
    pool = None
    if region.pool is not None:
        op = graph[region.pool].op
        assert isinstance(op, Pooling)
        pool = pool_window(op, layer.type)
    epilogue = Epilogue(tuple(_stage(context, s) for s in before), pool, tuple(_stage(context, s) for s in region.after))
    data = context.operand(graph.data(layer.name)[0], "blocked")
    key = dict(layer.weights)["weight"]
    tiling = context.choose(geometry)
    weight = context.constant(
        "kernel", packed_shape(geometry, tiling, lanes), "float32", lambda: packed(graph.weights[key], geometry, tiling, lanes)
    )
    operands = [data, weight, *_step_operands(context, [*before, *region.after])]
    identity = ("conv", geometry, tiling, pool, len(before), lanes)

    _emit(context, region, identity, lambda name: kernel(geometry, tiling, epilogue, name, lanes), operands)


def _plan_dense(context: Context, region: Region) -> None:
    graph, layer, lanes = context.graph, context.graph[region.anchor], context.lanes
    data = graph.type(graph.data(layer.name)[0])
    batch, features, out = data.shape[0], data.shape[1], layer.type.shape[1]
    steps = [*_bias(context, layer), *region.before]
    stages = [_stage(context, s) for s in steps]
    key = dict(layer.weights)["weight"]
    panel = dense_panel(batch, out, lanes)
    shape = (-(-out // panel), features, panel)
    weight = context.constant("kernel", shape, "float32", lambda: pack_dense_weight(graph.weights[key], batch, lanes))
    operands = [context.operand(graph.data(layer.name)[0], "plain"), weight, *_step_operands(context, steps)]
    identity = ("dense", batch, features, out, len(steps), lanes)
    _emit(context, region, identity, lambda name: dense(batch, features, out, stages, name, lanes), operands)


def _plan_pool(context: Context, region: Region) -> None:
    layer = context.graph[region.anchor]
    (source,) = context.graph.data(layer.name)
    data = context.graph.type(source)
    assert isinstance(layer.op, Pooling)
    window = pool_window(layer.op, data)
    epilogue = Epilogue((), window, tuple(_stage(context, s) for s in region.before))
    operands = [context.operand(source, "blocked"), *_step_operands(context, region.before)]
    batch, channels, *_ = data.shape
    size, lanes = _pair(data.spatial), context.lanes
    identity = ("pool", window, data, lanes)
    _emit(context, region, identity, lambda name: pool2d(batch, channels, size, epilogue, name, lanes), operands)


def _plan_lrn(context: Context, region: Region) -> None:
    layer, lanes = context.graph[region.anchor], context.lanes
    op, shape = layer.op, _quad(layer.type.shape)
    assert isinstance(op, Lrn)
    stages = [_stage(context, s) for s in region.before]
    operands = [context.operand(context.graph.data(layer.name)[0], "blocked"), *_step_operands(context, region.before)]

    def make(name: str) -> PrimFunc:
        return lrn(shape, op.size, op.alpha / op.size, op.beta, op.bias, stages, name, lanes)

    _emit(context, region, ("lrn", op, shape, lanes), make, operands)


def _plan_elementwise(context: Context, region: Region) -> None:
    layer = context.graph[region.anchor]
    steps = [anchor_step(context.graph, layer), *region.before]
    stages = [_stage(context, s) for s in steps]
    first = context.graph.data(layer.name)[0]
    data = context.operand(first, "blocked" if layer.type.rank == 4 else "plain")
    operands = [data, *_step_operands(context, steps)]
    lanes = context.lanes
    identity = ("pointwise", data.shape, step_keys(steps), lanes)
    _emit(context, region, identity, lambda name: pointwise(data.shape, stages, name, lanes), operands)


def _plan_concat(context: Context, region: Region) -> None:
    layer, lanes = context.graph[region.anchor], context.lanes
    sources = context.graph.data(layer.name)
    channels = tuple(context.graph.type(v).channels for v in sources)
    batch, size = layer.type.shape[0], _pair(layer.type.spatial)
    operands = [context.operand(v, "blocked") for v in sources]
    _emit(
        context, region, ("concat", channels, batch, size, lanes), lambda name: concat_kernel(batch, channels, size, name, lanes), operands
    )


def _plan_flatten(context: Context, region: Region) -> None:
    (source,) = context.graph.data(region.anchor)
    shape, lanes = _quad(context.graph.type(source).shape), context.lanes
    operands = [context.operand(source, "blocked")]
    _emit(context, region, ("flatten", shape, lanes), lambda name: flatten_kernel(shape, name, lanes), operands)


_PLANNERS: dict[type[Op], Callable[[Context, Region], None]] = {
    Conv: _plan_conv,
    Dense: _plan_dense,
    Pooling: _plan_pool,
    Lrn: _plan_lrn,
    Elementwise: _plan_elementwise,
    Concat: _plan_concat,
    Flatten: _plan_flatten,
}
