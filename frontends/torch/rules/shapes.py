"""Operations that move elements and change none: views, joins, borders."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cnnir.ops.border import Pad
from cnnir.ops.rearrange import DepthToSpace, Expand, Tile
from cnnir.ops.shape import Reshape, Slice, Split, Squeeze, Transpose, Unsqueeze
from cnnir.ops.tensor import Concat, Flatten

from ..build import Build, Known, Operand, Unsupported
from .table import Number, Rule


def reshape(build: Build, input: Operand, shape: Sequence[int]) -> Operand:
    """The same elements in another shape: `flatten` where that is what it is, nothing where it is the same."""
    old, sizes = build.shape(input), tuple(shape)
    if -1 in sizes:
        left = math.prod(old) // max(1, math.prod(n for n in sizes if n != -1))
        sizes = tuple(left if n == -1 else n for n in sizes)
    if sizes == old:
        return input
    flat = len(sizes) == 2 and len(old) > 2 and sizes[0] == old[0]
    return build.add(Flatten() if flat else Reshape(sizes), input)


def _view(build: Build, input: Operand, size: Sequence[int]) -> Operand:
    return reshape(build, input, size)


def _like(build: Build, input: Operand, other: Operand) -> Operand:
    return reshape(build, input, build.shape(other))


def _flatten(build: Build, input: Operand, start_dim: int = 0, end_dim: int = -1) -> Operand:
    shape = build.shape(input)
    first, last = build.axis(start_dim, len(shape)), build.axis(end_dim, len(shape))
    return reshape(build, input, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


def _unflatten(build: Build, input: Operand, dim: int, sizes: Sequence[int]) -> Operand:
    shape = build.shape(input)
    axis, known = build.axis(dim, len(shape)), math.prod(n for n in sizes if n != -1)
    parts = [shape[axis] // known if n == -1 else n for n in sizes]
    return reshape(build, input, (*shape[:axis], *parts, *shape[axis + 1 :]))


def _squeeze(build: Build, input: Operand, dim: int | Sequence[int] | None = None) -> Operand:
    shape = build.shape(input)
    asked = range(len(shape)) if dim is None else [build.axis(d, len(shape)) for d in ((dim,) if isinstance(dim, int) else dim)]
    axes = tuple(a for a in asked if shape[a] == 1)
    return build.add(Squeeze(axes), input) if axes else input


def _unsqueeze(build: Build, input: Operand, dim: int) -> Operand:
    return build.add(Unsqueeze((build.axis(dim, len(build.shape(input)) + 1),)), input)


def permute(build: Build, input: Operand, dims: Sequence[int]) -> Operand:
    """Axes in another order; a known matrix remembers what it is the transpose of."""
    rank = len(build.shape(input))
    order = tuple(build.axis(d, rank) for d in dims)
    if order == tuple(range(rank)):
        return input
    found = build.add(Transpose(order), input)
    if isinstance(found, Known) and isinstance(input, Known) and rank == 2:
        return Known(found.key, found.values, found.kind, found.derived, transposed=input)
    return found


def _transpose(build: Build, input: Operand, dim0: int, dim1: int) -> Operand:
    rank = len(build.shape(input))
    order = list(range(rank))
    a, b = build.axis(dim0, rank), build.axis(dim1, rank)
    order[a], order[b] = b, a
    return permute(build, input, order)


def _t(build: Build, input: Operand) -> Operand:
    return permute(build, input, tuple(reversed(range(len(build.shape(input))))))


def _movedim(build: Build, input: Operand, source: int | Sequence[int], destination: int | Sequence[int]) -> Operand:
    rank = len(build.shape(input))
    origins = [build.axis(a, rank) for a in ((source,) if isinstance(source, int) else source)]
    targets = [build.axis(a, rank) for a in ((destination,) if isinstance(destination, int) else destination)]
    rest = iter(a for a in range(rank) if a not in origins)
    order = [origins[targets.index(i)] if i in targets else next(rest) for i in range(rank)]
    return permute(build, input, order)


def cat(build: Build, tensors: Sequence[Operand], dim: int = 0) -> Operand:
    """One after another; PyTorch lets empty vectors stand among them."""
    parts = [t for t in tensors if build.shape(t) != (0,)]
    axis = build.axis(dim, len(build.shape(parts[0])))
    return parts[0] if len(parts) == 1 else build.add(Concat(axis), *parts)


def _stack(build: Build, tensors: Sequence[Operand], dim: int = 0) -> Operand:
    axis = build.axis(dim, len(build.shape(tensors[0])) + 1)
    return cat(build, [build.add(Unsqueeze((axis,)), t) for t in tensors], axis)


def _pieces(build: Build, input: Operand, sizes: Sequence[int], axis: int) -> tuple[Operand, ...]:
    if len(sizes) == 1:
        return (input,)
    equal = len(set(sizes)) == 1
    return build.outputs(Split(len(sizes) if equal else tuple(sizes), axis), input)


def _split(build: Build, input: Operand, split_size: int | Sequence[int], dim: int = 0) -> tuple[Operand, ...]:
    """Pieces of a size, the last of which may be smaller, or of each of several sizes."""
    shape = build.shape(input)
    axis = build.axis(dim, len(shape))
    if not isinstance(split_size, int):
        return _pieces(build, input, split_size, axis)
    whole, rest = divmod(shape[axis], split_size)
    return _pieces(build, input, [split_size] * whole + [rest] * bool(rest), axis)


def _split_with_sizes(build: Build, input: Operand, split_sizes: Sequence[int], dim: int = 0) -> tuple[Operand, ...]:
    return _split(build, input, split_sizes, dim)


def _chunk(build: Build, input: Operand, chunks: int, dim: int = 0) -> tuple[Operand, ...]:
    length = build.shape(input)[dim]
    return _split(build, input, -(-length // chunks), dim)


def _tensor_split(build: Build, input: Operand, sections: int, dim: int = 0) -> tuple[Operand, ...]:
    length = build.shape(input)[dim]
    return _split(build, input, [length // sections + (i < length % sections) for i in range(sections)], dim)


def _unbind(build: Build, input: Operand, dim: int = 0) -> tuple[Operand, ...]:
    shape = build.shape(input)
    axis = build.axis(dim, len(shape))
    return tuple(build.add(Squeeze((axis,)), part) for part in _pieces(build, input, [1] * shape[axis], axis))


def _expand(build: Build, input: Operand, size: Sequence[int], implicit: bool = False) -> Operand:
    """-1 keeps an axis."""
    del implicit
    shape = build.shape(input)
    old = (1,) * (len(size) - len(shape)) + shape
    target = tuple(o if n == -1 else n for n, o in zip(size, old, strict=True))
    return input if target == shape else build.add(Expand(target), input)


def _expand_as(build: Build, input: Operand, other: Operand) -> Operand:
    return _expand(build, input, build.shape(other))


def _repeat(build: Build, input: Operand, repeats: Sequence[int]) -> Operand:
    more = len(repeats) - len(build.shape(input))
    data = build.add(Unsqueeze(tuple(range(more))), input) if more else input
    return data if set(repeats) == {1} else build.add(Tile(tuple(repeats)), data)


def _tile(build: Build, input: Operand, dims: Sequence[int]) -> Operand:
    return _repeat(build, input, (1,) * (len(build.shape(input)) - len(dims)) + tuple(dims))


def _repeat_interleave(build: Build, input: Operand, repeats: int, dim: int | None = None, output_size: int | None = None) -> Operand:
    """Each element of an axis so many times."""
    del output_size
    if dim is None:
        raise Unsupported("repeat_interleave over all axes")
    shape = build.shape(input)
    axis = build.axis(dim, len(shape))
    apart = build.add(Unsqueeze((axis + 1,)), input)
    wide = build.add(Expand((*shape[: axis + 1], repeats, *shape[axis + 1 :])), apart)
    return reshape(build, wide, (*shape[:axis], shape[axis] * repeats, *shape[axis + 1 :]))


_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}


def border(build: Build, input: Operand, pad: Sequence[int], mode: str = "constant", value: Number | None = None) -> Operand:
    """PyTorch names the last axis first; a negative width cuts off; `circular` continues at the other end."""
    rank, pairs = len(build.shape(input)), list(zip(pad[::2], pad[1::2], strict=True))
    widths = [(0, 0)] * (rank - len(pairs)) + pairs[::-1]
    data = input
    for axis, (before, after) in enumerate(widths):
        if min(before, after) < 0:
            n = build.shape(data)[axis]
            data = build.add(Slice((max(0, -before),), (n - max(0, -after),), (axis,)), data)
    grown = [(max(0, b), max(0, a)) for b, a in widths]
    if not any(map(any, grown)):
        return data
    if mode == "circular":
        return _circular(build, data, grown)
    first = next(i for i, width in enumerate(grown) if any(width))
    begin = min(first, 2) if rank > 2 else 0
    before, after = (tuple(width[side] for width in grown[begin:]) for side in (0, 1))
    return build.add(Pad(before, after, float(value or 0), _MODES[mode]), data)  # type: ignore[arg-type]  # of the table


def _circular(build: Build, data: Operand, widths: Sequence[tuple[int, int]]) -> Operand:
    for axis, (before, after) in enumerate(widths):
        n = build.shape(data)[axis]
        front = [build.add(Slice((n - before,), (n,), (axis,)), data)] if before else []
        behind = [build.add(Slice((0,), (after,), (axis,)), data)] if after else []
        data = cat(build, [*front, data, *behind], axis)
    return data


def _constant_pad(build: Build, input: Operand, pad: Sequence[int], value: Number = 0) -> Operand:
    return border(build, input, pad, "constant", value)


def _border(mode: str) -> Rule:
    def rule(build: Build, input: Operand, padding: Sequence[int]) -> Operand:
        return border(build, input, padding, mode)

    return rule


def _pixel_shuffle(build: Build, input: Operand, upscale_factor: int) -> Operand:
    return build.add(DepthToSpace(upscale_factor, "crd"), input)


def _pixel_unshuffle(build: Build, input: Operand, downscale_factor: int) -> Operand:
    (n, c, h, w), b = build.shape(input), downscale_factor
    apart = reshape(build, input, (n, c, h // b, b, w // b, b))
    return reshape(build, build.add(Transpose((0, 1, 3, 5, 2, 4)), apart), (n, c * b * b, h // b, w // b))


def _channel_shuffle(build: Build, input: Operand, groups: int) -> Operand:
    n, c, *rest = build.shape(input)
    apart = reshape(build, input, (n, groups, c // groups, *rest))
    return reshape(build, build.add(Transpose((0, 2, 1, *range(3, 3 + len(rest)))), apart), (n, c, *rest))


RULES: Mapping[str, Rule] = {
    "view": _view, "_unsafe_view": _view, "reshape": reshape, "view_as": _like, "reshape_as": _like, "flatten": _flatten,
    "unflatten": _unflatten, "squeeze": _squeeze, "unsqueeze": _unsqueeze, "permute": permute, "transpose": _transpose,
    "swapaxes": _transpose, "t": _t, "numpy_T": _t, "movedim": _movedim,
    "cat": cat, "concat": cat, "concatenate": cat, "stack": _stack, "split": _split, "split_with_sizes": _split_with_sizes, "chunk": _chunk,
    "tensor_split": _tensor_split, "unbind": _unbind, "expand": _expand, "expand_as": _expand_as, "repeat": _repeat, "tile": _tile,
    "repeat_interleave.self_int": _repeat_interleave, "pad": border, "constant_pad_nd": _constant_pad,
    **{f"reflection_pad{n}d": _border("reflect") for n in (1, 2, 3)}, **{f"replication_pad{n}d": _border("replicate") for n in (1, 2, 3)},
    "pixel_shuffle": _pixel_shuffle, "pixel_unshuffle": _pixel_unshuffle, "channel_shuffle": _channel_shuffle,
    "native_channel_shuffle": _channel_shuffle,
}  # fmt: skip
