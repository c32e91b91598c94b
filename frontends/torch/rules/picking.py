"""Operations that pick elements out of a tensor, or put some into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cnnir.ops.rearrange import Gather
from cnnir.ops.shape import Slice, Squeeze, Unsqueeze

from ..build import Array, Build, Known, Operand, Unsupported
from .shapes import cat
from .table import Outcome, Rule


def part(build: Build, input: Operand, axis: int, begin: int, end: int, step: int = 1) -> Operand:
    """Elements of one axis; the tensor itself where these are all."""
    length = build.shape(input)[axis]
    if step == 1 and begin <= 0 and end >= length:
        return input
    return build.add(Slice((begin,), (end,), (axis,), () if step == 1 else (step,)), input)


def _slice(build: Build, input: Operand, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Operand:
    axis = build.axis(dim, len(build.shape(input)))
    first, last, _ = slice(start, end, step).indices(build.shape(input)[axis])
    return part(build, input, axis, first, last, step)


def _narrow(build: Build, input: Operand, dim: int, start: int, length: int) -> Operand:
    axis = build.axis(dim, len(build.shape(input)))
    begin = start % build.shape(input)[axis]
    return part(build, input, axis, begin, begin + length)


def _select(build: Build, input: Operand, dim: int, index: int) -> Operand:
    shape = build.shape(input)
    axis = build.axis(dim, len(shape))
    place = index % shape[axis]
    return build.add(Squeeze((axis,)), part(build, input, axis, place, place + 1))


def _flip(build: Build, input: Operand, dims: Sequence[int]) -> Operand:
    rank = len(build.shape(input))
    axes = tuple(build.axis(d, rank) for d in dims)
    lengths = [build.shape(input)[a] for a in axes]
    return build.add(Slice((-1,) * len(axes), tuple(-n - 1 for n in lengths), axes, (-1,) * len(axes)), input)


def _roll(build: Build, input: Operand, shifts: int | Sequence[int], dims: int | Sequence[int] = ()) -> Operand:
    """What falls off the end comes in at the beginning."""
    steps, axes = ([v] if isinstance(v, int) else list(v) for v in (shifts, dims))
    if not axes:
        raise Unsupported("roll over all axes as one")
    data = input
    for shift, dim in zip(steps, axes, strict=True):
        axis = build.axis(dim, len(build.shape(data)))
        n = build.shape(data)[axis]
        cut = -shift % n
        if cut:
            data = cat(build, [part(build, data, axis, cut, n), part(build, data, axis, 0, cut)], axis)
    return data


def _index_select(build: Build, input: Operand, dim: int, index: Operand) -> Operand:
    return build.add(Gather(None, build.axis(dim, len(build.shape(input)))), input, index)


def _embedding(
    build: Build, weight: Operand, indices: Operand, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Operand:
    del padding_idx, scale_grad_by_freq, sparse
    return build.add(Gather(None, 0), weight, indices)


def _index(build: Build, input: Operand, indices: Sequence[Operand | None]) -> Operand:
    """One axis indexed by whole numbers; masks and several axes at once are not among the layers."""
    given = [(axis, index) for axis, index in enumerate(indices) if index is not None]
    if len(given) != 1 or build.type(given[0][1]).dtype == "bool":
        raise Unsupported("indexing by a mask, or along several axes at once")
    axis, index = given[0]
    if isinstance(index, Known) and index.values.ndim == 1:
        flat: Array = index.values
        return build.add(Gather(tuple(int(i) for i in flat.tolist()), axis), input)
    return build.add(Gather(None, axis), input, index)


def _slice_scatter(
    build: Build, input: Operand, src: Operand, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Operand:
    """The input with another tensor in the place of a slice."""
    axis = build.axis(dim, len(build.shape(input)))
    n = build.shape(input)[axis]
    first, last, _ = slice(start, end, step).indices(n)
    if step != 1:
        raise Unsupported("writing into every other element")
    front = [part(build, input, axis, 0, first)] if first > 0 else []
    behind = [part(build, input, axis, last, n)] if last < n else []
    return cat(build, [*front, src, *behind], axis)


def _select_scatter(build: Build, input: Operand, src: Operand, dim: int, index: int) -> Operand:
    shape = build.shape(input)
    axis = build.axis(dim, len(shape))
    place = index % shape[axis]
    return _slice_scatter(build, input, build.add(Unsqueeze((axis,)), src), axis, place, place + 1)


def _scalar(build: Build, input: Outcome) -> Outcome:
    """The number in a tensor that is known."""
    if isinstance(input, Known) and input.values.size == 1:
        return input.values.item()
    raise Unsupported("a number that depends on the data")


def _meshgrid(build: Build, tensors: Sequence[Operand], indexing: str = "ij") -> tuple[Operand, ...]:
    if not all(isinstance(t, Known) for t in tensors):
        raise Unsupported("a grid of what is computed")
    grids = np.meshgrid(*(t.values for t in tensors if isinstance(t, Known)), indexing="xy" if indexing == "xy" else "ij")
    return tuple(build.derived(grid) for grid in grids)


RULES: Mapping[str, Rule] = {
    "slice": _slice, "narrow": _narrow, "select": _select, "flip": _flip, "roll": _roll, "index_select": _index_select,
    "embedding": _embedding, "index": _index, "slice_scatter": _slice_scatter, "select_scatter": _select_scatter,
    "item": _scalar, "_local_scalar_dense": _scalar, "meshgrid": _meshgrid,
}  # fmt: skip
