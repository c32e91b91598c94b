"""Ops that move elements and change none: reshape, transpose, squeeze, unsqueeze, slice, split."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cnnir.diagnostics import OpError
from cnnir.types import MAX_RANK, TensorType

from .base import VARIADIC, Array, Emit, Op, Value, require

if TYPE_CHECKING:
    from cnnir.facts.interval import Interval
    from cnnir.facts.precision import Precision


@dataclass(frozen=True)
class Rearrangement(Op):
    """An op whose output elements are elements of its input."""

    def output_range(
        self,
        inputs: Sequence[Interval],
        types: Sequence[TensorType],
        parameters: Callable[[], Mapping[str, Array]],
        precision: Precision,
    ) -> Interval:
        """The input's."""
        return inputs[0]


@dataclass(frozen=True)
class Reshaping(Rearrangement):
    """The same elements in the same order, read with another shape."""

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        (out,) = self.infer([TensorType("f32", inputs[0].shape)])
        return (inputs[0].reshape(out.shape),)


def places(op: Op, axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """Axes counted from the front; raises OpError where one does not exist or comes twice."""
    missing = [a for a in axes if not -rank <= a < rank]
    require(not missing, "C0209", f"`{op.name}` has no axis {missing[0] if missing else ''} here")
    found = tuple(a % rank for a in axes)
    require(len(set(found)) == len(found), "C0209", f"`{op.name}` names an axis twice: {list(axes)}")
    return found


@dataclass(frozen=True)
class Reshape(Reshaping):
    """Another shape for as many elements; one size may be -1, which stands for what is left."""

    name: ClassVar[str] = "reshape"
    shape: tuple[int, ...] = field(metadata=VARIADIC)

    def __post_init__(self) -> None:
        sound = self.shape.count(-1) <= 1 and all(n >= 1 or n == -1 for n in self.shape)
        require(sound, "C0206", f"`reshape` needs sizes >= 1, at most one of them -1, got {list(self.shape)}")

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        given = math.prod(n for n in self.shape if n != -1)
        left, rest = divmod(inputs[0].elements, given)
        if rest or (left != 1 and -1 not in self.shape):
            raise OpError("C0204", f"{inputs[0].elements:,} elements cannot be read as {list(self.shape)}", slot=0)
        return (inputs[0].with_shape(tuple(left if n == -1 else n for n in self.shape)),)


@dataclass(frozen=True)
class Squeeze(Reshaping):
    """Without the axes named, which have one element each; without every such axis where none is named."""

    name: ClassVar[str] = "squeeze"
    axes: tuple[int, ...] = field(default=(), metadata=VARIADIC)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        shape = inputs[0].shape
        gone = places(self, self.axes, len(shape)) or tuple(i for i, n in enumerate(shape) if n == 1)
        long = [a for a in gone if shape[a] != 1]
        require(not long, "C0204", f"`squeeze` of axis {long[0] if long else ''}, which has more than one element")
        return (inputs[0].with_shape(tuple(n for i, n in enumerate(shape) if i not in gone)),)


@dataclass(frozen=True)
class Unsqueeze(Reshaping):
    """With new axes of one element, at these places of the result."""

    name: ClassVar[str] = "unsqueeze"
    axes: tuple[int, ...] = field(metadata=VARIADIC)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        rank = inputs[0].rank + len(self.axes)
        require(rank <= MAX_RANK, "C0210", f"a tensor has at most {MAX_RANK} axes, and `unsqueeze` makes {rank}")
        new, sizes = places(self, self.axes, rank), iter(inputs[0].shape)
        return (inputs[0].with_shape(tuple(1 if i in new else next(sizes) for i in range(rank))),)


@dataclass(frozen=True)
class Transpose(Rearrangement):
    """Axis i of the result is axis `axes[i]` of the input; without axes their order is reversed."""

    name: ClassVar[str] = "transpose"
    axes: tuple[int, ...] = field(default=(), metadata=VARIADIC)

    def order(self, rank: int) -> tuple[int, ...]:
        """The axes, counted from the front."""
        if not self.axes:
            return tuple(reversed(range(rank)))
        require(len(self.axes) == rank, "C0209", f"`transpose` needs all {rank} axes, got {list(self.axes)}")
        return places(self, self.axes, rank)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        return (inputs[0].with_shape(tuple(inputs[0].shape[a] for a in self.order(inputs[0].rank))),)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        return (np.asarray(inputs[0].transpose(self.order(inputs[0].ndim)), order="C"),)


@dataclass(frozen=True)
class Slice(Rearrangement):
    """Elements `begin` to `end` (not included) of some axes, as Python slices them; `axes` are the first ones unless given."""

    name: ClassVar[str] = "slice"
    begin: tuple[int, ...]
    end: tuple[int, ...]
    axes: tuple[int, ...] = ()
    step: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(self.begin), len(self.end)} | {len(t) for t in (self.axes, self.step) if t}
        require(len(lengths) == 1, "C0206", "`slice` needs as many ends, axes and steps as begins")
        require(0 not in self.step, "C0206", "`slice` needs steps other than 0")

    def spans(self, shape: Sequence[int]) -> list[range]:
        """The positions that are kept, axis by axis."""
        found = [range(n) for n in shape]
        axes = self.axes or tuple(range(len(self.begin)))
        steps = self.step or (1,) * len(axes)
        for axis, begin, end, step in zip(places(self, axes, len(shape)), self.begin, self.end, steps, strict=True):
            found[axis] = range(*slice(begin, end, step).indices(shape[axis]))
            require(len(found[axis]) > 0, "C0206", f"`slice` keeps nothing of axis {axis}, which has {shape[axis]} elements")
        return found

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        return (inputs[0].with_shape(tuple(map(len, self.spans(inputs[0].shape)))),)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        value = inputs[0]
        for axis, span in enumerate(self.spans(value.shape)):
            value = value.take(np.asarray(span), axis=axis)
        return (value,)


