"""Powers of half floats are soon infinite or 0: layers written out as others compute them in a wider type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from cnnir.types import DType, TensorType

from .base import Emit, Value
from .convert import Cast

NARROW = ("f16", "bf16")
"""Floats whose squares are not for them: those of f16 beyond 256 are infinite, and those below 0.0002 are 0."""


def widened(emit: Emit, value: Value, t: TensorType, to: Literal["f32", "f64"] = "f32") -> tuple[Value, Callable[[Value], Value]]:
    """A value of type `t` in f32, or f64, where it is of half floats, and what rounds a result back to the dtype it had."""
    if t.dtype not in NARROW:
        return value, lambda found: found
    narrow: DType = "f16" if t.dtype == "f16" else "bf16"
    return emit(Cast(to), value), lambda found: emit(Cast(narrow), found)
