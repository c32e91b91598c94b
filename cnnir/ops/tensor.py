"""Ops that mix channels or move elements: softmax, LRN, flatten, concat, and the network's input."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cnnir.diagnostics import OpError
from cnnir.types import TensorType

from .base import Array, Op, require, require_float, require_rank

if TYPE_CHECKING:
    from cnnir.facts.interval import Interval
    from cnnir.facts.precision import Precision


@dataclass(frozen=True)
class Input(Op):
    """A network input: its type and, where the user declared one, the range of its elements."""

    name: ClassVar[str] = "input"
    inputs: ClassVar[tuple[int, int]] = (0, 0)
    type: TensorType
    range: tuple[float, float] | None = None

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        return (self.type,)

    def output_range(
        self,
        inputs: Sequence[Interval],
        types: Sequence[TensorType],
        parameters: Callable[[], Mapping[str, Array]],
        precision: Precision,
    ) -> Interval:
        """What the user declared; without a declaration every finite number."""
        if self.range is None:
            return super().output_range(inputs, types, parameters, precision)
        from cnnir.facts.interval import Interval  # facts are about ops, so ops come first

        lo, hi = self.range
        if not self.type.is_float:
            return Interval(math.floor(lo), math.ceil(hi))
        return Interval(precision.round(lo), precision.round(hi), minus_zero=True)


@dataclass(frozen=True)
class Softmax(Op):
    """exp(x - max) / sum of exp(x - max) along an axis."""

    name: ClassVar[str] = "softmax"
    axis: int = 1

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require_float(self, inputs)
        rank = inputs[0].rank
        require(-rank <= self.axis < rank, "C0209", f"`softmax` has no axis {self.axis} here")
        return (inputs[0],)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        wide = inputs[0].astype(np.float64)
        with np.errstate(all="ignore"):
            powers = np.exp(wide - wide.max(axis=self.axis, keepdims=True))
            return ((powers / powers.sum(axis=self.axis, keepdims=True)).astype(inputs[0].dtype),)

    def output_range(
        self,
        inputs: Sequence[Interval],
        types: Sequence[TensorType],
        parameters: Callable[[], Mapping[str, Array]],
        precision: Precision,
    ) -> Interval:
        """[0, 1], and a rounding more."""
        from cnnir.facts.interval import Interval

        return Interval(0.0, precision.next(1.0, 4), inputs[0].nan or inputs[0].has_infinity)


@dataclass(frozen=True)
class Lrn(Op):
    """Local response normalisation across channels: x / (bias + alpha / size * sum of squares of `size` neighbours)^beta."""

    name: ClassVar[str] = "lrn"
    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    bias: float = 1.0

    def __post_init__(self) -> None:
        require(self.size >= 1, "C0206", f"`lrn` needs size >= 1, got {self.size}")

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require_float(self, inputs)
        require_rank(self, inputs[0], 2, 8)
        return (inputs[0],)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        """In float64, but that the divisor is a number of the data's type, of f32 at least: below all of these it is 0.

        The window of channel c is c - floor((size-1)/2) to c + ceil((size-1)/2).
        """
        wide = inputs[0].astype(np.float64)
        before, after = (self.size - 1) // 2, self.size - 1 - (self.size - 1) // 2
        pads: list[tuple[int, int]] = [(0, 0)] * wide.ndim
        pads[1] = (before, after)
        squared: Array = np.square(wide)
        squares = np.pad(squared, pads)
        total = np.zeros_like(wide)
        for shift in range(self.size):
            total += squares[:, shift : shift + wide.shape[1]]
        held = np.float64 if inputs[0].dtype == np.float64 else np.float32
        with np.errstate(all="ignore"):
            bias, rate, power = (np.float64(held(number)) for number in (self.bias, self.alpha / self.size, self.beta))
            divisor = ((bias + rate * total).astype(held).astype(np.float64) ** power).astype(held)
            return ((wide / divisor).astype(inputs[0].dtype),)


@dataclass(frozen=True)
class Flatten(Op):
    """(N, C, H, W, ...) read as (N, C H W ...)."""

    name: ClassVar[str] = "flatten"
    keeps_elements: ClassVar[bool] = True

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        data = inputs[0]
        require_rank(self, data, 1, 32)
        return (data.with_shape((data.shape[0], data.elements // max(1, data.shape[0]))),)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        return (inputs[0].reshape(inputs[0].shape[0], -1),)

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
class Concat(Op):
    """Inputs one after another along an axis."""

    name: ClassVar[str] = "concat"
    inputs: ClassVar[tuple[int, int]] = (1, 1_000_000)
    axis: int = 1

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        first = inputs[0]
        require(-first.rank <= self.axis < first.rank, "C0209", f"`concat` has no axis {self.axis} here")
        axis = self.axis % first.rank
        for slot, t in enumerate(inputs):
            others = [t.shape[:axis] + t.shape[axis + 1 :], first.shape[:axis] + first.shape[axis + 1 :]]
            if t.dtype != first.dtype or t.rank != first.rank or others[0] != others[1]:
                raise OpError(
                    "C0204", f"`concat` along axis {self.axis} needs inputs alike on the other axes, got {first} and {t}", slot=slot
                )
        total = sum(t.shape[axis] for t in inputs)
        return (first.with_shape((*first.shape[:axis], total, *first.shape[axis + 1 :])),)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        return (np.concatenate(inputs, axis=self.axis),)

    def output_range(
        self,
        inputs: Sequence[Interval],
        types: Sequence[TensorType],
        parameters: Callable[[], Mapping[str, Array]],
        precision: Precision,
    ) -> Interval:
        """The hull of the inputs'."""
        found = inputs[0]
        for other in inputs[1:]:
            found = found.hull(other)
        return found
