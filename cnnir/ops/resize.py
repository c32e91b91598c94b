"""Resizing maps: nearest neighbour and linear interpolation, in ONNX's three ways of laying one grid on another."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from cnnir.types import TensorType

from .base import Array, Op, require, require_float, require_rank

if TYPE_CHECKING:
    from cnnir.facts.interval import Interval
    from cnnir.facts.precision import Precision


@dataclass(frozen=True)
class Resize(Op):
    """Every axis after N and C made `scale` times as long, or `size` long; one number stands for all of these axes."""

    name: ClassVar[str] = "resize"
    scale: float | tuple[float, ...] | None = None
    size: int | tuple[int, ...] | None = None
    mode: Literal["nearest", "linear"] = "nearest"
    coordinates: Literal["half_pixel", "asymmetric", "align_corners"] = "half_pixel"
    rounding: Literal["prefer_floor", "prefer_ceil", "floor", "ceil"] = "prefer_floor"

    def __post_init__(self) -> None:
        require((self.scale is None) != (self.size is None), "C0213", "`resize` needs `scale` or `size`", help="write `resize(2)`")
        given = self.size if self.scale is None else self.scale
        least = min(given) if isinstance(given, tuple) and given else given
        sound = isinstance(least, int | float) and 0 < least < math.inf
        require(sound, "C0206", f"`resize` needs a scale or size above 0, got {given}")

    def sizes(self, data: TensorType) -> tuple[tuple[int, float], ...]:
        """(length, scale) of each axis after N and C."""
        axes = data.spatial
        if self.size is not None:
            lengths = self.size if isinstance(self.size, tuple) else (self.size,) * len(axes)
            require(len(lengths) == len(axes), "C0202", f"`resize` needs {len(axes)} sizes here, got {list(lengths)}")
            return tuple((out, out / n) for out, n in zip(lengths, axes, strict=True))
        assert self.scale is not None
        scales = self.scale if isinstance(self.scale, tuple) else (self.scale,) * len(axes)
        require(len(scales) == len(axes), "C0202", f"`resize` needs {len(axes)} scales here, got {list(scales)}")
        longest = max((n * scale for n, scale in zip(axes, scales, strict=True)), default=0)
        require(longest < 2**63, "C0210", f"`resize` makes an axis of {longest:g} elements")
        return tuple((math.floor(n * scale), scale) for n, scale in zip(axes, scales, strict=True))

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        data = inputs[0]
        require_rank(self, data, 3, 5)
        if self.mode == "linear":
            require_float(self, inputs)
        lengths = tuple(length for length, _ in self.sizes(data))
        require(min(lengths) >= 1, "C0206", "`resize` leaves nothing of an axis")
        return (data.with_shape((*data.shape[:2], *lengths)),)

    def taps(self, data: TensorType) -> list[tuple[Array, Array, Array]]:
        """Of each axis: the lower and the upper neighbour of every output, and how far it is from the lower one."""
        found: list[tuple[Array, Array, Array]] = []
        for n, (length, scale) in zip(data.spatial, self.sizes(data), strict=True):
            where = self._coordinates(n, length, scale)
            if self.mode == "nearest":
                index = np.clip(self._rounded(where), 0, n - 1).astype(np.int32)
                found.append((index, index, np.zeros(length)))
                continue
            inside = np.clip(where, 0, n - 1)
            lower = np.floor(inside).astype(np.int32)
            found.append((lower, np.minimum(lower + 1, n - 1).astype(np.int32), inside - lower))
        return found

    def _coordinates(self, n: int, length: int, scale: float) -> Array:
        places = np.arange(length, dtype=np.float64)
        if self.coordinates == "align_corners":
            return places * ((n - 1) / (length - 1)) if length > 1 else places
        return places / scale if self.coordinates == "asymmetric" else (places + 0.5) / scale - 0.5

    def _rounded(self, where: Array) -> Array:
        rules: Mapping[str, Callable[[Array], Array]] = {
            "prefer_floor": lambda w: np.ceil(w - 0.5),
            "prefer_ceil": lambda w: np.floor(w + 0.5),
            "floor": np.floor,
            "ceil": np.ceil,
        }
        return rules[self.rounding](where)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        """Linear interpolation is summed in float64 and rounded once."""
        data = inputs[0]
        taps = self.taps(TensorType("f32", data.shape))
        if self.mode == "nearest":
            for axis, (index, _, _) in enumerate(taps, start=2):
                data = np.take(data, index, axis=axis)
            return (data,)
        total: Array = np.zeros(())
        for sides in itertools.product((0, 1), repeat=len(taps)):
            corner = data.astype(np.float64)
            for axis, (side, (lower, upper, fraction)) in enumerate(zip(sides, taps, strict=True), start=2):
                weight = (fraction if side else 1 - fraction).reshape(-1, *(1,) * (data.ndim - axis - 1))
                corner = np.take(corner, upper if side else lower, axis=axis) * weight
            total = total + corner
        return (total.astype(data.dtype),)

    def output_range(
        self,
        inputs: Sequence[Interval],
        types: Sequence[TensorType],
        parameters: Callable[[], Mapping[str, Array]],
        precision: Precision,
    ) -> Interval:
        """Between the least and greatest element; interpolation re-rounds."""
        data = inputs[0]
        if self.mode == "nearest":
            return data
        from cnnir.facts.interval import Interval  # facts are about ops, so ops come first

        slack = data.magnitude * precision.unit * 64
        low, high = precision.next(min(data.lo, 0.0) - slack, -1), precision.next(max(data.hi, 0.0) + slack)
        return Interval(low, high, data.nan or data.has_infinity, minus_zero=True)
