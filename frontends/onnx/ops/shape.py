"""Shapes: what reads, changes or rearranges them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cnnir.ir.weights import Computed
from cnnir.ops.arithmetic import Add, Modulo, Sub
from cnnir.ops.piecewise import Clip
from cnnir.ops.rearrange import DepthToSpace, Expand, Gather, SpaceToDepth, Tile
from cnnir.ops.shape import Reshape, Slice, Split, Squeeze, Transpose, Unsqueeze
from cnnir.ops.tensor import Concat, Flatten
from cnnir.types import TensorType

from ..context import Context
from ..elements import DTYPES, NARROW, STORED, element_name
from ..node import Known, Node, Operand
from ..problems import refuse
from ..registry import Unreadable, reads
from ..tensors import Place, checked_shape, read


def axis_of(node: Node, rank: int, default: int) -> int:
    """The attribute `axis`, counted from the front; raises CnnirError where there is no such axis."""
    axis = node.int("axis", default)
    if not -rank <= axis < max(rank, 1):
        raise refuse("C0209", f"{node.title} has no axis {axis} on data of {rank} axes", node.span)
    return axis % max(rank, 1)


@reads("Constant")
def constant(node: Node, context: Context) -> Operand:
    """A tensor, a number, or a list of numbers."""
    tensor = node.tensor("value")
    if tensor is not None:
        return read(tensor, Place(None, {}), node.span, node.outputs[0])
    forms = (
        ("value_float", node.float, np.float32),
        ("value_int", node.int, np.int64),
        ("value_floats", node.floats, np.float32),
        ("value_ints", node.ints, np.int64),
    )
    for name, value, dtype in forms:
        if node.has(name):
            made = context.constant(np.asarray(value(name), dtype), "")
            return Known(node.outputs[0], made.type, made.source)
    raise refuse("C0812", f"{node.title} holds what has no type here", node.span)


@reads("ConstantOfShape")
def constant_of_shape(node: Node, context: Context) -> Operand:
    """One number everywhere; made when it is asked for."""
    value, shape = node.tensor("value"), checked_shape(node.outputs[0], list(context.integers(0)), node.span)
    fill = np.zeros(1, np.float32) if value is None else read(value, Place(None, {}), node.span, node.outputs[0]).array()
    dtype = TensorType("f32", shape) if value is None else TensorType(STORED[value.data_type], shape)
    return Known(node.outputs[0], dtype, Computed(shape, dtype.numpy, lambda: np.full(shape, fill.reshape(-1)[0], dtype.numpy)))


@reads("Identity")
def identity(node: Node, context: Context) -> Operand:
    """The input itself."""
    return node.data()


@reads("Shape")
def shape(node: Node, context: Context) -> Operand:
    """The sizes, which are known."""
    sizes = context.type(node.data()).shape
    end = node.int("end", len(sizes))
    return context.constant(np.asarray(sizes[node.int("start") : end], np.int64), "sizes")


@reads("Size")
def size(node: Node, context: Context) -> Operand:
    """How many elements there are, which is known."""
    return context.constant(np.asarray(context.type(node.data()).elements, np.int64), "count")


@reads("Reshape")
def reshape(node: Node, context: Context) -> Operand:
    """Reshape: 0 keeps a size, unless `allowzero`; -1 is what is left."""
    data, wanted = context.type(node.data()), list(context.integers(1))
    if not node.int("allowzero"):
        if any(n == 0 and i >= data.rank for i, n in enumerate(wanted)):
            raise refuse("C0204", f"{node.title} keeps an axis that its data {data} do not have", node.span)
        wanted = [data.shape[i] if n == 0 else n for i, n in enumerate(wanted)]
    if any(n < -1 for n in wanted) or wanted.count(-1) > 1 or any(n > 2**31 for n in wanted):
        raise refuse("C0206", f"{node.title} asks for the shape {wanted}", node.span)
    if 0 in wanted or not data.elements:
        raise Unreadable("it makes a tensor without elements")
    if isinstance(node.data(), Known) and -1 not in wanted and math.prod(wanted) == data.elements:
        return _known(node).reshaped(wanted)
    return context.emit(Reshape(tuple(wanted)), node.data())


def _known(node: Node) -> Known:
    data = node.data()
    assert isinstance(data, Known)
    return data


@reads("Flatten")
def flatten(node: Node, context: Context) -> Operand:
    """(N, C, H, W) as (N, C H W), or split at another axis."""
    data = context.type(node.data())
    axis = node.int("axis", 1)
    if not -data.rank <= axis <= data.rank:
        raise refuse("C0209", f"{node.title} has no axis {axis} on data of {data.rank} axes", node.span)
    axis += data.rank if axis < 0 else 0
    if axis == 1 and not isinstance(node.data(), Known):
        return context.emit(Flatten(), node.data())
    return context.emit(Reshape((math.prod(data.shape[:axis]), math.prod(data.shape[axis:]))), node.data())


def axes_input(node: Node, context: Context, since: int) -> tuple[int, ...] | None:
    """Axes: an attribute before a version, an input since then."""
    return context.optional_integers(1) if node.version >= since else node.ints("axes")


@reads("Squeeze")
def squeeze(node: Node, context: Context) -> Operand:
    """Squeeze."""
    return context.emit(Squeeze(axes_input(node, context, 13) or ()), node.data())


@reads("Unsqueeze")
def unsqueeze(node: Node, context: Context) -> Operand:
    """Unsqueeze."""
    return context.emit(Unsqueeze(axes_input(node, context, 13) or ()), node.data())


@reads("Transpose")
def transpose(node: Node, context: Context) -> Operand:
    """Transpose; of a weight it is another weight."""
    data, perm = node.data(), node.ints("perm") or ()
    order = Transpose(perm).order(context.type(data).rank)
    if isinstance(data, Known):
        return data.turned("transposed", tuple(data.type.shape[a] for a in order), lambda a: a.transpose(order))
    return context.emit(Transpose(perm), data)


@reads("Concat")
def concat(node: Node, context: Context) -> Operand:
    """Concat."""
    values = [node.data(slot) for slot in range(len(node.inputs))]
    axis, full = axis_of(node, context.type(values[0]).rank, 1), [v for v in values if context.type(v).elements]
    return context.emit(Concat(axis), *full) if full else values[0]


@reads("Split")
def split(node: Node, context: Context) -> Sequence[Operand]:
    """Split: the sizes are an attribute, an input, or what makes equal parts, of which the last may be smaller."""
    data = context.type(node.data())
    axis, count = axis_of(node, data.rank, 0), len(node.outputs)
    sizes = context.optional_integers(1) if node.version >= 13 else node.ints("split")
    if sizes is None:
        if node.int("num_outputs", count) != count:
            raise refuse("C0811", f"{node.title} makes {node.int('num_outputs')} parts, and names {count}", node.span)
        part = -(-data.shape[axis] // max(1, count))
        sizes = tuple(max(0, min(part, data.shape[axis] - k * part)) for k in range(count))
    if not sizes or min(sizes) < 1:
        return _parts(context, node.data(), sizes, axis)
    return context.outputs(context.emit(Split(sizes, axis), node.data()))


def _parts(context: Context, data: Operand, sizes: Sequence[int], axis: int) -> Sequence[Operand]:
    """Parts of which some have no elements."""
    begins, shape = np.cumsum([0, *sizes]).tolist(), context.type(data).shape
    return [
        context.emit(Slice((b,), (b + n,), (axis,)), data) if n > 0 else context.empty((*shape[:axis], 0, *shape[axis + 1 :]), data)
        for b, n in zip(begins, sizes, strict=False)
    ]


@reads("Slice")
def slice_(node: Node, context: Context) -> Operand:
    """Slice: attributes up to opset 9, then inputs."""
    data = context.type(node.data())
    if node.version < 10:
        begins, ends, axes, steps = node.ints("starts") or (), node.ints("ends") or (), node.ints("axes"), None
    else:
        begins, ends = context.integers(1), context.integers(2)
        axes, steps = context.optional_integers(3), context.optional_integers(4)
    op = Slice(begins, ends, axes or (), steps or ())
    places = [a % max(1, data.rank) for a in op.axes or range(len(begins))]
    lengths = dict(enumerate(data.shape))
    for place, begin, end, step in zip(places, begins, ends, op.step or (1,) * len(begins), strict=False):
        lengths[place] = len(range(*slice(begin, end, step).indices(data.shape[place])))
    if 0 in lengths.values():
        return context.empty(list(lengths.values()), node.data())
    return context.emit(op, node.data()) if begins else node.data()


@reads("Gather")
def gather(node: Node, context: Context) -> Operand:
    """Gather."""
    data, indices = context.type(node.data()), node.data(1)
    axis = axis_of(node, data.rank, 0)
    if isinstance(indices, Known) and indices.type.rank < 2 and 0 < indices.type.elements < 4096:
        numbers = tuple(int(i) for i in np.ravel(indices.array()).tolist())
        return context.emit(Gather(numbers if indices.type.rank else numbers[0], axis), node.data())
    if isinstance(indices, Known) and indices.type.elements:
        places = indices.array()
        if places.min() < -data.shape[axis] or places.max() >= data.shape[axis]:
            raise refuse("C0206", f"{node.title} takes an element that axis {axis} of {data} does not have", node.span)
    return context.emit(Gather(axis=axis), node.data(), indices)


@reads("Expand")
def expand(node: Node, context: Context) -> Operand:
    """Expand."""
    wanted = context.integers(1)
    if 0 in wanted:
        return context.empty(np.broadcast_shapes(context.type(node.data()).shape, wanted), node.data())
    return context.emit(Expand(wanted), node.data())


@reads("Tile")
def tile(node: Node, context: Context) -> Operand:
    """Tile."""
    repeats = context.integers(1)
    if 0 in repeats:
        return context.empty([n * r for n, r in zip(context.type(node.data()).shape, repeats, strict=True)], node.data())
    return context.emit(Tile(repeats), node.data())


@reads("DepthToSpace")
def depth_to_space(node: Node, context: Context) -> Operand:
    """DepthToSpace."""
    mode = node.text("mode", "DCR")
    if mode not in ("DCR", "CRD"):
        raise refuse("C0811", f"`mode` of {node.title} is `{mode}`", node.span, help="modes are DCR and CRD")
    return context.emit(DepthToSpace(node.int("blocksize"), "dcr" if mode == "DCR" else "crd"), node.data())


@reads("SpaceToDepth")
def space_to_depth(node: Node, context: Context) -> Operand:
    """SpaceToDepth; since opset 28 also with a square's elements next to each other."""
    block, data = node.int("blocksize"), context.type(node.data())
    if node.text("mode", "DCR") == "DCR" or data.rank != 4:
        return context.emit(SpaceToDepth(block), node.data())
    split, _, whole = SpaceToDepth(block).steps(data.shape)
    parts = context.emit(Transpose((0, 1, 3, 5, 2, 4)), context.emit(Reshape(split), node.data()))
    return context.emit(Reshape(whole), parts)


