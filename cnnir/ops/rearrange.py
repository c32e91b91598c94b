"""Ops that repeat or pick elements: expand, tile, gather, and blocks of a map that become channels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from cnnir.diagnostics import OpError
from cnnir.types import TensorType

from .base import VARIADIC, Array, Emit, Value, require, require_rank
from .shape import Rearrangement, Reshape, Transpose, places


@dataclass(frozen=True)
class Expand(Rearrangement):
    """Broadcast with a shape, as ONNX has it: an axis of one element becomes as long as the shape says, 1 there keeps it."""

    name: ClassVar[str] = "expand"
    shape: tuple[int, ...] = field(metadata=VARIADIC)

    def __post_init__(self) -> None:
        require(all(n >= 1 for n in self.shape), "C0206", f"`expand` needs sizes >= 1, got {list(self.shape)}")

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        try:
            return (inputs[0].with_shape(np.broadcast_shapes(inputs[0].shape, self.shape)),)
        except ValueError:
            raise OpError("C0204", f"{inputs[0]} does not broadcast with {list(self.shape)}", slot=0) from None

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        return (np.array(np.broadcast_to(inputs[0], np.broadcast_shapes(inputs[0].shape, self.shape))),)


@dataclass(frozen=True)
class Tile(Rearrangement):
    """Every axis repeated so many times."""

    name: ClassVar[str] = "tile"
    repeats: tuple[int, ...] = field(metadata=VARIADIC)

    def __post_init__(self) -> None:
        require(all(n >= 1 for n in self.repeats), "C0206", f"`tile` needs repeats >= 1, got {list(self.repeats)}")

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        rank = inputs[0].rank
        require(len(self.repeats) == rank, "C0202", f"`tile` needs {rank} repeats here, got {list(self.repeats)}")
        return (inputs[0].with_shape(tuple(n * r for n, r in zip(inputs[0].shape, self.repeats, strict=True))),)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        return (np.tile(inputs[0], self.repeats),)

    def expand(self, emit: Emit, data: Sequence[Value], types: Sequence[TensorType]) -> tuple[Value, ...]:
        """Each axis by an axis of one element in front of it, made longer: TVM's remainders of four axes at once read elsewhere."""
        shape = types[0].shape
        apart = emit(Reshape(tuple(n for size in shape for n in (1, size))), data[0])
        repeated = tuple(n for r, size in zip(self.repeats, shape, strict=True) for n in (r, size))
        whole = tuple(n * r for n, r in zip(shape, self.repeats, strict=True))
        return (emit(Reshape(whole), emit(Expand(repeated), apart)),)


@dataclass(frozen=True)
class Gather(Rearrangement):
    """The parts of an axis that `indices`, or a second input of integers, name; its axes stand where that axis was.

    Negative indices count from the end. What lies outside is taken from the nearest end.
    """

    name: ClassVar[str] = "gather"
    inputs: ClassVar[tuple[int, int]] = (1, 2)
    indices: int | tuple[int, ...] | None = None
    axis: int = 0

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        data = inputs[0]
        (axis,) = places(self, [self.axis], data.rank)
        both = (len(inputs) == 2) + (self.indices is not None)
        require(both == 1, "C0201", "`gather` needs indices: written, or as a second input")
        if len(inputs) == 2:
            require(inputs[1].dtype[0] in "iu", "C0205", f"indices of `gather` are integers, got {inputs[1]}")
            own = inputs[1].shape
        else:
            require(self.indices != (), "C0206", "`gather` with no indices keeps nothing", help="name one element or more")
            own = np.shape(np.asarray(self.indices))
            outside = [i for i in np.ravel(np.asarray(self.indices)).tolist() if not -data.shape[axis] <= i < data.shape[axis]]
            require(not outside, "C0206", f"`gather` has no element {outside[:1]} on an axis of {data.shape[axis]}")
        return (data.with_shape((*data.shape[:axis], *own, *data.shape[axis + 1 :])),)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        indices = np.asarray(self.indices if len(inputs) == 1 else inputs[1]).astype(np.int64)
        length = inputs[0].shape[self.axis]
        inside = np.clip(np.where(indices < 0, indices + length, indices), 0, length - 1)  # NumPy's own clipping may crash
        return (np.take(inputs[0], inside, axis=self.axis),)


@dataclass(frozen=True)
class Blocks(Rearrangement):
    """Squares of `block` by `block` elements, and the channels they become."""

    block: int

    def __post_init__(self) -> None:
        require(self.block >= 1, "C0206", f"`{self.name}` needs a block of 1 or more, got {self.block}")

    def steps(self, shape: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """The shape to read the data in, the order of its axes, and the shape of the result."""
        raise NotImplementedError

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require_rank(self, inputs[0], 4, 4)
        return (inputs[0].with_shape(self.steps(inputs[0].shape)[2]),)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        split, order, whole = self.steps(inputs[0].shape)
        return (np.ascontiguousarray(inputs[0].reshape(split).transpose(order).reshape(whole)),)

    def expand(self, emit: Emit, data: Sequence[Value], types: Sequence[TensorType]) -> tuple[Value, ...]:
        split, order, whole = self.steps(types[0].shape)
        return (emit(Reshape(whole), emit(Transpose(order), emit(Reshape(split), data[0]))),)


@dataclass(frozen=True)
class DepthToSpace(Blocks):
    """Channels become squares of the map: `dcr` takes a square's elements from channels far apart, `crd` from neighbours."""

    name: ClassVar[str] = "depth_to_space"
    mode: Literal["dcr", "crd"] = "dcr"

    def steps(self, shape: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        n, c, h, w = shape
        b, (depth, rest) = self.block, divmod(c, self.block**2)
        require(rest == 0, "C0207", f"{c} channels do not divide into squares of {b} x {b}")
        whole = (n, depth, h * b, w * b)
        if self.mode == "dcr":
            return (n, b, b, depth, h, w), (0, 3, 4, 1, 5, 2), whole
        return (n, depth, b, b, h, w), (0, 1, 4, 2, 5, 3), whole


@dataclass(frozen=True)
class SpaceToDepth(Blocks):
    """Squares of the map become channels: what `depth_to_space` undoes."""

    name: ClassVar[str] = "space_to_depth"

    def steps(self, shape: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        n, c, h, w = shape
        b = self.block
        require(h % b == 0 and w % b == 0, "C0207", f"a map of {h} x {w} does not divide into squares of {b} x {b}")
        return (n, c, h // b, b, w // b, b), (0, 3, 5, 1, 2, 4), (n, c * math.prod((b, b)), h // b, w // b)
