"""Formulas in parts, where one expression would be too large: each part is a stage of its own, with a buffer behind it.

TVM's analyzer writes out every Let, and everything that a primitive writes several times, again and again: its time is the size
of the formula written out. In `mod(x, mish(y))` the divisor is written six times, mish reads y 231,281 times, and in
every Select all of that becomes a constraint. A value that is read from a buffer is one node. Storing one changes no bit.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tvm import tirx

from cnnir.scalar.expr import Apply, Expr, Var, fold, has_variable
from cnnir.scalar.primitives import Primitive

from .kernels.strict import occurrences
from .scalar import builders, converted

_OF_TRUTH = ("and", "or", "xor", "not")


def reads(expr: Expr) -> int:
    """How often a float32 kernel reads its first variable once every Let is written out."""
    return written(expr, lambda leaf: int(leaf == Var(0)))


def written(expr: Expr, leaf: Callable[[Expr], int] = lambda _leaf: 1) -> int:
    """How many leaves a float32 kernel of a formula has once every Let is written out; each counts as `leaf` says."""
    return fold(expr, leaf, _total)


def _total(primitive: Primitive, sizes: Sequence[int]) -> int:
    return sum(times * size for times, size in zip(_times(primitive), sizes, strict=True))


@functools.cache
def _times(primitive: Primitive) -> tuple[int, ...]:
    """How often code for llvm has each argument of a primitive."""
    dtypes = ["bool" if primitive.name in _OF_TRUTH or (primitive.name, i) == ("where", 0) else "float32" for i in range(primitive.arity)]
    arguments = [tirx.Var(f"x{i}", dtype) for i, dtype in enumerate(dtypes)]
    if primitive.converts and primitive.to:
        code = converted(arguments[0], primitive.to)
    else:
        code = builders("llvm", "float32")[primitive.name](*arguments)
    return tuple(occurrences(code, {argument: 1}) for argument in arguments)


@dataclass(frozen=True)
class _Sized:
    """A formula, and how many leaves it has written out."""

    expr: Expr
    size: int


def parts(expr: Expr, first: int, most: int) -> list[Expr]:
    """`expr` as formulas of up to `most` leaves each, written out, the last of which is its value; `Var(first + i)` is the i-th.

    One primitive of leaves stays whole, however large. What is no number of the formula's kind (a truth value, a constant
    without a dtype) gets no part of its own.
    """
    found: list[Expr] = []
    stored: dict[int, _Sized] = {}

    def node(primitive: Primitive, args: Sequence[_Sized]) -> _Sized:
        own = [stored.get(id(arg), arg) for arg in args]
        sizes = [times * arg.size for times, arg in zip(_times(primitive), own, strict=True)]
        for i in sorted(range(len(own)), key=lambda i: -sizes[i]):
            arg = stored.get(id(args[i]), own[i])
            if _total(primitive, [a.size for a in own]) > most and _is_value(arg.expr):
                found.append(arg.expr)
                stored[id(args[i])] = arg = _Sized(Var(first + len(found) - 1), 1)
            own[i] = arg
        return _Sized(Apply(primitive, tuple(arg.expr for arg in own)), _total(primitive, [arg.size for arg in own]))

    whole = fold(expr, lambda leaf: _Sized(leaf, 1), node)
    return [*found, whole.expr]


def _is_value(expr: Expr) -> bool:
    return isinstance(expr, Apply) and expr.primitive.to != "bool" and has_variable(expr)
