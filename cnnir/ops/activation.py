"""Activations that the user defines: `activation f(x) = ...`."""

from __future__ import annotations

from dataclasses import dataclass

from cnnir.scalar.expr import Expr

from .elementwise import Elementwise


@dataclass(frozen=True)
class UserActivation(Elementwise):
    """A named expression over x. Facts are inferred from the body; the name means nothing to any pass."""

    function: str
    body: Expr

    def formula(self) -> Expr:
        return self.body
