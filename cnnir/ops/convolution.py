"""Convolution and the dense layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cnnir.diagnostics import OpError
from cnnir.types import TensorType

from .base import Array, Op, Parameter, per_axis, require, require_axes, require_float
from .window import axis_pads, output_size

if TYPE_CHECKING:
    from cnnir.facts.interval import Interval
    from cnnir.facts.precision import Precision

ALGORITHM = 64
"""How much less exact than a plain sum a convolution may be computed: by FFT, in blocks, in lower precision inside."""
AMPLIFICATION = 1565
"""How much Winograd's transforms may amplify errors: F(6x6, 3x3), the largest tile that any backend chooses, by its matrices."""
TRANSFORMS = 40
"""Roundings of a term on its way through the transforms of data, weights and sums, beside those of the sum over channels."""


def sum_range(data: Interval, weight: Array, bias: Array | None, padded: bool, precision: Precision) -> Interval:
    """The range of sum w x + b over rows of `weight`, for x in `data` or 0 where padded.

    Interval arithmetic on the real weights in float64, widened by the error of summing n products in any order,
    gamma_n sum |w| |x| with gamma_n = n u / (1 - n u), times what a faster algorithm may lose.
    """
    from cnnir.facts.interval import Interval  # facts are about ops, so ops come first

    rows = weight.reshape(len(weight), -1)
    positive = np.maximum(rows, 0).sum(axis=1, dtype=np.float64)
    negative = np.minimum(rows, 0).sum(axis=1, dtype=np.float64)
    shift = np.zeros(len(rows)) if bias is None else np.asarray(bias, np.float64)
    lo, hi = (min(data.lo, 0.0), max(data.hi, 0.0)) if padded else (data.lo, data.hi)
    magnitude = (positive - negative) * max(abs(lo), abs(hi)) + np.abs(shift)
    roundings = ALGORITHM * (rows.shape[1] + 2)
    if weight.shape[2:] == (3, 3):
        roundings = max(roundings, AMPLIFICATION * (weight.shape[1] + TRANSFORMS))
    spread = roundings * precision.unit
    slack = magnitude * (spread / (1 - spread) if spread < 0.5 else np.inf) + precision.tiny
    low = float(np.min(positive * lo + negative * hi + shift - slack))
    high = float(np.max(positive * hi + negative * lo + shift + slack))
    if not (np.isfinite(low) and np.isfinite(high) and float(magnitude.max()) * 4 < precision.max):
        return Interval(-np.inf, np.inf, True, True)
    return Interval(precision.next(precision.round(low), -1), precision.next(precision.round(high)), minus_zero=True)


def check_window(op: str, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...], pad: tuple[int, ...]) -> None:
    """Raise OpError unless kernel, stride and dilation are positive and pads are not negative."""
    for what, values in (("kernel", kernel), ("stride", stride), ("dilation", dilation)):
        require(min(values) >= 1, "C0206", f"`{op}` needs {what} >= 1, got {list(values)}")
    require(min(pad) >= 0, "C0206", f"`{op}` needs pad >= 0, got {list(pad)}", help="crop with `slice` instead")


