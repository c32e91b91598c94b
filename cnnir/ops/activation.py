"""Activations that the user defines: `activation f(x) = ...`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from cnnir.scalar.expr import Expr

from .elementwise import Elementwise


@dataclass(frozen=True)
class UserActivation(Elementwise):
    """A named expression over x. Facts are inferred from the body; the name means nothing to any pass."""

    name: ClassVar[str] = "activation"
    listed: ClassVar[bool] = False
    function: str = field(compare=False)
    body: Expr

    @cached_property
    def _hash(self) -> int:
        return hash(self.body)

    def __hash__(self) -> int:
        """Worked out once: a body may have 10,000 primitives, and is asked for at every layer."""
        return self._hash

    def formula(self) -> Expr:
        return self.body
