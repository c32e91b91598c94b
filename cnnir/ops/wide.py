"""Sums of squares of half floats are no half floats: layers written out as others compute them in f32."""

from __future__ import annotations

from collections.abc import Callable

from cnnir.types import TensorType

from .base import Emit, Value
from .convert import Cast

NARROW = ("f16", "bf16")
"""Floats whose squares are soon infinite or 0: of f16 those beyond 256 and below 0.0002."""


def widened(emit: Emit, value: Value, t: TensorType) -> tuple[Value, Callable[[Value], Value]]:
    """A value of type `t` in f32 where it is narrower, and what rounds a result back to the dtype it had."""
    if t.dtype not in NARROW:
        return value, lambda found: found
    return emit(Cast("f32"), value), lambda found: emit(Cast(t.dtype), found)
