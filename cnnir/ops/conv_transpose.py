"""Transposed convolution: every input element spreads a kernel over the output."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cnnir.diagnostics import OpError
from cnnir.types import TensorType

from .base import Array, Op, Parameter, per_axis, require, require_axes, require_float
from .convolution import check_window, sum_range
from .window import axis_pads

if TYPE_CHECKING:
    from cnnir.facts.interval import Interval
    from cnnir.facts.precision import Precision


@dataclass(frozen=True)
class ConvTranspose(Op):
    """The gradient of a convolution, as ONNX and PyTorch have it; weight (C, out / groups, *kernel).

    Along an axis the output has (n - 1) stride + (kernel - 1) dilation + 1 elements, less the pads, and `output_pad` more.
    """

    name: ClassVar[str] = "conv_transpose"
    out: int
    kernel: tuple[int, ...] = field(metadata=per_axis())
    stride: tuple[int, ...] = field(default=(1, 1), metadata=per_axis(1))
    pad: tuple[int, ...] = field(default=(0, 0, 0, 0), metadata=per_axis(0, pads=True, same=False))
    output_pad: tuple[int, ...] = field(default=(0, 0), metadata=per_axis(0))
    dilation: tuple[int, ...] = field(default=(1, 1), metadata=per_axis(1))
    groups: int = 1
    bias: bool = True

    def __post_init__(self) -> None:
        check_window(self.name, self.kernel, self.stride, self.dilation, self.pad)
        require(min(self.output_pad) >= 0, "C0206", f"`conv_transpose` needs output_pad >= 0, got {list(self.output_pad)}")
        require(self.out >= 1, "C0206", f"`conv_transpose` needs at least one output channel, got {self.out}")
        require(self.groups >= 1, "C0206", f"`conv_transpose` needs groups >= 1, got {self.groups}")

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        data = inputs[0]
        require_float(self, inputs)
        require_axes(self, data, len(self.kernel))
        for what, count in (("input", data.channels), ("output", self.out)):
            if count % self.groups:
                raise OpError("C0207", f"{count} {what} channels do not divide into {self.groups} groups", slot=0)
        spatial = tuple(self.spread(n, i) - sum(axis_pads(self.pad, i)) + self.output_pad[i] for i, n in enumerate(data.spatial))
        require(min(spatial) >= 1, "C0203", "the pads of `conv_transpose` leave nothing of its output", help="use smaller pads")
        return (data.with_shape((data.shape[0], self.out, *spatial)),)

    def spread(self, length: int, axis: int) -> int:
        """How many elements of a spatial axis the kernels reach, pads and all."""
        return (length - 1) * self.stride[axis] + (self.kernel[axis] - 1) * self.dilation[axis] + 1

    def parameters(self, inputs: Sequence[TensorType]) -> Mapping[str, Parameter]:
        data = inputs[0]
        weight = (data.channels, self.out // self.groups, *self.kernel)
        fan_in = max(1, data.channels // self.groups * math.prod(self.kernel) // math.prod(self.stride))
        found = {"weight": Parameter(weight, data.dtype, "he", fan_in)}
        if self.bias:
            found["bias"] = Parameter((self.out,), data.dtype, "he", fan_in)
        return found

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        return inputs[0].elements * math.prod(self.kernel) * self.out // self.groups

    def output_range(
        self,
        inputs: Sequence[Interval],
        types: Sequence[TensorType],
        parameters: Callable[[], Mapping[str, Array]],
        precision: Precision,
    ) -> Interval:
        """From the real weights, of which an output may meet any part. Of unknown data nothing is found out."""
        data = inputs[0]
        if data.nan or data.magnitude >= precision.max:
            return super().output_range(inputs, types, parameters, precision)
        given = parameters()
        kernels = np.split(np.asarray(given["weight"]), self.groups, axis=0)
        rows = np.concatenate([np.moveaxis(k, 1, 0).reshape(k.shape[1], -1) for k in kernels])
        return sum_range(data, rows, given.get("bias"), True, precision)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        """Spread tap by tap in float64, cut to size, rounded once."""
        data, weight = np.asarray(inputs[0], np.float64), np.asarray(parameters["weight"], np.float64)
        axes = len(self.kernel)
        (out,) = self.infer([TensorType("f32", data.shape)])
        reach = [self.spread(n, i) + self.output_pad[i] for i, n in enumerate(data.shape[2:])]
        whole = np.zeros((len(data), self.out, *reach))
        kernels = np.split(weight, self.groups, axis=0)
        for tap in itertools.product(*map(range, self.kernel)):
            terms = [
                np.moveaxis(np.tensordot(part, k[(slice(None), slice(None), *tap)], axes=([1], [0])), -1, 1)
                for part, k in zip(np.split(data, self.groups, axis=1), kernels, strict=True)
            ]
            first = [t * d for t, d in zip(tap, self.dilation, strict=True)]
            steps = zip(first, self.stride, data.shape[2:], strict=True)
            whole[(slice(None), slice(None), *(slice(f, f + s * (n - 1) + 1, s) for f, s, n in steps))] += np.concatenate(terms, axis=1)
        begins = [axis_pads(self.pad, i)[0] for i in range(axes)]
        result = whole[(slice(None), slice(None), *(slice(b, b + n) for b, n in zip(begins, out.spatial, strict=True)))]
        if self.bias:
            result = result + np.asarray(parameters["bias"], np.float64).reshape(-1, *(1,) * axes)
        return (result.astype(inputs[0].dtype),)
