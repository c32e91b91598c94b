"""Local response normalisation on the blocked layout: a row's squares first, channel beside channel, then sums over neighbours.

In the blocked layout a channel's neighbours may lie in another block. Rows of squares with blocks of zeros at both ends make
every neighbour a plain offset: what would be gathers are loads of vectors that begin anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tvm import te, tirx
from tvm.ir import Expr
from tvm.s_tir import Schedule
from tvm.tirx import PrimFunc

from .blocked import blocked_shape
from .epilogue import Stage, any_scalar, apply_stages, flat, placeholders
from .function import finish, parallelize, vectorize
from .strict import rounded, strict

Shape4 = tuple[int, int, int, int]
Power = Callable[[Expr], Expr]


def power(beta: float) -> Power | None:
    """x -> x^beta by square roots, within 1.5 ulp, where beta is 1/4, 1/2, 3/4 or 1; None for another, which C's pow takes."""
    return {
        0.25: lambda x: tirx.sqrt(tirx.sqrt(x)),
        0.5: tirx.sqrt,
        0.75: lambda x: rounded(tirx.sqrt(x) * tirx.sqrt(tirx.sqrt(x))),
        1.0: lambda x: x,
    }.get(beta)


def lrn(
    shape: Shape4,
    size: int,
    rate: float,
    beta: float,
    bias: float,
    stages: Sequence[Stage] = (),
    name: str = "lrn",
    lanes: int = 16,
) -> PrimFunc:
    """(data, extras, output): x / (bias + rate * sum of the squares of `size` neighbours)^beta, then the stages.

    `shape` is the plain [N, C, H, W]. The neighbours of channel c begin at c - floor((size - 1) / 2). Raises ValueError for a beta
    that `power` does not know.
    """
    raised = power(beta)
    if raised is None:
        raise ValueError(f"no square roots make the power {beta}")
    stored = blocked_shape(shape, lanes)
    N, blocks, H, W, b = stored
    first = (size - 1) // 2
    margin = -(-max(first, size - 1 - first) // b)
    data = te.placeholder(stored, name="data")
    extras = placeholders(stages, (blocks, b), stored, "extra")

    def square(n, h, w, c) -> Expr:
        own = c // b - margin
        value = data(n, tirx.max(tirx.min(own, blocks - 1), 0), h, w, c % b)
        return tirx.Select(tirx.all(own >= 0, own < blocks), rounded(value * value), tirx.const(0, "float32"))

    squares = te.compute((N, H, W, (blocks + 2 * margin) * b), square, name="squares")
    neighbour = te.reduce_axis((0, size), "neighbour")

    def total(n, k, h, w, i) -> Expr:
        return te.sum(squares(n, h, w, (k + margin) * b + i + neighbour - first), axis=neighbour)

    totals = te.compute(stored, total, name="totals")

    def element(*index) -> Expr:
        divisor = raised(tirx.const(bias, "float32") + rounded(tirx.const(rate, "float32") * totals(*index)))
        read = lambda tensor, extra: tensor(index[1], index[4]) if extra.kind == "channel" else tensor(*index)  # noqa: E731
        return apply_stages(strict(data(*index) / divisor), stages, extras, read)

    out = te.compute(stored, element, name="out")
    schedule = Schedule(te.create_prim_func([data, *flat(extras), out]))
    _schedule(schedule, b, math.prod(stored) * size, any_scalar(stages))
    return finish(schedule, name)


def _schedule(schedule: Schedule, lanes: int, work: int, scalar: bool) -> None:
    """Threads over (batch, row); the squares of a row are kept beside it, the sum of one vector of channels in a register."""
    out, totals, squares = (schedule.get_sblock(name) for name in ("out", "totals", "squares"))
    n, k, h, w, i = schedule.get_loops(out)
    schedule.reorder(n, h, k, w, i)
    parallelize(schedule, [n, h], work)
    vectorize(schedule, i, scalar)
    schedule.set_scope(totals, 0, "local")
    schedule.compute_at(totals, w, preserve_unit_loops=True)
    *_, lane, neighbour = schedule.get_loops(totals)
    schedule.reorder(neighbour, lane)
    schedule.unroll(neighbour)
    vectorize(schedule, lane)
    schedule.decompose_reduction(totals, neighbour)
    schedule.compute_at(squares, schedule.get_loops(out)[0])
    _, lane = schedule.split(schedule.get_loops(squares)[-1], [None, lanes])
    vectorize(schedule, lane)
