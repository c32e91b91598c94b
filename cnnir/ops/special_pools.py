"""Pools beyond max, min and mean: max pools that also say where, and Lp pools."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cnnir.types import TensorType

from .arithmetic import Mul, Power
from .base import Array, Emit, Op, Value, require, require_float
from .border import Pad
from .piecewise import Abs
from .pooling import AvgPool, MaxPool, Reduce, SlidingPool
from .smooth import primitive_op
from .wide import widened
from .window import Windows, axis_pads

if TYPE_CHECKING:
    from cnnir.facts.interval import Interval
    from cnnir.facts.precision import Precision


@dataclass(frozen=True)
class PoolPlaces(SlidingPool):
    """Where in its map (N and C apart) the largest element of each window is, as i64; of equal ones the first."""

    name: ClassVar[str] = "maxpool_places"
    reduce: ClassVar[Reduce] = "place"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        return (TensorType("i64", super().infer(inputs)[0].shape),)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        data, kind = inputs[0], TensorType("f32", inputs[0].shape)
        windows = self.windows(kind)
        shape = (*data.shape[:2], *(w.outputs for w in windows))
        best, found = np.zeros(shape, data.dtype), np.full(shape, -1, np.int64)
        for tap in np.ndindex(*(w.taps.shape[1] for w in windows)):
            columns = [(w.taps[:, t], w.real[:, t], w.length) for w, t in zip(windows, tap, strict=True)]
            real = np.ones((), bool)
            for _, inside, _ in columns:
                real = np.logical_and.outer(real, inside)
            at = np.ix_(*(np.clip(places, 0, length - 1) for places, _, length in columns))
            values = data[(slice(None), slice(None), *at)]
            better = real & ((found < 0) | (values > best))
            best, found = np.where(better, values, best), np.where(better, np.ravel_multi_index(at, kind.spatial), found)
        return (found,)

    def output_range(
        self,
        inputs: Sequence[Interval],
        types: Sequence[TensorType],
        parameters: Callable[[], Mapping[str, Array]],
        precision: Precision,
    ) -> Interval:
        """The places of a map, and -1 for a window of padding."""
        from cnnir.facts.interval import Interval  # facts are about ops, so ops come first

        return Interval(-1.0, math.prod(types[0].spatial) - 1.0)


@dataclass(frozen=True)
class MaxPoolPlaces(SlidingPool):
    """The largest element of each window, and where in its map it is: `y, places = x -> maxpool_with_places(2)`."""

    name: ClassVar[str] = "maxpool_with_places"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        (pooled,) = super().infer(inputs)
        return pooled, TensorType("i64", pooled.shape)

    def slot_range(
        self,
        slot: int,
        inputs: Sequence[Interval],
        types: Sequence[TensorType],
        parameters: Callable[[], Mapping[str, Array]],
        precision: Precision,
    ) -> Interval:
        """Elements are elements of the input, and places are places, whatever the elements are."""
        return self.alone(slot, types).output_range(inputs, types, parameters, precision)

    def alone(self, slot: int, inputs: Sequence[TensorType]) -> Op:
        return (PoolPlaces if slot else MaxPool)(**self.attributes())

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        return *super().evaluate(inputs, parameters), *self.alone(1, ()).evaluate(inputs, parameters)

    def expand(self, emit: Emit, data: Sequence[Value], types: Sequence[TensorType]) -> tuple[Value, ...]:
        return emit(self.alone(0, types), data[0]), emit(self.alone(1, types), data[0])


@dataclass(frozen=True)
class LpPool(SlidingPool):
    """(sum of |x|^p)^(1/p) over each window; padding counts as 0."""

    name: ClassVar[str] = "lppool"
    reduce: ClassVar[Reduce] = "lp"
    p: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.p >= 1, "C0206", f"`lppool` needs p >= 1, got {self.p}")

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require_float(self, inputs)
        return super().infer(inputs)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        """In float64, rounded once."""
        with np.errstate(all="ignore"):
            powers = np.abs(inputs[0].astype(np.float64)) ** self.p
            (means,) = self._mean().evaluate([powers], {})
            counts = self._mean().divisor(TensorType("f64", powers.shape))
            return (((means * counts) ** (1 / self.p)).astype(inputs[0].dtype),)

    def _mean(self) -> AvgPool:
        return AvgPool(self.kernel, self.stride, self.pad, self.dilation, self.ceil)

    def output_range(
        self,
        inputs: Sequence[Interval],
        types: Sequence[TensorType],
        parameters: Callable[[], Mapping[str, Array]],
        precision: Precision,
    ) -> Interval:
        """Any number, as of an op without a rule."""
        return Op.output_range(self, inputs, types, parameters, precision)

    def expand(self, emit: Emit, data: Sequence[Value], types: Sequence[TensorType]) -> tuple[Value, ...]:
        """The root of the mean of powers times how many they are, zeros in place of padding among them."""
        value, back = widened(emit, data[0], types[0])
        pads = [self._pads(w, i) for i, w in enumerate(self.windows(types[0]))]
        powers = emit(primitive_op("square"), value) if self.p == 2 else emit(Abs(), value)
        if self.p > 2:
            powers = emit(Power(float(self.p)), powers)
        if any(map(any, pads)):
            powers = emit(Pad(tuple(b for b, _ in pads), tuple(e for _, e in pads)), powers)
        means = emit(AvgPool(self.kernel, self.stride, (0,) * len(self.pad), self.dilation), powers)
        total = emit(Mul(float(math.prod(self.kernel))), means)
        if self.p == 1:
            return (back(total),)
        return (back(emit(primitive_op("sqrt"), total) if self.p == 2 else emit(Power(1 / self.p), total)),)

    def _pads(self, windows: Windows, axis: int) -> tuple[int, int]:
        """What stands before and behind an axis for every window to lie inside."""
        begin = axis_pads(self.pad, axis)[0]
        return begin, max(0, int(windows.taps.max()) + 1 - windows.length)
