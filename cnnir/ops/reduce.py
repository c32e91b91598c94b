"""Reductions over axes, and where the greatest or least element is: ONNX's Reduce family, ArgMax, ArgMin, CumSum."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cnnir.types import TensorType

from .arithmetic import Add, Div, Sub
from .base import VARIADIC, Array, Emit, Op, Value, require, require_float, require_numbers
from .piecewise import Abs
from .shape import places
from .smooth import primitive_op
from .wide import widened

if TYPE_CHECKING:
    from cnnir.facts.interval import Interval
    from cnnir.facts.precision import Precision


@dataclass(frozen=True)
class Reduction(Op):
    """One number for all elements along some axes, or along every axis where none is named; floats in float64, rounded once."""

    floating: ClassVar[bool] = True
    axes: tuple[int, ...] = field(default=(), metadata=VARIADIC)
    keepdims: bool = True

    def over(self, rank: int) -> tuple[int, ...]:
        """The axes, counted from the front, in order."""
        return tuple(sorted(places(self, self.axes, rank))) or tuple(range(rank))

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        data = inputs[0]
        (require_float if self.floating else require_numbers)(self, inputs)
        over = self.over(data.rank)
        kept = [1 if i in over else n for i, n in enumerate(data.shape) if self.keepdims or i not in over]
        return (data.with_shape(tuple(kept)),)

    def reduced(self, data: Array, **how: Any) -> Array:
        """The NumPy meaning, on float64 or integers."""
        raise NotImplementedError

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        data = inputs[0]
        wide = data if data.dtype.kind in "iu" else data.astype(np.float64)
        with np.errstate(all="ignore"):
            result = self.reduced(wide, axis=self.over(data.ndim), keepdims=self.keepdims)
            return (np.asarray(result).astype(data.dtype),)


@dataclass(frozen=True)
class ReduceSum(Reduction):
    """The sum; integers wrap around."""

    name: ClassVar[str] = "reduce_sum"
    floating: ClassVar[bool] = False

    def reduced(self, data: Array, **how: Any) -> Array:
        return np.sum(data, dtype=data.dtype, **how)


@dataclass(frozen=True)
class ReduceProd(Reduction):
    """The product; integers wrap around."""

    name: ClassVar[str] = "reduce_prod"
    floating: ClassVar[bool] = False

    def reduced(self, data: Array, **how: Any) -> Array:
        return np.multiply.reduce(data, dtype=data.dtype, **how)


@dataclass(frozen=True)
class Extreme(Reduction):
    """An element of the input."""

    floating: ClassVar[bool] = False

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
class ReduceMax(Extreme):
    """The greatest element."""

    name: ClassVar[str] = "reduce_max"

    def reduced(self, data: Array, **how: Any) -> Array:
        return np.max(data, **how)


@dataclass(frozen=True)
class ReduceMin(Extreme):
    """The least element."""

    name: ClassVar[str] = "reduce_min"

    def reduced(self, data: Array, **how: Any) -> Array:
        return np.min(data, **how)


@dataclass(frozen=True)
class ReduceMean(Reduction):
    """The sum divided by the number of elements."""

    name: ClassVar[str] = "reduce_mean"

    def reduced(self, data: Array, **how: Any) -> Array:
        return np.mean(data, **how)

    def expand(self, emit: Emit, data: Sequence[Value], types: Sequence[TensorType]) -> tuple[Value, ...]:
        count = math.prod(types[0].shape[a] for a in self.over(types[0].rank))
        return (emit(Div(float(count)), emit(ReduceSum(self.axes, self.keepdims), data[0])),)


@dataclass(frozen=True)
class ReduceL1(Reduction):
    """The sum of absolute values."""

    name: ClassVar[str] = "reduce_l1"

    def reduced(self, data: Array, **how: Any) -> Array:
        return np.sum(np.abs(data), **how)

    def expand(self, emit: Emit, data: Sequence[Value], types: Sequence[TensorType]) -> tuple[Value, ...]:
        return (emit(ReduceSum(self.axes, self.keepdims), emit(Abs(), data[0])),)


@dataclass(frozen=True)
class ReduceSumSquare(Reduction):
    """The sum of squares."""

    name: ClassVar[str] = "reduce_sum_square"

    def reduced(self, data: Array, **how: Any) -> Array:
        return np.sum(np.square(data), **how)

    def expand(self, emit: Emit, data: Sequence[Value], types: Sequence[TensorType]) -> tuple[Value, ...]:
        value, back = widened(emit, data[0], types[0])
        return (back(self.of_total(emit, emit(ReduceSum(self.axes, self.keepdims), emit(primitive_op("square"), value)))),)

    def of_total(self, emit: Emit, total: Value) -> Value:
        """What is made of the sum."""
        del emit
        return total


@dataclass(frozen=True)
class ReduceL2(ReduceSumSquare):
    """The square root of the sum of squares."""

    name: ClassVar[str] = "reduce_l2"

    def reduced(self, data: Array, **how: Any) -> Array:
        return np.sqrt(super().reduced(data, **how))

    def of_total(self, emit: Emit, total: Value) -> Value:
        return emit(primitive_op("sqrt"), total)


@dataclass(frozen=True)
class ReduceLogSum(Reduction):
    """The logarithm of the sum."""

    name: ClassVar[str] = "reduce_log_sum"

    def reduced(self, data: Array, **how: Any) -> Array:
        return np.log(np.sum(data, **how))

    def expand(self, emit: Emit, data: Sequence[Value], types: Sequence[TensorType]) -> tuple[Value, ...]:
        return (emit(primitive_op("log"), emit(ReduceSum(self.axes, self.keepdims), data[0])),)


@dataclass(frozen=True)
class ReduceLogSumExp(Reduction):
    """log(sum of exp(x)), without overflow between: m + log(sum of exp(x - m)) with m = max x."""

    name: ClassVar[str] = "reduce_log_sum_exp"

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        wide = inputs[0].astype(np.float64)
        over = self.over(wide.ndim)
        with np.errstate(all="ignore"):
            most = wide.max(axis=over, keepdims=True, initial=-np.inf)
            most = np.where(np.isfinite(most), most, 0)
            total = np.log(np.exp(wide - most).sum(axis=over, keepdims=True)) + most
        return (total.reshape(self.infer([TensorType("f32", wide.shape)])[0].shape).astype(inputs[0].dtype),)

    def expand(self, emit: Emit, data: Sequence[Value], types: Sequence[TensorType]) -> tuple[Value, ...]:
        most = emit(ReduceMax(self.axes), data[0])
        total = emit(ReduceSum(self.axes, self.keepdims), emit(primitive_op("exp"), emit(Sub(), data[0], most)))
        same = most if self.keepdims else emit(ReduceMax(self.axes, False), data[0])
        return (emit(Add(), emit(primitive_op("log"), total), same),)


@dataclass(frozen=True)
class Position(Op):
    """Where on an axis the wanted element is, as i64; of equal ones the first."""

    axis: int = 1
    keepdims: bool = True

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require_numbers(self, inputs)
        shape = inputs[0].shape
        (axis,) = places(self, [self.axis], len(shape))
        return (TensorType("i64", (*shape[:axis], *([1] if self.keepdims else []), *shape[axis + 1 :])),)

    def output_range(
        self,
        inputs: Sequence[Interval],
        types: Sequence[TensorType],
        parameters: Callable[[], Mapping[str, Array]],
        precision: Precision,
    ) -> Interval:
        """The places of the axis."""
        from cnnir.facts.interval import Interval  # facts are about ops, so ops come first

        return Interval(0.0, types[0].shape[self.axis] - 1.0)


@dataclass(frozen=True)
class ArgMax(Position):
    """Where the greatest element is."""

    name: ClassVar[str] = "argmax"

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        return (np.asarray(np.argmax(inputs[0], axis=self.axis, keepdims=self.keepdims)).astype(np.int64),)


@dataclass(frozen=True)
class ArgMin(Position):
    """Where the least element is."""

    name: ClassVar[str] = "argmin"

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        return (np.asarray(np.argmin(inputs[0], axis=self.axis, keepdims=self.keepdims)).astype(np.int64),)


@dataclass(frozen=True)
class CumSum(Op):
    """Sums of what comes up to each element along an axis: itself included, unless `exclusive`; from the end if `reverse`."""

    name: ClassVar[str] = "cumsum"
    axis: int = 1
    exclusive: bool = False
    reverse: bool = False

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require_numbers(self, inputs)
        require(-inputs[0].rank <= self.axis < inputs[0].rank, "C0209", f"`cumsum` has no axis {self.axis} here")
        return (inputs[0],)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        """Floats in float64, rounded once."""
        data = inputs[0]
        wide = data if data.dtype.kind in "iu" else data.astype(np.float64)
        ordered = np.flip(wide, self.axis) if self.reverse else wide
        total = np.cumsum(ordered, axis=self.axis, dtype=wide.dtype)
        if self.exclusive:
            total = np.roll(total, 1, self.axis)
            np.moveaxis(total, self.axis, 0)[0] = 0
        return (np.ascontiguousarray(np.flip(total, self.axis) if self.reverse else total).astype(data.dtype),)
