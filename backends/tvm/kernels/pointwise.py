"""Elementwise kernels: stages on a tensor of any rank. Adding two tensors is a stage with a "tensor" extra."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tvm import te
from tvm.ir import Expr
from tvm.s_tir import Schedule
from tvm.tirx import PrimFunc

from .epilogue import Stage, any_scalar, apply_stages, flat, placeholders
from .function import finish, parallelize, vectorize


def pointwise(shape: Sequence[int], stages: Sequence[Stage], name: str = "pointwise", lanes: int = 16) -> PrimFunc:
    """(data, extras, output). `shape` is the stored one: rank 5 means blocked, with channel extras [C/b, b].

    On any other rank the channel is axis 1 (axis 0 of a vector) and channel extras are [C].
    """
    shape = tuple(shape)
    blocked = len(shape) == 5
    channel_axes = (1, 4) if blocked else (min(1, len(shape) - 1),) if shape else ()
    data = te.placeholder(shape, name="data")
    extras = placeholders(stages, [shape[axis] for axis in channel_axes], shape, "extra")

    def element(*index) -> Expr:
        def read(tensor, extra) -> Expr:
            return tensor(*(index[axis] for axis in channel_axes)) if extra.kind == "channel" else tensor(*index)

        return apply_stages(data(*index), stages, extras, read)

    out = te.compute(shape, element, name="out")
    schedule = Schedule(te.create_prim_func([data, *flat(extras), out]))
    loops = list(schedule.get_loops(schedule.get_sblock("out")))
    elements = math.prod(shape)
    if blocked:
        *outer, lane = loops
        parallelize(schedule, outer, elements)
        vectorize(schedule, lane, any_scalar(stages))
    elif loops:
        vector = math.gcd(elements, lanes)
        fused = schedule.fuse(*loops) if len(loops) > 1 else loops[0]
        outer, lane = schedule.split(fused, [None, vector])
        parallelize(schedule, [outer], elements)
        vectorize(schedule, lane, any_scalar(stages))
    return finish(schedule, name)
