"""Ops that change the element type: cast, quantize, dequantize. Each is a formula whose steps convert."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from cnnir.scalar.expr import Const, Expr, Param, X, apply, convert
from cnnir.types import DType, TensorType, numpy_dtype

from .base import Array, require, require_float
from .elementwise import Elementwise
from .piecewise import clamp

Scale = float | tuple[float, ...]
Zero = int | tuple[int, ...]


@dataclass(frozen=True)
class Cast(Elementwise):
    """The same numbers in another element type, floats cut towards 0 where it is an integer.

    What it cannot hold: floats become infinite, or the nearest integer there is, NaN being 0; integers keep their lowest bits.
    """

    name: ClassVar[str] = "cast"
    activation: ClassVar[bool] = False
    to: DType

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        return (TensorType(self.to, inputs[0].shape),)

    def formula(self) -> Expr:
        return convert(X, self.to)


@dataclass(frozen=True)
class Affine(Elementwise):
    """What quantize and dequantize share: real = (stored - zero) scale, with one scale, or one for each place on `axis`."""

    activation: ClassVar[bool] = False
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

    def check(self, data: TensorType, stored: str, real: str) -> None:
        """Raise OpError unless scales and zeros fit the data, the stored type, and the type that a scale is a number of."""
        with np.errstate(all="ignore"):
            rounded = np.asarray(self.scale, np.float64).astype(numpy_dtype(real)).astype(np.float64)
        sound = bool(((rounded > 0) & np.isfinite(rounded)).all())
        require(sound, "C0206", f"a scale of `{self.name}` is 0 or infinite in {real}")
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

    def parts(self) -> tuple[Expr, Expr]:
        """Scale and zero in the formula: numbers, or coefficients."""
        if isinstance(self.scale, tuple):
            return Param("scale"), Param("zero")
        assert isinstance(self.zero, int)
        return Const(self.scale), Const(float(self.zero))

    def written(self, data: TensorType) -> Mapping[str, Array]:
        """Scales and zeros along their axis."""
        if not isinstance(self.scale, tuple):
            return {}
        axis, shape = self.axis % data.rank, (len(self.scale),)
        if axis != min(1, data.rank - 1):
            shape = tuple(len(self.scale) if i == axis else 1 for i in range(min(axis, 1), data.rank))
        zeros = np.broadcast_to(np.asarray(self.zero, np.int64), (len(self.scale),))
        return {"scale": np.reshape(np.asarray(self.scale), shape), "zero": np.reshape(zeros, shape)}


@dataclass(frozen=True)
class Quantize(Affine):
    """round(x / scale) + zero, halves to even, cut to the range of `to`: ONNX's QuantizeLinear.

    The quotient is rounded to the data's type, as ONNX has it; the rest is exact in f32, or beyond the range of `to`.
    """

    name: ClassVar[str] = "quantize"
    to: Literal["u8", "i8", "u16", "i16"] = "u8"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require_float(self, inputs)
        self.check(inputs[0], self.to, inputs[0].dtype)
        return (TensorType(self.to, inputs[0].shape),)

    def formula(self) -> Expr:
        scale, zero = self.parts()
        limits = np.iinfo(numpy_dtype(self.to))
        whole = convert(apply("round", X / scale), "f32")
        return convert(clamp(whole + zero, float(limits.min), float(limits.max)), self.to)


@dataclass(frozen=True)
class Dequantize(Affine):
    """(x - zero) scale: ONNX's DequantizeLinear. The difference is exact, then rounded to `to`, and so is the product."""

    name: ClassVar[str] = "dequantize"
    to: Literal["f32", "f16", "bf16", "f64"] = "f32"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        data = inputs[0]
        known = data.dtype in ("u8", "i8", "u16", "i16", "i32")
        require(known, "C0205", f"`dequantize` needs integers of 8, 16 or 32 bits, got {data}")
        self.check(data, data.dtype, self.to)
        return (TensorType(self.to, data.shape),)

    def formula(self) -> Expr:
        scale, zero = self.parts()
        return convert(convert(X, "i64") - zero, self.to) * scale
