"""Opaque nodes: what another framework says and this one does not understand, kept word for word."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Union

from cnnir.diagnostics import CnnirError, Diagnostic
from cnnir.types import TensorType

from .base import Array, OptionalInputs, require

KIND = re.compile(r"[A-Za-z_][A-Za-z_0-9]*(\.[A-Za-z_][A-Za-z_0-9]*)*")
Attribute = Union[int, float, str, bytes, TensorType, tuple["Attribute", ...]]  # noqa: UP007 - it names itself
"""A value of a payload. Subgraphs and anything else without a spelling of its own are text or bytes."""


@dataclass(frozen=True)
class Opaque(OptionalInputs):
    """A node of an unknown operation, such as `onnx.NonMaxSuppression`, with its attributes and declared output types.

    Nothing is known of it, so no law moves anything past it and nothing is compiled from it.
    """

    name: ClassVar[str] = "opaque"
    listed: ClassVar[bool] = False
    inputs: ClassVar[tuple[int, int]] = (0, 1_000_000)
    separates_zeros: ClassVar[bool] = True
    kind: str
    types: tuple[TensorType, ...]
    payload: tuple[tuple[str, Attribute], ...] = ()

    def __post_init__(self) -> None:
        require(bool(KIND.fullmatch(self.kind)), "C0206", f"`{self.kind}` is no name of an operation", help="such as `onnx.Scan`")
        require(bool(self.types), "C0206", f"`{self.kind}` needs at least one output")
        sound = all(_is_number(value) for _, value in self.payload)
        require(sound, "C0206", f"an attribute of `{self.kind}` is not a number", help="keep it as bytes")

    @property
    def reason(self) -> str:
        """Why it is kept as it is, if who made it says so."""
        return str(dict(self.payload).get("why", ""))

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        return self.types

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        raise CnnirError(Diagnostic("C0604", f"`{self.kind}` cannot be evaluated: nothing is known of it"))


def _is_number(value: Attribute) -> bool:
    """Whether no part of an attribute is NaN, which would make an op differ from itself."""
    pending: list[Attribute] = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, tuple):
            pending.extend(part)
        elif isinstance(part, float) and math.isnan(part):
            return False
    return True
