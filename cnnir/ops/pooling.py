"""Pooling: max, min and average over a product of per-axis windows; sliding, adaptive and global."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from cnnir.diagnostics import OpError
from cnnir.types import TensorType

from .base import Array, Op, per_axis, require, require_axes, require_float, require_numbers, require_rank
from .convolution import check_window
from .window import Windows, adaptive, axis_pads, output_size, sliding

if TYPE_CHECKING:
    from cnnir.facts.interval import Interval
    from cnnir.facts.precision import Precision

Reduce = Literal["max", "min", "avg", "lp", "place"]


@dataclass(frozen=True)
class Pooling(Op):
    """What every pool is: a reduction over windows that are a product of one window per spatial axis."""

    reduce: ClassVar[Reduce] = "max"

    @property
    def started(self) -> bool:
        """Whether it starts from a number of its own: the result is as if every window held that number, too."""
        return False

    def start_in(self, dtype: np.dtype[Any]) -> Any:
        """What it starts from, in a dtype: the identity of its reduction, unless it is `started`."""
        return start_value(self.reduce, dtype)

    def windows(self, data: TensorType) -> tuple[Windows, ...]:
        """The windows of each spatial axis."""
        raise NotImplementedError

    def divisor(self, data: TensorType) -> Array:
        """What an average divides each sum by, of the spatial output's shape: its real elements, unless overridden."""
        counts = np.ones((), np.int64)
        for axis in self.windows(data):
            counts = np.multiply.outer(counts, axis.real.sum(axis=1))
        return counts

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        data = inputs[0]
        require_rank(self, data, 3, 5)
        require_numbers(self, inputs)
        if self.reduce == "avg":
            require_float(self, inputs)
        return (data.with_shape((*data.shape[:2], *(w.outputs for w in self.windows(data)))),)

    def output_range(
        self,
        inputs: Sequence[Interval],
        types: Sequence[TensorType],
        parameters: Callable[[], Mapping[str, Array]],
        precision: Precision,
    ) -> Interval:
        """Elements of the input (an empty window gives the start value); an average re-rounds, and padding may pull it to 0."""
        data = inputs[0]
        if self.reduce == "avg":
            from cnnir.facts.interval import Interval  # facts are about ops, so ops come first

            terms = int(np.max(self.divisor(types[0]), initial=1)) + 2
            slack = data.magnitude * terms * precision.unit * 2
            lo, hi = precision.next(min(data.lo, 0.0) - slack, -1), precision.next(max(data.hi, 0.0) + slack)
            return Interval(lo, hi, data.nan or data.has_infinity, minus_zero=True)
        start = float(self.start_in(precision.numpy))
        if self.started:
            bound = max if self.reduce == "max" else min
            signed = data.minus_zero or math.copysign(1.0, start) < 0  # of a start of zero
            data = replace(data, lo=bound(data.lo, start), hi=bound(data.hi, start), minus_zero=signed)
        if any(len(w.empty) for w in self.windows(types[0])):
            signed = data.minus_zero or (start == 0 and math.copysign(1.0, start) < 0)
            return replace(data, lo=min(data.lo, start), hi=max(data.hi, start), minus_zero=signed)
        return data

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        """Axis by axis: max starts at -inf and min at +inf; averages are summed in float64 and rounded once.

        A start of its own comes last, which is the same, and stays where an element equals it: -0 does not displace +0.
        """
        del parameters
        data = inputs[0]
        kind = TensorType("f32", data.shape)
        averaging = self.reduce == "avg"
        value: Array = data.astype(np.float64) if averaging else data
        for axis, windows in enumerate(self.windows(kind), start=2):
            value = _reduce_axis(value, axis, windows, self.reduce)
        if self.started:
            start = self.start_in(data.dtype)
            value = np.where(start >= value if self.reduce == "max" else start <= value, start, value)
        return ((value / self.divisor(kind) if averaging else value).astype(data.dtype),)


