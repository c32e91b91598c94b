"""The dtypes inside an expression. Everything is computed in the dtype of the variables until something converts it.

A number has no dtype of its own: constants and coefficients, and what is made of them alone, are computed in the dtype
of what they are combined with. `select(a > b, p, q)` compares in one dtype and chooses in another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, Union

from .expr import Apply, Expr, Var, fold
from .primitives import Primitive

T = TypeVar("T")
Leaf = Callable[[Expr, str], T]
Node = Callable[[Primitive, Sequence[T], str], T]


class Typed(Generic[T]):
    """A value with its dtype."""

    __slots__ = ("dtype", "value")

    def __init__(self, value: T, dtype: str) -> None:
        self.value = value
        self.dtype = dtype


Part = Union[Typed[T], Expr]  # noqa: UP007 - Typed has no `|` before it is subscripted
"""What a subexpression is worth; while it has no dtype, the subexpression itself."""


def number(expr: Expr, dtype: str, leaf: Leaf[T], node: Node[T]) -> T:
    """The value in `dtype` of an expression without variables."""
    return fold(expr, lambda part: leaf(part, dtype), lambda primitive, args: node(primitive, args, dtype))


def groups(primitive: Primitive, count: int) -> list[range]:
    """Which arguments must be of one dtype; the result has that of the last group."""
    return [range(primitive.compared), range(primitive.compared, count)] if primitive.compared else [range(count)]


def argument_dtypes(primitive: Primitive, known: Sequence[str | None]) -> list[str] | None:
    """The dtype of each argument, given those that have one; None where none has, so that the result has none."""
    named = [d for d in known if d is not None]
    if not named:
        return [primitive.to] * len(known) if primitive.to else None
    found = list[str]()
    for group in groups(primitive, len(known)):
        own = next((d for i in group if (d := known[i]) is not None), named[0])
        found += [known[i] or own for i in group]
    return found


def fold_typed(expr: Expr, dtypes: Sequence[str], leaf: Leaf[T], node: Node[T]) -> Typed[T]:
    """Interpret `expr`, whose `Var(i)` has `dtypes[i]`, bottom-up.

    `leaf` gets the dtype in which a leaf is wanted, `node` that in which a primitive computes (its last argument's).
    """

    def enter(part: Expr) -> Part[T]:
        return Typed(leaf(part, dtypes[part.index]), dtypes[part.index]) if isinstance(part, Var) else part

    def combine(primitive: Primitive, args: Sequence[Part[T]]) -> Part[T]:
        known = argument_dtypes(primitive, [a.dtype if isinstance(a, Typed) else None for a in args])
        if known is None:
            return Apply(primitive, tuple(a for a in args if isinstance(a, Expr)))
        values = [a.value if isinstance(a, Typed) else number(a, d, leaf, node) for a, d in zip(args, known, strict=True)]
        return Typed(node(primitive, values, known[-1]), primitive.to or known[-1])

    whole = fold(expr, enter, combine)
    return whole if isinstance(whole, Typed) else Typed(number(whole, dtypes[0], leaf, node), dtypes[0])
