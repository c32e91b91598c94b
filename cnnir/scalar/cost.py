"""How much work a formula is, for prices that know no machine."""

from __future__ import annotations

from .expr import Apply, Expr
from .primitives import Primitive

LIBRARY, DIVISION = 10, 4
"""Steps that a library function, and a division or square root, count as: what they cost on CPUs, roughly."""


def steps(formula: Expr) -> int:
    """Scalar steps of one evaluation; what is shared is counted once."""
    seen: set[int] = set()
    stack, total = [formula], 0
    while stack:
        node = stack.pop()
        if isinstance(node, Apply) and id(node) not in seen:
            seen.add(id(node))
            total += _cost(node.primitive)
            stack.extend(node.args)
    return total


def _cost(primitive: Primitive) -> int:
    if primitive.rounding == "library":
        return LIBRARY
    return DIVISION if primitive.name in ("div", "sqrt") else 1