FLOAT8_LARGEST = {"f8e4m3": 448.0, "f8e5m2": 57344.0}
"""The greatest number of 8-bit floats, to which ONNX cuts unless told otherwise."""


@reads("Cast", "CastLike")
def cast(node: Node, context: Context) -> Operand:
    """Cast, where both types have a name here; whole numbers of less than a byte wrap around."""
    element = context.element(node.data(1)) if node.op == "CastLike" else node.int("to")
    if element in NARROW:
        return _narrow(context, node.data(), element)
    if element not in DTYPES:
        raise refuse("C0812", f"{node.title} makes {element_name(element)}, which has no type here", node.span)
    target, value = DTYPES[element], node.data()
    if context.type(value).dtype == target and context.element(value) == element:
        return value
    if target in FLOAT8_LARGEST and node.int("saturate", 1) and context.type(value).is_float:
        value = context.emit(Clip(-FLOAT8_LARGEST[target], FLOAT8_LARGEST[target]), value)
    return context.cast(value, target)


def _narrow(context: Context, value: Operand, element: int) -> Operand:
    """The lowest bits of a whole number, in a byte."""
    dtype, least, most = NARROW[element]
    count = most - least + 1
    whole = context.cast(value, "i32")
    cut = context.emit(Modulo(float(count)), context.emit(Sub(float(least)), whole) if least else whole)
    return context.narrowed(context.cast(context.emit(Add(float(least)), cut) if least else cut, dtype), element)
