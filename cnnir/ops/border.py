"""Padding: a border of a constant, of the edge repeated, or of the inside mirrored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from cnnir.types import TensorType

from .base import Array, Op, require

if TYPE_CHECKING:
    from cnnir.facts.interval import Interval
    from cnnir.facts.precision import Precision


@dataclass(frozen=True)
class Pad(Op):
    """`before` elements in front of each axis and `after` (`before` again, unless given) behind it.

    A number stands for every axis after N and C, a list for the last axes.
    """

    name: ClassVar[str] = "pad"
    before: int | tuple[int, ...]
    after: int | tuple[int, ...] | None = None
    value: float = 0.0
    mode: Literal["constant", "edge", "reflect"] = "constant"

    def widths(self, rank: int) -> list[tuple[int, int]]:
        """How much goes before and behind each axis."""
        sides = [self._side(side, rank) for side in (self.before, self.before if self.after is None else self.after)]
        return list(zip(*sides, strict=True))

    def _side(self, written: int | tuple[int, ...], rank: int) -> list[int]:
        given = list(written) if isinstance(written, tuple) else [written] * max(0, rank - 2)
        require(0 < len(given) <= rank, "C0202", f"`pad` of {len(given)} axes on an input of rank {rank}")
        require(min(given) >= 0, "C0206", f"`pad` needs widths >= 0, got {given}", help="crop with `slice` instead")
        return [0] * (rank - len(given)) + given

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        data = inputs[0]
        widths = self.widths(data.rank)
        whole = data.numpy.kind in "biu"
        require(not whole or self._fits(data.numpy), "C0206", f"the value {self.value:g} of `pad` is not one of {data.dtype}")
        if self.mode == "reflect":
            short = [n for n, width in zip(data.shape, widths, strict=True) if max(width) >= n]
            require(not short, "C0203", "a mirrored border is wider than what it mirrors", remark=f"an axis has {short[:1]} elements")
        return (data.with_shape(tuple(n + sum(width) for n, width in zip(data.shape, widths, strict=True))),)

    def _fits(self, dtype: np.dtype[Any]) -> bool:
        """Whether a type of whole numbers holds the value."""
        low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        return low <= self.value <= high and float(self.value).is_integer()

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        widths = self.widths(inputs[0].ndim)
        if self.mode == "constant":
            return (np.pad(inputs[0], widths, constant_values=np.asarray(self.value).astype(inputs[0].dtype)),)
        return (np.pad(inputs[0], widths, mode=self.mode),)

    def output_range(
        self,
        inputs: Sequence[Interval],
        types: Sequence[TensorType],
        parameters: Callable[[], Mapping[str, Array]],
        precision: Precision,
    ) -> Interval:
        """The input's, and the constant."""
        if self.mode != "constant":
            return inputs[0]
        from cnnir.facts.interval import around  # facts are about ops, so ops come first

        return inputs[0].hull(around([precision.round(self.value)]))