@dataclass(frozen=True)
class Split(Rearrangement):
    """The input in pieces along an axis: `parts` equal ones, or one of each size in a list. One output a piece."""

    name: ClassVar[str] = "split"
    parts: int | tuple[int, ...]
    axis: int = 1

    def __post_init__(self) -> None:
        sizes = self.parts if isinstance(self.parts, tuple) else (self.parts,)
        require(bool(sizes) and min(sizes) >= 1, "C0206", "`split` needs one part or more, each of one element or more")

    def edges(self, shape: Sequence[int]) -> list[int]:
        """Where the pieces begin, and the end of the last."""
        (axis,) = places(self, [self.axis], len(shape))
        length = shape[axis]
        if isinstance(self.parts, tuple):
            require(sum(self.parts) == length, "C0204", f"pieces of {list(self.parts)} do not make up an axis of {length} elements")
            return [0, *np.cumsum(self.parts).tolist()]
        require(length % self.parts == 0, "C0204", f"an axis of {length} elements does not divide into {self.parts} equal parts")
        return list(range(0, length + 1, length // self.parts))

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        edges = self.edges(inputs[0].shape)
        return tuple(self.alone(slot, inputs).infer(inputs)[0] for slot in range(len(edges) - 1))

    def expand(self, emit: Emit, data: Sequence[Value], types: Sequence[TensorType]) -> tuple[Value, ...]:
        return tuple(emit(self.alone(slot, types), data[0]) for slot in range(len(self.edges(types[0].shape)) - 1))

    def alone(self, slot: int, inputs: Sequence[TensorType]) -> Slice:
        edges = self.edges(inputs[0].shape)
        return Slice((edges[slot],), (edges[slot + 1],), (self.axis,))

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        edges = self.edges(inputs[0].shape)
        return tuple(np.ascontiguousarray(part) for part in np.split(inputs[0], edges[1:-1], axis=self.axis))
