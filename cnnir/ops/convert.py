"""Ops that change the element type: cast, quantize, dequantize."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from cnnir.types import DType, TensorType, numpy_dtype

from .base import Array, Op, require, require_float

Scale = float | tuple[float, ...]
Zero = int | tuple[int, ...]


@dataclass(frozen=True)
class Cast(Op):
    """The same numbers in another element type; what it cannot hold is cut as NumPy's `astype` cuts it."""

    name: ClassVar[str] = "cast"
    to: DType

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        return (TensorType(self.to, inputs[0].shape),)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        with np.errstate(all="ignore"):
            return (inputs[0].astype(numpy_dtype(self.to)),)


@dataclass(frozen=True)
class Affine(Op):
    """What quantize and dequantize share: real = (stored - zero) scale, with one scale, or one for each place on `axis`."""

    scale: Scale
    zero: Zero = 0
    axis: int = 1

    def __post_init__(self) -> None:
        scales = self.scale if isinstance(self.scale, tuple) else (self.scale,)
        require(bool(scales), "C0206", f"`{self.name}` needs one scale or more")
        require(all(0 < s < math.inf for s in scales), "C0206", f"`{self.name}` needs finite scales above 0")
        if isinstance(self.zero, tuple):
            alike = isinstance(self.scale, tuple) and len(self.scale) == len(self.zero)
            require(alike, "C0206", f"`{self.name}` needs as many zeros as scales")

    def check(self, data: TensorType, stored: str) -> None:
        """Raise OpError unless scales and zeros fit the data and the stored type."""
        limits = np.iinfo(numpy_dtype(stored))
        zeros = self.zero if isinstance(self.zero, tuple) else (self.zero,)
        require(limits.min <= min(zeros) and max(zeros) <= limits.max, "C0206", f"the zero of `{self.name}` does not fit {stored}")
        if isinstance(self.scale, tuple):
            require(-data.rank <= self.axis < data.rank, "C0209", f"`{self.name}` has no axis {self.axis} here")
            length = data.shape[self.axis]
            require(len(self.scale) == length, "C0204", f"`{self.name}` has {len(self.scale)} scales for an axis of {length} elements")

    @property
    def per_axis(self) -> bool:
        """Whether scale and zero are lists."""
        return isinstance(self.scale, tuple)

    def numbers(self, dtype: np.dtype[np.generic], rank: int) -> tuple[Array, Array]:
        """Scale in `dtype` and zero as float64, so that they broadcast over data of this rank."""
        scale, zero = np.asarray(self.scale, np.float64), np.asarray(self.zero, np.float64)
        if not self.per_axis:
            return scale.astype(dtype), zero
        shape = [1] * rank
        shape[self.axis] = len(scale)
        return scale.reshape(shape).astype(dtype), np.broadcast_to(zero, scale.shape).reshape(shape)


@dataclass(frozen=True)
class Quantize(Affine):
    """round(x / scale) + zero, halves to even, cut to the range of `to`: ONNX's QuantizeLinear."""

    name: ClassVar[str] = "quantize"
    to: Literal["u8", "i8", "u16", "i16"] = "u8"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require_float(self, inputs)
        self.check(inputs[0], self.to)
        return (TensorType(self.to, inputs[0].shape),)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        """The quotient is rounded to the data's type, as ONNX has it; the rest is exact."""
        stored = numpy_dtype(self.to)
        scale, zero = self.numbers(inputs[0].dtype, inputs[0].ndim)
        limits = np.iinfo(stored)
        with np.errstate(all="ignore"):
            whole = np.rint((inputs[0] / scale).astype(np.float64)) + zero
            return (np.clip(whole, limits.min, limits.max).astype(stored),)


@dataclass(frozen=True)
class Dequantize(Affine):
    """(x - zero) scale: ONNX's DequantizeLinear."""

    name: ClassVar[str] = "dequantize"
    to: Literal["f32", "f16", "bf16", "f64"] = "f32"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        data = inputs[0]
        known = data.dtype in ("u8", "i8", "u16", "i16", "i32")
        require(known, "C0205", f"`dequantize` needs integers of 8, 16 or 32 bits, got {data}")
        self.check(data, data.dtype)
        return (TensorType(self.to, data.shape),)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        """The difference is exact, then rounded to `to`, and so is the product."""
        real = numpy_dtype(self.to)
        scale, zero = self.numbers(real, inputs[0].ndim)
        with np.errstate(all="ignore"):
            return (((inputs[0].astype(np.float64) - zero).astype(real) * scale).astype(real),)
