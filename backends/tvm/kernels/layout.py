"""Between layouts: plain NCHW to blocked and back, blocked to flat features, and concatenation along channels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tvm import te, tirx
from tvm.ir import Expr
from tvm.s_tir import Schedule
from tvm.tirx import PrimFunc

from .blocked import block, blocked_shape
from .function import finish, parallelize, vectorize

Shape4 = tuple[int, int, int, int]


def pack_kernel(shape: Shape4, name: str = "pack", lanes: int = 16) -> PrimFunc:
    """Plain [N, C, H, W] -> blocked."""
    data = te.placeholder(shape, name="data")
    b = block(shape[1], lanes)
    out = te.compute(blocked_shape(shape, lanes), lambda n, c, h, w, i: data[n, c * b + i, h, w], name="out")
    return rows_in_parallel([data], out, vector=True, name=name)


def unpack_kernel(shape: Shape4, name: str = "unpack", lanes: int = 16) -> PrimFunc:
    """Blocked -> plain [N, C, H, W]; `shape` is the plain one."""
    data = te.placeholder(blocked_shape(shape, lanes), name="data")
    b = block(shape[1], lanes)
    out = te.compute(shape, lambda n, c, h, w: data[n, c // b, h, w, c % b], name="out")
    return rows_in_parallel([data], out, vector=False, name=name)


def flatten_kernel(shape: Shape4, name: str = "flatten", lanes: int = 16) -> PrimFunc:
    """Blocked -> [N, C*H*W] in the order of the plain tensor."""
    N, C, H, W = shape
    data = te.placeholder(blocked_shape(shape, lanes), name="data")
    b = block(C, lanes)

    def element(n, f) -> Expr:
        c, h, w = f // (H * W), f // W % H, f % W
        return data[n, c // b, h, w, c % b]

    out = te.compute((N, C * H * W), element, name="out")
    schedule = Schedule(te.create_prim_func([data, out]))
    n, f = schedule.get_loops(schedule.get_sblock("out"))
    c, _ = schedule.split(f, [C, H * W])
    parallelize(schedule, [n, c], math.prod(shape))
    return finish(schedule, name)


def concat_kernel(
    batch: int,
    channels: Sequence[int],
    size: tuple[int, int],
    name: str = "concat",
    lanes: int = 16,
) -> PrimFunc:
    """Blocked inputs with `channels[i]` channels each, in blocks of their own -> one blocked tensor."""
    total = sum(channels)
    inputs = [te.placeholder(blocked_shape((batch, c, *size), lanes), name=f"data{i}") for i, c in enumerate(channels)]
    starts = [sum(channels[:i]) for i in range(len(channels))]
    out_block = block(total, lanes)
    whole_blocks = all(block(c, lanes) == out_block and start % out_block == 0 for c, start in zip(channels, starts, strict=True))

    def element(n, c, h, w, i) -> Expr:
        def from_input(index: int) -> Expr:
            if whole_blocks:
                return inputs[index][n, c - starts[index] // out_block, h, w, i]
            channel, b = c * out_block + i - starts[index], block(channels[index], lanes)
            return inputs[index][n, channel // b, h, w, channel % b]

        value = from_input(len(inputs) - 1)
        for index in range(len(inputs) - 2, -1, -1):
            end = starts[index + 1]
            before_end = c < end // out_block if whole_blocks else c * out_block + i < end
            value = tirx.if_then_else(before_end, from_input(index), value)
        return value

    out = te.compute(blocked_shape((batch, total, *size), lanes), element, name="out")
    return rows_in_parallel(inputs, out, vector=whole_blocks, name=name)


def rows_in_parallel(inputs: Sequence[te.Tensor], out: te.Tensor, vector: bool, name: str) -> PrimFunc:
    """Threads over (batch, channel block, row) of the output."""
    schedule = Schedule(te.create_prim_func([*inputs, out]))
    loops = list(schedule.get_loops(schedule.get_sblock("out")))
    parallelize(schedule, loops[:3], math.prod(int(extent) for extent in out.shape))
    if vector:
        vectorize(schedule, loops[-1])
    return finish(schedule, name)
