"""Layers that move elements: Concat, Slice, Split, Flatten, Reshape, Crop, Tile, Permute, ShuffleChannel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from cnnir.ir.graph import Value
from cnnir.ops.rearrange import Tile
from cnnir.ops.shape import Reshape, Slice, Split, Transpose
from cnnir.ops.tensor import Concat, Flatten

from ..record import Record
from ..site import Site
from .registry import MANY, layer


def _axis(site: Site, said: Record, older: str) -> int:
    """`axis`, or what it was called before."""
    if older in said and "axis" in said:
        raise site.refuse(f"`{older}` is an older name of `axis`: one of them is given", said, older, "C0842")
    return site.axis(said, older if older in said else "axis")


@layer("Concat", bottoms=(1, MANY))
def concat(site: Site) -> Sequence[Value]:
    """Inputs one after another along an axis."""
    return [site.emit(Concat(_axis(site, site.parameter("concat_param"), "concat_dim")), *site.inputs)]


@layer("Split", tops=(1, MANY))
def split(site: Site) -> Sequence[Value]:
    """The same tensor under several names."""
    return [site.data] * len(site.layer.tops)


@layer("Slice", tops=(1, MANY))
def cut(site: Site) -> Sequence[Value]:
    """The input in pieces along an axis: equal ones, or cut at `slice_point`."""
    said, tops = site.parameter("slice_param"), len(site.layer.tops)
    axis, points = _axis(site, said, "slice_dim"), said.wholes("slice_point")
    length = site.type.shape[axis]
    if tops == 1 and not points:
        return [site.data]
    if points and len(points) != tops - 1:
        raise site.refuse(f"{len(points)} `slice_point` for {tops} tops: there is one between each two", said, "slice_point", "C0842")
    edges = [0, *points, length]
    if points and any(a >= b for a, b in pairwise(edges)):
        raise site.refuse(f"`slice_point` {points} does not cut an axis of {length} elements", said, "slice_point", "C0206")
    sizes = tuple(b - a for a, b in pairwise(edges))
    made = site.emit(Split(sizes if len(set(sizes)) > 1 else tops, axis))
    return site.graph.values(made.layer)


@layer("Flatten")
def flatten(site: Site) -> Sequence[Value]:
    """Axes `axis` to `end_axis` as one."""
    said, shape = site.parameter("flatten_param"), site.type.shape
    first, last = site.axis(said), site.axis(said, "end_axis")
    if last < first:
        raise site.refuse("`end_axis` lies before `axis`", said, "end_axis", "C0206")
    if (first, last) == (1, len(shape) - 1):
        return [site.emit(Flatten())]
    return [site.emit(Reshape((*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])))]


@layer("Reshape")
def reshape(site: Site) -> Sequence[Value]:
    """Other sizes for some axes: 0 keeps one, -1 is what is left."""
    said, shape = site.parameter("reshape_param"), site.type.shape
    begin = said.whole("axis") + (len(shape) + 1 if said.whole("axis") < 0 else 0)
    end = len(shape) if said.whole("num_axes") == -1 else begin + said.whole("num_axes")
    if not 0 <= begin <= end <= len(shape):
        raise site.refuse(f"`axis` and `num_axes` go beyond the axes of {site.type}", said, "axis", "C0209")
    dims = said.record("shape").wholes("dim")
    kept = [place for place, size in enumerate(dims) if size == 0]
    if any(begin + place >= len(shape) for place in kept):
        raise site.refuse(f"a `dim` of 0 keeps an axis that {site.type} does not have", said, "shape", "C0209")
    sizes = [shape[begin + place] if size == 0 else size for place, size in enumerate(dims)]
    return [site.emit(_reshape(site, said, (*shape[:begin], *sizes, *shape[end:])))]


def _reshape(site: Site, said: Record, sizes: tuple[int, ...]) -> Reshape:
    """The op, with -1 worked out."""
    if sizes.count(-1) > 1 or any(n < -1 or n == 0 for n in sizes):
        raise site.refuse(f"sizes of a reshape are 0 or more, at most one of them -1; here they are {list(sizes)}", said, "shape", "C0206")
    left = site.type.elements // max(1, math.prod(n for n in sizes if n != -1))
    return Reshape(tuple(max(1, left) if n == -1 else n for n in sizes))


@layer("Crop", bottoms=(2, 2))
def crop(site: Site) -> Sequence[Value]:
    """As much of the first input, from `axis` on, as the second one has; `offset` says from where."""
    said, (data, like) = site.parameter("crop_param"), site.types
    axis, offsets = site.axis(said), said.wholes("offset")
    axes = tuple(range(axis, data.rank))
    if like.rank != data.rank or len(offsets) not in (0, 1, len(axes)):
        raise site.refuse(f"`Crop` of {data} to {like}: ranks agree, and `offset` is given once or for each axis", said, "offset", "C0204")
    begin = tuple(offsets) if len(offsets) == len(axes) else tuple(offsets or [0]) * len(axes)
    end = tuple(b + like.shape[a] for a, b in zip(axes, begin, strict=True))
    if any(e > data.shape[a] for a, e in zip(axes, end, strict=True)):
        raise site.refuse(f"there is not as much of {data} behind the offsets {list(begin)} as {like} has", said, "offset", "C0204")
    return [site.emit(Slice(begin, end, axes), site.data)]


@layer("Tile")
def tile(site: Site) -> Sequence[Value]:
    """An axis several times over."""
    said = site.parameter("tile_param")
    axis = site.axis(said)
    if said.whole("tiles") < 1:
        raise site.refuse("`tiles` is 1 or more", said, "tiles", "C0206")
    return [site.emit(Tile(tuple(said.whole("tiles") if i == axis else 1 for i in range(site.type.rank))))]


@layer("Permute")
def permute(site: Site) -> Sequence[Value]:
    """Axes in another order (SSD's layer); those not named stay behind in theirs."""
    said, rank = site.parameter("permute_param"), site.type.rank
    order = said.wholes("order")
    order += [axis for axis in range(rank) if axis not in order]
    if sorted(order) != list(range(rank)):
        raise site.refuse(f"`order` names axes of {site.type}, each once", said, "order", "C0209")
    return [site.emit(Transpose(tuple(order)))]


@layer("ShuffleChannel")
def shuffle_channel(site: Site) -> Sequence[Value]:
    """Channels dealt out in groups (ShuffleNet's layer)."""
    group, (n, c, *spatial) = site.parameter("shuffle_channel_param").whole("group"), site.type.shape
    if group < 1 or c % group:
        raise site.refuse(f"{c} channels do not divide into {group} groups", code="C0207")
    apart = site.emit(Reshape((n, group, c // group, *spatial)), suffix="apart")
    dealt = site.emit(Transpose((0, 2, 1, *range(3, 3 + len(spatial)))), apart, suffix="dealt")
    return [site.emit(Reshape((n, c, *spatial)), dealt)]
