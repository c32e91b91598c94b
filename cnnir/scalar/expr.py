"""Expressions over one element: the single definition of every elementwise layer.

An elementwise op declares a *formula* over a closed set of primitives. NumPy evaluation, facts, generated code and
printed text are all folds over that one formula, so they cannot disagree about what the layer computes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, Union

if TYPE_CHECKING:
    from .primitives import Primitive

T = TypeVar("T")
Operand = Union["Expr", float, int]


class Expr:
    """A scalar expression; `+ - * /` and unary `-` build larger ones. Immutable and hashable."""

    __slots__ = ()

    def __add__(self, other: Operand) -> Expr:
        return apply("add", self, other)

    def __radd__(self, other: Operand) -> Expr:
        return apply("add", other, self)

    def __sub__(self, other: Operand) -> Expr:
        return apply("sub", self, other)

    def __rsub__(self, other: Operand) -> Expr:
        return apply("sub", other, self)

    def __mul__(self, other: Operand) -> Expr:
        return apply("mul", self, other)

    def __rmul__(self, other: Operand) -> Expr:
        return apply("mul", other, self)

    def __truediv__(self, other: Operand) -> Expr:
        return apply("div", self, other)

    def __rtruediv__(self, other: Operand) -> Expr:
        return apply("div", other, self)

    def __neg__(self) -> Expr:
        return apply("neg", self)


@dataclass(frozen=True, slots=True)
class Var(Expr):
    """The element of data input `index`."""

    index: int = 0


@dataclass(frozen=True, slots=True)
class Const(Expr):
    """A number, rounded to the dtype of the computation where it is used. Zeros of different signs are different numbers."""

    value: float
    _sign: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_sign", math.copysign(1.0, self.value))


@dataclass(frozen=True, slots=True)
class Param(Expr):
    """A coefficient of the layer, by role, such as the slope of a PReLU: one number per channel or per element."""

    role: str


@dataclass(frozen=True, slots=True)
class Apply(Expr):
    """A primitive applied to arguments."""

    primitive: Primitive
    args: tuple[Expr, ...]


X = Var(0)


def apply(name: str, *args: Operand) -> Expr:
    """The primitive called `name` applied to expressions or numbers; raises KeyError or ValueError (arity)."""
    from .primitives import primitive as named  # primitives use expressions in their own tests of facts

    primitive = named(name)
    if len(args) != primitive.arity:
        raise ValueError(f"{name} takes {primitive.arity} arguments, got {len(args)}")
    return Apply(primitive, tuple(a if isinstance(a, Expr) else Const(float(a)) for a in args))


def fold(expr: Expr, leaf: Callable[[Expr], T], node: Callable[[Primitive, Sequence[T]], T]) -> T:
    """Interpret `expr` bottom-up, each shared subexpression once; iterative, so depth costs no Python stack."""
    done: dict[int, T] = {}
    stack: list[tuple[Expr, bool]] = [(expr, False)]
    while stack:
        current, ready = stack.pop()
        if id(current) in done:
            continue
        if not isinstance(current, Apply):
            done[id(current)] = leaf(current)
        elif ready:
            done[id(current)] = node(current.primitive, [done[id(a)] for a in current.args])
        else:
            stack.append((current, True))
            stack.extend((a, False) for a in current.args)
    return done[id(expr)]


def converts(expr: Expr) -> bool:
    """Whether some step of a formula gives its result another dtype."""
    return any(isinstance(node, Apply) and node.primitive.to for node in nodes(expr))


def convert(expr: Expr, to: str) -> Expr:
    """The value of `expr` in another dtype."""
    from .primitives import CONVERSIONS

    return Apply(CONVERSIONS[to], (expr,))


def has_variable(expr: Expr) -> bool:
    """Whether some leaf is a variable: a formula without one is a number, and has no dtype of its own."""
    return any(isinstance(leaf, Var) for leaf in leaves(expr))


def substitute(expr: Expr, replace: Callable[[Expr], Expr]) -> Expr:
    """`expr` with every leaf replaced; used to inline one formula into another."""
    return fold(expr, replace, lambda primitive, args: Apply(primitive, tuple(args)))


def nodes(expr: Expr) -> list[Expr]:
    """Every distinct node object of `expr`, arguments before what they are arguments of."""
    done: dict[int, Expr] = {}
    stack: list[tuple[Expr, bool]] = [(expr, False)]
    while stack:
        current, ready = stack.pop()
        if id(current) in done:
            continue
        if ready or not isinstance(current, Apply):
            done[id(current)] = current
        else:
            stack.append((current, True))
            stack.extend((a, False) for a in current.args)
    return list(done.values())


def leaves(expr: Expr) -> list[Expr]:
    """Every distinct leaf object of `expr`."""
    found: list[Expr] = []
    fold(expr, lambda leaf: found.append(leaf), lambda _primitive, _args: None)
    return found


def with_number(expr: Expr, part: Expr, number: float) -> Expr:
    """`expr` with one of its nodes, wherever that object occurs, replaced by a number."""
    done: dict[int, Expr] = {}
    for node in nodes(expr):
        made = Apply(node.primitive, tuple(done[id(a)] for a in node.args)) if isinstance(node, Apply) else node
        done[id(node)] = Const(number) if node is part else made
    return done[id(expr)]