def start_value(reduce: Reduce, dtype: np.dtype[Any]) -> Any:
    """What a pool starts from: the identity of its reduction, for floats an infinity (never -FLT_MAX)."""
    if reduce == "avg":
        return dtype.type(0)
    if dtype.kind in "iu":
        return np.iinfo(dtype).min if reduce == "max" else np.iinfo(dtype).max
    return dtype.type(-np.inf if reduce == "max" else np.inf)


def _reduce_axis(value: Array, axis: int, windows: Windows, reduce: Reduce) -> Array:
    combine = {"max": np.maximum, "min": np.minimum, "avg": np.add}[reduce]  # others reduce in their own way
    shape = [1] * value.ndim
    shape[axis] = windows.outputs
    start = start_value(reduce, value.dtype)
    result: Array | None = None
    for taps, real in zip(windows.taps.T, windows.real.T, strict=True):
        picked = np.take(value, np.where(real, taps, 0), axis=axis)
        masked = np.where(real.reshape(shape), picked, start)
        result = masked if result is None else combine(result, masked)
    assert result is not None
    return result


@dataclass(frozen=True)
class SlidingPool(Pooling):
    """A pool with kernel, stride, pad and dilation; the elaborator sets stride = kernel where the user gives none."""

    kernel: tuple[int, ...] = field(metadata=per_axis())
    stride: tuple[int, ...] = field(metadata=per_axis(like="kernel"))
    pad: tuple[int, ...] = field(default=(0, 0, 0, 0), metadata=per_axis(0, pads=True))
    dilation: tuple[int, ...] = field(default=(1, 1), metadata=per_axis(1))
    ceil: bool = False

    def __post_init__(self) -> None:
        check_window(self.name, self.kernel, self.stride, self.dilation, self.pad)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require_axes(self, inputs[0], len(self.kernel))
        outputs = super().infer(inputs)
        plain = max(self.dilation) == 1 and not self.ceil  # else other runtimes accept what has no real element
        if plain and self.reduce != "avg" and any(len(w.empty) for w in self.windows(inputs[0])):
            raise OpError("C0208", "a pool's window holds no element", help="use a smaller pad: less than the kernel")
        return outputs

    def windows(self, data: TensorType) -> tuple[Windows, ...]:
        found: list[Windows] = []
        for i, n in enumerate(data.spatial):
            pads = axis_pads(self.pad, i)
            count = output_size(n, self.kernel[i], self.stride[i], self.dilation[i], pads, self.ceil)
            found.append(sliding(n, count, self.kernel[i], self.stride[i], self.dilation[i], pads[0]))
        return tuple(found)


@dataclass(frozen=True)
class ExtremePool(SlidingPool):
    """The largest or the smallest element of each window and of `start`."""

    start: float = -math.inf

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        if self.started:
            _check_start(self.name, self.start, inputs[0])
        return super().infer(inputs)

    @property
    def started(self) -> bool:
        return self.start != (-math.inf if self.reduce == "max" else math.inf)

    def start_in(self, dtype: np.dtype[Any]) -> Any:
        if not self.started:
            return super().start_in(dtype)
        with np.errstate(over="ignore"):  # 1e308 is infinite in float32, and that is what it means there
            return dtype.type(int(self.start) if dtype.kind in "iu" else self.start)


@dataclass(frozen=True)
class MaxPool(ExtremePool):
    """The largest element of each window and of `start`: from 0 it is the max pool of a relu."""

    name: ClassVar[str] = "maxpool"


@dataclass(frozen=True)
class MinPool(ExtremePool):
    """The smallest element of each window and of `start`."""

    name: ClassVar[str] = "minpool"
    reduce: ClassVar[Reduce] = "min"
    start: float = math.inf


def _check_start(op: str, start: float, data: TensorType) -> None:
    """Refuse numbers that are none of the dtype."""
    require(math.isfinite(start), "C0206", f"`{op}` cannot start from {start}", help="leave `start` out, to start from no number")
    if not data.is_float and data.numpy.kind in "iu":
        ends = np.iinfo(data.numpy)
        fits = start.is_integer() and ends.min <= start <= ends.max
        require(fits, "C0206", f"`{op}` cannot start from {start:g} in {data.dtype}", help="use a number of that type")


