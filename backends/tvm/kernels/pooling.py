"""Pooling on the blocked layout, with stages before and after it in the same kernel."""

from __future__ import annotations

from collections.abc import Callable

from tvm import te, tirx
from tvm.ir import Expr
from tvm.s_tir import Schedule
from tvm.tirx import PrimFunc

from .blocked import blocked_shape
from .epilogue import Epilogue, PoolWindow, any_scalar, apply_stages, flat, placeholders
from .function import finish, parallelize, vectorize
from .strict import rounded

UNROLLED_TAPS = 32  # windows up to this size are unrolled; larger ones (global pools) loop


def start(pool: PoolWindow) -> Expr:
    """What a pool starts from. Infinities, not FLT_MAX: a stage may send finite values to infinity."""
    identity = {"max": float("-inf"), "min": float("inf"), "avg": 0.0}[pool.kind]
    return tirx.const(identity if pool.start is None else pool.start, "float32")


def fold(pool: PoolWindow, held: Expr, new: Expr) -> Expr:
    """One step of a pool from the left; at a tie (-0 and +0) the earlier value stays."""
    if pool.kind == "avg":
        return held + new
    return tirx.max(new, held) if pool.kind == "max" else tirx.min(new, held)


def pool_reducer(pool: PoolWindow) -> Callable[..., Expr]:
    """The fold as a reduction."""
    return te.comm_reducer(lambda held, new: fold(pool, held, new), lambda _: start(pool), name=pool.kind)


def average(total: Expr, count: Expr) -> Expr:
    """A true division, kept out of any fma (LLVM divides by 4 by multiplying with 0.25)."""
    return rounded(total / count)


def pool2d(
    batch: int,
    channels: int,
    in_size: tuple[int, int],
    epilogue: Epilogue,
    name: str = "pool",
    lanes: int = 16,
) -> PrimFunc:
    """(data, extras before, extras after, output). `epilogue.pool` is the window; `before` is applied to each tap."""
    pool = epilogue.pool
    if pool is None:
        raise ValueError("pool2d needs epilogue.pool")
    in_shape = blocked_shape((batch, channels, *in_size), lanes)
    out_shape = blocked_shape((batch, channels, *pool.output), lanes)
    channel_shape = (out_shape[1], out_shape[4])
    data = te.placeholder(in_shape, name="data")
    before = placeholders(epilogue.before, channel_shape, in_shape, "before")
    after = placeholders(epilogue.after, channel_shape, out_shape, "after")
    rows, columns = te.reduce_axis((0, pool.kernel[0]), "rows"), te.reduce_axis((0, pool.kernel[1]), "columns")

    def tap(n, c, h, w, i) -> Expr:
        """One tap's value; the pool's start outside the input, where the load is moved to the nearest real element."""
        y, y_inside = position(pool, 0, h, rows, in_size[0])
        x, x_inside = position(pool, 1, w, columns, in_size[1])
        read = lambda tensor, extra: tensor(c, i) if extra.kind == "channel" else tensor(n, c, y, x, i)  # noqa: E731
        value = apply_stages(data(n, c, y, x, i), epilogue.before, before, read)
        inside = [condition for condition in (y_inside, x_inside) if condition is not None]
        return tirx.Select(tirx.all(*inside), value, start(pool)) if inside else value

    reducer = pool_reducer(pool)
    pooled = te.compute(out_shape, lambda *index: reducer(tap(*index), axis=[rows, columns]), name="pooled")

    def finished(n, c, h, w, i) -> Expr:
        value = pooled(n, c, h, w, i)
        if pool.kind == "avg":
            value = average(value, divisor(pool, h, w, in_size))
        read = lambda tensor, extra: tensor(c, i) if extra.kind == "channel" else tensor(n, c, h, w, i)  # noqa: E731
        return apply_stages(value, epilogue.after, after, read)

    out = te.compute(out_shape, finished, name="out")
    schedule = Schedule(te.create_prim_func([data, *flat(before), *flat(after), out]))
    schedule_pool(schedule, pool, out_shape, any_scalar(epilogue.before), any_scalar(epilogue.after))
    return finish(schedule, name)


def position(pool: PoolWindow, axis: int, output: Expr, tap: Expr, size: int) -> tuple[Expr, Expr | None]:
    """Where a tap reads, clipped into the input, and whether it was inside; None where all taps are."""
    at = output * pool.stride[axis] - pool.pad[axis] + tap * pool.dilation[axis]
    if not pool.overhangs(axis, size):
        return at, None
    return tirx.max(tirx.min(at, size - 1), 0), tirx.all(at >= 0, at < size)


def divisor(pool: PoolWindow, h: Expr, w: Expr, in_size: tuple[int, int]) -> Expr:
    """How many positions an average counts: real elements or, with count_include_pad, those of the padded input."""
    counts = []
    for axis, output in enumerate((h, w)):
        if not pool.overhangs(axis, in_size[axis]):
            counts.append(tirx.const(pool.kernel[axis], "int32"))
            continue
        begin, end = (pool.pad[axis], pool.pad[axis + 2]) if pool.count_include_pad else (0, 0)
        start = output * pool.stride[axis] - pool.pad[axis]

        def taps_below(limit: int, axis: int = axis, start: Expr = start) -> Expr:
            step = pool.dilation[axis]
            return tirx.max(tirx.min(tirx.floordiv(limit - start + step - 1, step), pool.kernel[axis]), 0)

        counts.append(taps_below(in_size[axis] + end) - taps_below(-begin))
    return (counts[0] * counts[1]).astype("float32")


def schedule_pool(schedule: Schedule, pool: PoolWindow, out_shape: tuple[int, ...], scalar_before: bool, scalar_after: bool) -> None:
    """Threads over (batch, channel block, row); each output folded in a register. `scalar_...`: stages there call C functions."""
    out, pooled = schedule.get_sblock("out"), schedule.get_sblock("pooled")
    n, c, h, w, i = schedule.get_loops(out)
    taps = pool.kernel[0] * pool.kernel[1]
    work = taps
    for extent in out_shape:
        work *= extent
    parallelize(schedule, [n, c, h], work)
    vectorize(schedule, i, scalar_after)
    schedule.set_scope(pooled, 0, "local")
    schedule.compute_at(pooled, w, preserve_unit_loops=True)
    *spatial, lane, rows, columns = list(schedule.get_loops(pooled))[-7:]
    schedule.reorder(*spatial, rows, columns, lane)
    if taps <= UNROLLED_TAPS:
        schedule.unroll(rows)
        schedule.unroll(columns)
    vectorize(schedule, lane, scalar_before)
    schedule.decompose_reduction(pooled, rows)