@dataclass(frozen=True)
class Conv(Op):
    """Convolution (cross-correlation, as every framework has it), rank-generic; weight (out, C / groups, *kernel).

    `pad` holds the begins of all spatial axes, then the ends.
    """

    name: ClassVar[str] = "conv"
    out: int
    kernel: tuple[int, ...] = field(metadata=per_axis())
    stride: tuple[int, ...] = field(default=(1, 1), metadata=per_axis(1))
    pad: tuple[int, ...] = field(default=(0, 0, 0, 0), metadata=per_axis(0, pads=True))
    dilation: tuple[int, ...] = field(default=(1, 1), metadata=per_axis(1))
    groups: int = 1
    bias: bool = True

    def __post_init__(self) -> None:
        check_window(self.name, self.kernel, self.stride, self.dilation, self.pad)
        require(self.out >= 1, "C0206", f"`conv` needs at least one output channel, got {self.out}")
        require(self.groups >= 1, "C0206", f"`conv` needs groups >= 1, got {self.groups}")

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        data = inputs[0]
        require_float(self, inputs)
        require_axes(self, data, len(self.kernel))
        for what, count in (("input", data.channels), ("output", self.out)):
            if count % self.groups:
                raise OpError("C0207", f"{count} {what} channels do not divide into {self.groups} groups", slot=0)
        spatial = tuple(
            output_size(n, self.kernel[i], self.stride[i], self.dilation[i], axis_pads(self.pad, i)) for i, n in enumerate(data.spatial)
        )
        return (data.with_shape((data.shape[0], self.out, *spatial)),)

    def parameters(self, inputs: Sequence[TensorType]) -> Mapping[str, Parameter]:
        data = inputs[0]
        weight = (self.out, data.channels // self.groups, *self.kernel)
        fan_in = math.prod(weight[1:])
        found = {"weight": Parameter(weight, data.dtype, "he", fan_in)}
        if self.bias:
            found["bias"] = Parameter((self.out,), data.dtype, "he", fan_in)
        return found

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        return outputs[0].elements * math.prod(self.kernel) * inputs[0].channels // self.groups

    def output_range(
        self,
        inputs: Sequence[Interval],
        types: Sequence[TensorType],
        parameters: Callable[[], Mapping[str, Array]],
        precision: Precision,
    ) -> Interval:
        """From the real weights. Of unknown data nothing is found out, and no weight is read."""
        data = inputs[0]
        if data.nan or data.magnitude >= precision.max:
            return super().output_range(inputs, types, parameters, precision)
        given = parameters()
        return sum_range(data, np.asarray(given["weight"]), given.get("bias"), any(self.pad), precision)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        """Summed in float64, bias included, and rounded once: nearer to the real number than any float32 order."""
        data, weight = np.asarray(inputs[0], np.float64), np.asarray(parameters["weight"], np.float64)
        axes = len(self.kernel)
        pads = [(0, 0), (0, 0), *(axis_pads(self.pad, i) for i in range(axes))]
        spread = [(k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]
        view = np.lib.stride_tricks.sliding_window_view(np.pad(data, pads), spread, axis=tuple(range(2, 2 + axes)))
        steps = [slice(None)] * 2 + [slice(None, None, s) for s in self.stride] + [slice(None, None, d) for d in self.dilation]
        windows = view[tuple(steps)]
        grouped = np.split(windows, self.groups, axis=1)
        kernels = np.split(weight, self.groups, axis=0)
        over = [1, *range(2 + axes, 2 + 2 * axes)], list(range(1, 2 + axes))
        parts = [np.moveaxis(np.tensordot(g, k, axes=over), -1, 1) for g, k in zip(grouped, kernels, strict=True)]
        result = np.concatenate(parts, axis=1)
        if self.bias:
            result = result + np.asarray(parameters["bias"], np.float64).reshape(-1, *(1,) * axes)
        return (result.astype(inputs[0].dtype),)


@dataclass(frozen=True)
class Dense(Op):
    """Fully connected layer on (N, features); weight (out, features)."""

    name: ClassVar[str] = "fc"
    out: int
    bias: bool = True

    def __post_init__(self) -> None:
        require(self.out >= 1, "C0206", f"`fc` needs at least one output feature, got {self.out}")

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require_float(self, inputs)
        data = inputs[0]
        if data.rank != 2:
            raise OpError("C0202", "`fc` needs an input of rank 2", help="put `flatten` in front of it", slot=0)
        return (data.with_shape((data.shape[0], self.out)),)

    def parameters(self, inputs: Sequence[TensorType]) -> Mapping[str, Parameter]:
        features, dtype = inputs[0].shape[1], inputs[0].dtype
        found = {"weight": Parameter((self.out, features), dtype, "he", features)}
        if self.bias:
            found["bias"] = Parameter((self.out,), dtype, "he", features)
        return found

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        return outputs[0].elements * inputs[0].shape[1]

    def output_range(
        self,
        inputs: Sequence[Interval],
        types: Sequence[TensorType],
        parameters: Callable[[], Mapping[str, Array]],
        precision: Precision,
    ) -> Interval:
        """From the real weights. Of unknown data nothing is found out, and no weight is read."""
        data = inputs[0]
        if data.nan or data.magnitude >= precision.max:
            return super().output_range(inputs, types, parameters, precision)
        given = parameters()
        return sum_range(data, np.asarray(given["weight"]), given.get("bias"), False, precision)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        """Summed in float64 and rounded once."""
        result = np.asarray(inputs[0], np.float64) @ np.asarray(parameters["weight"], np.float64).T
        if self.bias:
            result = result + parameters["bias"]
        return (result.astype(inputs[0].dtype),)
