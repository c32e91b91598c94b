"""Direct convolution on the blocked layout, with its epilogue and, where windows don't overlap, its pool in registers.

A tile of output columns x channel blocks is summed in registers over (block of input channels, kernel row, kernel
column, channel in block), in that order and one fma at a time. The order is the convolution's own: neither the tile
nor the epilogue changes a bit of the sum.
"""

from __future__ import annotations

from tvm import te, tirx
from tvm.ir import Expr
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import SBlockRV
from tvm.tirx import PrimFunc

from .blocked import block, blocked_shape, first_in_block
from .epilogue import Epilogue, PoolWindow, any_scalar, apply_stages, flat, placeholders
from .function import finish, parallelize, vectorize
from .geometry import ConvGeometry, Tile, can_fuse_pool, choose_tile
from .pooling import average, pool_reducer

PLAIN = Epilogue()
UNPOOLED = (1, 1)


def direct_conv(conv: ConvGeometry, epilogue: Epilogue = PLAIN, name: str = "direct_conv", lanes: int = 16) -> PrimFunc:
    """(data, weight, extras before, extras after, output). The weight comes from `pack_conv_weight`."""
    pool = epilogue.pool
    if pool and not can_fuse_pool(conv, pool, lanes):
        raise NotImplementedError("this pool can't be done in the convolution's registers: ask can_fuse_pool first")
    tile = choose_tile(conv, pool, lanes)
    window = pool.kernel if pool else UNPOOLED
    out_h, out_w = pool.output if pool else conv.out_size
    tiles = -(-out_w // tile.columns)

    bi, bo = block(conv.in_channels, lanes), block(conv.out_channels, lanes)
    out_blocks = conv.out_channels // bo
    data = te.placeholder(blocked_shape((conv.batch, conv.in_channels, *conv.in_size), lanes), name="data")
    if conv.depthwise:
        weight = te.placeholder((out_blocks, *conv.kernel, bo), name="weight")
    else:
        weight = te.placeholder((out_blocks, conv.in_span(lanes), *conv.kernel, bi, bo), name="weight")
    unpooled = blocked_shape((conv.batch, conv.out_channels, *conv.out_size), lanes)
    shape = blocked_shape((conv.batch, conv.out_channels, out_h, out_w), lanes)
    before = placeholders(epilogue.before, (out_blocks, bo), unpooled, "before")
    after = placeholders(epilogue.after, (out_blocks, bo), shape, "after")

    padded = pad(data, conv, out_h * window[0], tiles * tile.columns * window[1])
    sums = convolve(padded, weight, conv, tile, window, out_h, tiles, lanes)
    values = sums
    if any_scalar(epilogue.before + epilogue.after):
        # a scalar loop over the sums would force them out of registers while they are summed: give it a copy
        values = te.compute(sums.shape, lambda *index: sums(*index), name="values")

    def before_at(n, k, h, w, row, column, o) -> Expr:
        """The value of the un-pooled map at one tap of the window of output (h, w)."""
        value = values(n, k, h, row, w // tile.columns, w % tile.columns, column, o)
        col = w * window[1] + column
        if tiles * tile.columns > out_w:  # columns past the edge are computed and thrown away
            col = tirx.min(col, conv.out_size[1] - 1)
        where = (n, k, h * window[0] + row, col, o)
        return apply_stages(
            value, epilogue.before, before, lambda tensor, extra: tensor(k, o) if extra.kind == "channel" else tensor(*where)
        )

    pooled = None
    if pool:
        pooled = pool_tile(pool, before_at, (conv.batch, out_blocks, out_h, tiles, tile.columns, bo), tile)

    def out_at(n, k, h, w, o) -> Expr:
        if pool and pooled is not None:
            value = pooled(n, k, h, w // tile.columns, w % tile.columns, o)
            if pool.kind == "avg":
                value = average(value, tirx.const(window[0] * window[1], "float32"))
        else:
            value = before_at(n, k, h, w, 0, 0, o)
        read = lambda tensor, extra: tensor(k, o) if extra.kind == "channel" else tensor(n, k, h, w, o)  # noqa: E731
        return apply_stages(value, epilogue.after, after, read)

    out = te.compute(shape, out_at, name="out")
    schedule = Schedule(te.create_prim_func([data, weight, *flat(before), *flat(after), out]))
    schedule_tiles(schedule, conv, tile, pooled=pool is not None, scalar=values is not sums)
    if padded is not data:
        schedule_padding(schedule, conv)
    return finish(schedule, name)


def pad(data: te.Tensor, conv: ConvGeometry, rows: int, columns: int) -> te.Tensor:
    """A zero-padded copy, large enough for every output of every tile; `data` itself where it is large enough."""
    N, blocks, H, W, b = (int(extent) for extent in data.shape)
    top, left = conv.pad[:2]
    padded_h, padded_w = conv.taps_extent(0, rows), conv.taps_extent(1, columns)
    if top == left == 0 and padded_h <= H and padded_w <= W:
        return data

    def element(n, c, h, w, i) -> Expr:
        inside = tirx.all(h >= top, h < H + top, w >= left, w < W + left)
        return tirx.if_then_else(inside, data(n, c, h - top, w - left, i), tirx.const(0, "float32"))

    return te.compute((N, blocks, padded_h, padded_w, b), element, name="padded")


def convolve(
    padded: te.Tensor,
    weight: te.Tensor,
    conv: ConvGeometry,
    tile: Tile,
    window: tuple[int, int],
    out_h: int,
    tiles: int,
    lanes: int,
) -> te.Tensor:
    """The sums, indexed (batch, channel block, pooled row, row in window, tile, column in tile, column in window, channel)."""
    (R, S), (stride_h, stride_w), (dilation_h, dilation_w) = conv.kernel, conv.stride, conv.dilation
    bi, bo = block(conv.in_channels, lanes), block(conv.out_channels, lanes)
    span, in_blocks = conv.in_span(lanes), conv.in_channels // bi
    rh, rw = te.reduce_axis((0, R), "rh"), te.reduce_axis((0, S), "rw")
    rc, ri = te.reduce_axis((0, span), "rc"), te.reduce_axis((0, bi), "ri")

    def first_block(k) -> Expr | int:
        if span == in_blocks:
            return 0
        first = first_in_block(k, conv.in_channels, conv.out_channels, conv.groups, lanes)
        return tirx.min(first, in_blocks - span)

    def element(n, k, h, row, wo, wi, column, o) -> Expr:
        y = (h * window[0] + row) * stride_h + rh * dilation_h
        x = ((wo * tile.columns + wi) * window[1] + column) * stride_w + rw * dilation_w
        if conv.depthwise:
            return te.sum(padded(n, k, y, x, o) * weight(k, rh, rw, o), axis=[rh, rw])
        return te.sum(padded(n, first_block(k) + rc, y, x, ri) * weight(k, rc, rh, rw, ri, o), axis=[rc, rh, rw, ri])

    shape = (conv.batch, conv.out_channels // bo, out_h, window[0], tiles, tile.columns, window[1], bo)
    return te.compute(shape, element, name="sums")


def pool_tile(pool: PoolWindow, before_at, shape: tuple[int, ...], tile: Tile) -> te.Tensor:
    """The tile's windows, folded row by row like the standalone pool does, so that both give the same bits."""
    rows, columns = te.reduce_axis((0, pool.kernel[0]), "rows"), te.reduce_axis((0, pool.kernel[1]), "columns")
    reducer = pool_reducer(pool)
    return te.compute(
        shape,
        lambda n, k, h, wo, wi, o: reducer(before_at(n, k, h, wo * tile.columns + wi, rows, columns, o), axis=[rows, columns]),
        name="pooled",
    )


def schedule_tiles(schedule: Schedule, conv: ConvGeometry, tile: Tile, pooled: bool, scalar: bool) -> None:
    """Threads over (batch, channel blocks, rows); tiles along the row; everything in a tile unrolled into registers.

    A tile that sticks out over the edge is computed whole (the padded copy has room for it); only its stores are guarded.
    """
    out, sums = schedule.get_sblock("out"), schedule.get_sblock("sums")
    n, k, h, w, o = schedule.get_loops(out)
    k_out, k_in = schedule.split(k, [None, tile.blocks])
    w_out, w_in = schedule.split(w, [None, tile.columns])
    schedule.reorder(n, k_out, h, w_out, k_in, w_in, o)
    parallelize(schedule, [n, k_out, h], conv.multiplies)
    vectorize(schedule, o, scalar)
    schedule.unroll(w_in)
    schedule.unroll(k_in)

    if pooled:
        block_ = schedule.get_sblock("pooled")
        schedule.set_scope(block_, 0, "local")
        schedule.compute_at(block_, w_out, preserve_unit_loops=True)
        *spatial, o, rows, columns = inner_loops(schedule, block_, 8)
        schedule.reorder(*spatial, rows, columns, o)
        for loop in (*spatial, rows, columns):
            schedule.unroll(loop)
        vectorize(schedule, o, scalar)
        schedule.decompose_reduction(block_, rows)
    if scalar:  # its own copy of the sums, which stay in vector registers
        block_ = schedule.get_sblock("values")
        schedule.set_scope(block_, 0, "local")
        schedule.compute_at(block_, w_out, preserve_unit_loops=True)
        *spatial, o = inner_loops(schedule, block_, 8)
        for loop in spatial:
            schedule.unroll(loop)
        vectorize(schedule, o)

    schedule.set_scope(sums, 0, "local")
    schedule.compute_at(sums, w_out, preserve_unit_loops=True)
    reductions = 2 if conv.depthwise else 4
    loops = inner_loops(schedule, sums, 8 + reductions)
    n, k, h, row, tile_, column, window_column, o = loops[:8]
    schedule.reorder(n, h, tile_, *loops[8:], row, column, window_column, k, o)
    for loop in (row, column, window_column, k):
        schedule.unroll(loop)
    vectorize(schedule, o)
    schedule.decompose_reduction(sums, loops[8])


def inner_loops(schedule: Schedule, block_: SBlockRV, count: int) -> list:
    """The block's own loops: those inside where it was computed at."""
    return list(schedule.get_loops(block_))[-count:]


def schedule_padding(schedule: Schedule, conv: ConvGeometry) -> None:
    """Threads over (batch, channel block, row) of the padded copy."""
    *outer, _, i = schedule.get_loops(schedule.get_sblock("padded"))
    parallelize(schedule, outer, conv.batch * conv.in_channels * conv.in_size[0] * conv.in_size[1])
    vectorize(schedule, i)
