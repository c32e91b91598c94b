"""Pooling. Caffe rounds the number of windows up, and its averages count padding, cut off one padding behind the map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cnnir.diagnostics import OpError
from cnnir.ir.graph import Value
from cnnir.ops.pooling import AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool
from cnnir.types import TensorType

from ..record import Record
from ..site import Site
from .registry import layer


@layer("Pooling", tops=(1, 2))
def pooling(site: Site) -> Sequence[Value]:
    """Max and average pools of two axes; global ones."""
    said = site.parameter("pooling_param")
    if said.text("pool") == "STOCHASTIC":
        raise site.refuse("stochastic pooling draws lots, and has no meaning at inference that frameworks agree on", said, "pool")
    if len(site.layer.tops) > 1:
        raise site.refuse("a pool's second top, the places of its maxima as floats")
    if site.type.rank != 4:
        raise site.refuse(f"`Pooling` needs an input of rank 4, this is {site.type}", code="C0202")
    average = said.text("pool") == "AVE"
    if said.flag("global_pooling"):
        return [site.emit(GlobalAvgPool() if average else GlobalMaxPool())]
    kernel, stride, pad = (_pair(site, said, f, s) for f, s in (("kernel_size", "kernel"), ("stride", "stride"), ("pad", "pad")))
    if any(p >= k for p, k in zip(pad, kernel, strict=True)):
        raise site.refuse(f"the pad {list(pad)} of a pool is less than its kernel {list(kernel)}", said, "pad", "C0206")
    op = AvgPool(kernel, stride, pad + pad, count_include_pad=max(pad) > 0) if average else MaxPool(kernel, stride, pad + pad)
    if _rounds_up(said):
        op = _rounded_up(site, op, said)
    return [site.emit(op)]


def _rounds_up(said: Record) -> bool:
    return said.flag("ceil_mode") if "ceil_mode" in said else said.text("round_mode") == "CEIL"


def _pair(site: Site, said: Record, field: str, stem: str) -> tuple[int, int]:
    """A field that is given once for both axes, or as `stem_h` and `stem_w`."""
    if f"{stem}_h" in said or f"{stem}_w" in said:
        if field in said:
            raise site.refuse(f"`{field}` is given beside `{stem}_h` and `{stem}_w`", said, field, "C0842")
        usual = 1 if stem == "stride" else 0
        high, wide = (said.whole(f"{stem}_{side}") if f"{stem}_{side}" in said else usual for side in "hw")
        return high, wide
    if stem == "kernel" and field not in said:
        raise site.refuse(f"layer `{site.layer.name}` needs `kernel_size`, or `global_pooling: true`", code="C0842")
    return said.whole(field), said.whole(field)


def _rounded_up(site: Site, op: MaxPool | AvgPool, said: Record) -> MaxPool | AvgPool:
    """The pool with as many windows as Caffe gives it, and no word of it where rounding down gives the same."""
    up = replace(op, ceil=True)
    try:
        counts = [[w.outputs for w in pool.windows(site.type)] for pool in (op, up)]
    except OpError:
        return up  # `emit` says what is wrong
    wanted = [_windows(site.type, op, axis) for axis in (0, 1)]
    if counts[1] != wanted:
        raise site.refuse(f"Caffe's {wanted} windows of this pool begin behind the map's end", said, "stride", "C0208")
    return op if counts[0] == wanted else up


def _windows(data: TensorType, op: MaxPool | AvgPool, axis: int) -> int:
    """PoolingLayer::Reshape: rounded up; with padding, without a last window that begins in the padding behind the map."""
    n, k, s, p = data.spatial[axis], op.kernel[axis], op.stride[axis], op.pad[axis]
    count = -(-(n + 2 * p - k) // s) + 1
    return count - 1 if max(op.pad) > 0 and (count - 1) * s >= n + p else count
