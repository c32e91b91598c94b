"""A formula's fingerprint: equal for formulas of the same structure and the same numbers, whatever objects they are made of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from .expr import Const, Expr, fold
from .primitives import Primitive


def fingerprint(expr: Expr, number: Callable[[float], str] = float.hex) -> str:
    """A SHA-256 in hexadecimal, the same in every process; `number` writes constants, alike where they count as equal.

    Shared parts are hashed once, so that the time is proportional to the objects.
    """

    def leaf(found: Expr) -> str:
        return _digest(f"number {number(float(found.value))}" if isinstance(found, Const) else repr(found))

    def node(primitive: Primitive, args: Sequence[str]) -> str:
        return _digest(" ".join([primitive.name, *args]))

    return fold(expr, leaf, node)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
