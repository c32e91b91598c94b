"""Fully connected layer: one pass over the packed weight, which is what its time is (batch 1 is memory-bound)."""

from __future__ import annotations

from collections.abc import Sequence

from tvm import te
from tvm.ir import Expr
from tvm.s_tir import Schedule
from tvm.tirx import PrimFunc

from .blocked import dense_panel
from .epilogue import Stage, any_scalar, apply_stages, flat, placeholders
from .function import finish, parallelize, vectorize

BATCH_TILE = 8  # rows of the batch summed together; more would not fit the registers


def dense(
    batch: int,
    in_features: int,
    out_features: int,
    stages: Sequence[Stage] = (),
    name: str = "dense",
    lanes: int = 16,
) -> PrimFunc:
    """(data [N, I], weight from `pack_dense_weight`, extras, output [N, O]). A "channel" extra has shape [O].

    Every output is summed over I in order, one fma at a time, whatever the batch, the panel or the stages.
    """
    panel = dense_panel(batch, out_features, lanes)
    vectors, panels = panel // lanes, -(-out_features // panel)
    data = te.placeholder((batch, in_features), name="data")
    weight = te.placeholder((panels, in_features, panel), name="weight")
    extras = placeholders(stages, (out_features,), (batch, out_features), "extra")
    i = te.reduce_axis((0, in_features), "i")
    sums = te.compute(
        (batch, panels, vectors, lanes),
        lambda n, p, v, o: te.sum(data[n, i] * weight[p, i, v * lanes + o], axis=[i]),
        name="sums",
    )
    # the stores may be scalar (O not a multiple of the panel, or a stage that calls C): keep them off the registers
    values = te.compute(sums.shape, lambda *index: sums(*index), name="values")

    def element(n, f) -> Expr:
        value = values(n, f // panel, f % panel // lanes, f % lanes)
        read = lambda tensor, extra: tensor(f) if extra.kind == "channel" else tensor(n, f)  # noqa: E731
        return apply_stages(value, stages, extras, read)

    out = te.compute((batch, out_features), element, name="out")
    schedule = Schedule(te.create_prim_func([data, weight, *flat(extras), out]))
    whole = out_features % panel == 0 and not any_scalar(stages)
    schedule_panels(schedule, panel, lanes, whole, work=batch * in_features * out_features)
    return finish(schedule, name)


def schedule_panels(schedule: Schedule, panel: int, lanes: int, whole: bool, work: int) -> None:
    """Threads over panels; within one, tiles of the batch; `whole`: no panel sticks out over O."""
    out, values, sums = (schedule.get_sblock(name) for name in ("out", "values", "sums"))
    n, f = schedule.get_loops(out)
    n_out, n_in = schedule.split(n, [None, BATCH_TILE] if int(schedule.get(n).extent) > BATCH_TILE else [1, None])
    p, v, o = schedule.split(f, [None, panel // lanes, lanes])
    schedule.reorder(p, n_out, n_in, v, o)
    parallelize(schedule, [p], work)
    if whole:
        vectorize(schedule, o)
    for block in (values, sums):
        schedule.set_scope(block, 0, "local")
        schedule.compute_at(block, n_out, preserve_unit_loops=True)
    n, p, v, o = list(schedule.get_loops(values))[-4:]
    unroll_tile(schedule, n, v, o)
    n, p, v, o, i = list(schedule.get_loops(sums))[-5:]
    schedule.reorder(p, i, n, v, o)
    unroll_tile(schedule, n, v, o)
    schedule.decompose_reduction(sums, i)


def unroll_tile(schedule: Schedule, n, v, o) -> None:
    """Everything in the tile into registers."""
    schedule.unroll(n)
    schedule.unroll(v)
    vectorize(schedule, o)