@dataclass(frozen=True)
class AvgPool(SlidingPool):
    """The mean of each window; `count_include_pad` counts padding (but not ceil mode's overhang) in the divisor."""

    name: ClassVar[str] = "avgpool"
    reduce: ClassVar[Reduce] = "avg"
    count_include_pad: bool = False

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        outputs = super().infer(inputs)
        empty = (self.divisor(inputs[0]) == 0).any()
        require(not empty, "C0208", "an average-pool window holds no element to average", help="use a smaller pad, or `count_include_pad`")
        return outputs

    def divisor(self, data: TensorType) -> Array:
        if not self.count_include_pad:
            return super().divisor(data)
        counts = np.ones((), np.int64)
        for i, axis in enumerate(self.windows(data)):
            begin, end = axis_pads(self.pad, i)
            inside = (axis.taps >= -begin) & (axis.taps < axis.length + end)
            counts = np.multiply.outer(counts, inside.sum(axis=1))
        return counts


@dataclass(frozen=True)
class AdaptivePool(Pooling):
    """A pool with a given output size; windows may be uneven (PyTorch's rule)."""

    out: tuple[int, ...] = field(metadata=per_axis())

    def __post_init__(self) -> None:
        require(min(self.out) >= 1, "C0206", f"`{self.name}` needs an output size >= 1, got {list(self.out)}")

    def windows(self, data: TensorType) -> tuple[Windows, ...]:
        require(data.rank == 2 + len(self.out), "C0202", f"`{self.name}` with {len(self.out)} output sizes needs rank {2 + len(self.out)}")
        return tuple(adaptive(n, o) for n, o in zip(data.spatial, self.out, strict=True))


@dataclass(frozen=True)
class AdaptiveMaxPool(AdaptivePool):
    """The largest element of each adaptive window."""

    name: ClassVar[str] = "adaptive_maxpool"


@dataclass(frozen=True)
class AdaptiveAvgPool(AdaptivePool):
    """The mean of each adaptive window."""

    name: ClassVar[str] = "adaptive_avgpool"
    reduce: ClassVar[Reduce] = "avg"


@dataclass(frozen=True)
class GlobalPool(Pooling):
    """A pool whose one window is the whole map."""

    def windows(self, data: TensorType) -> tuple[Windows, ...]:
        return tuple(sliding(n, 1, n, 1, 1, 0) for n in data.spatial)


@dataclass(frozen=True)
class GlobalMaxPool(GlobalPool):
    """The largest element of each channel."""

    name: ClassVar[str] = "global_maxpool"


@dataclass(frozen=True)
class GlobalMinPool(GlobalPool):
    """The smallest element of each channel: what a global max pool turns into under a decreasing function."""

    name: ClassVar[str] = "global_minpool"
    reduce: ClassVar[Reduce] = "min"


@dataclass(frozen=True)
class GlobalAvgPool(GlobalPool):
    """The mean of each channel."""

    name: ClassVar[str] = "global_avgpool"
    reduce: ClassVar[Reduce] = "avg"


@dataclass(frozen=True)
class AdaptiveMinPool(AdaptivePool):
    """The smallest element of each adaptive window: what an adaptive max pool turns into under a decreasing function."""

    name: ClassVar[str] = "adaptive_minpool"
    reduce: ClassVar[Reduce] = "min"


def flipped(pool: Pooling) -> Pooling:
    """The same windows with max and min exchanged, from the identity; raises KeyError for an average."""
    partner: dict[type[Pooling], type[Pooling]] = {
        MaxPool: MinPool, MinPool: MaxPool,
        AdaptiveMaxPool: AdaptiveMinPool, AdaptiveMinPool: AdaptiveMaxPool,
        GlobalMaxPool: GlobalMinPool, GlobalMinPool: GlobalMaxPool,
    }  # fmt: skip
    plain = pool if type(pool) in partner else pool.alone(0, ())  # its elements, where it gives their places too
    assert isinstance(plain, Pooling)
    return partner[type(plain)](**{name: value for name, value in plain.attributes().items() if name != "start"})
