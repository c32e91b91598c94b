"""Formulas on a range of x, without what the range settles: relu of what is never negative is x, min(f, f) is f.

What is left gives the same numbers as float code, up to the sign of zero, which is left alone where a division could tell;
calculus and linear algebra see further in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from cnnir.scalar.expr import Apply, Const, Expr, Var, fold
from cnnir.scalar.primitives import Primitive

from .fact import Fact
from .interval import Interval
from .remainder import is_kept

LARGEST = 40
"""Nodes of a formula beyond which nobody looks."""
Facts = Callable[[Expr], Fact]
At = Callable[[Expr, float], Fact]


def resolved(expr: Expr, facts: Facts, at: At) -> Expr:
    """`expr` with every choice that is settled replaced by what is chosen, and what is one number by that number.

    `facts` gives those of a part of it on the range of x, `at` those at one number. What may be a zero that its reader
    tells from the other zero stays as written: x max(x, 0) is x^2 for x >= 0, and yet -0 for x = -0, where 1 over it is -inf.
    """

    def node(primitive: Primitive, parts: Sequence[_Part]) -> _Part:
        written = Apply(primitive, tuple(part.written for part in parts))
        telling = [i in primitive.separates_zeros and facts(part.written).range.has_zero for i, part in enumerate(parts)]
        args = [part.written if tells else part.resolved for part, tells in zip(parts, telling, strict=True)]
        return _Part(written, _settled(primitive, args, facts, at))

    return fold(expr, lambda leaf: _Part(leaf, leaf), node).resolved


class _Part(NamedTuple):
    written: Expr
    resolved: Expr


def _settled(primitive: Primitive, args: Sequence[Expr], facts: Facts, at: At) -> Expr:
    chosen = _chosen(primitive.name, args, facts) or _touching(primitive.name, args, facts, at)
    if chosen is not None:
        return chosen
    made = Apply(primitive, tuple(args))
    known = facts(made).range
    return Const(known.lo) if known.is_point and not known.has_infinity else made


def _chosen(name: str, args: Sequence[Expr], facts: Facts) -> Expr | None:
    if name == "abs":
        sign = facts(args[0]).range.sign()
        return None if sign is None or facts(args[0]).range.nan else args[0] if sign > 0 else -args[0]
    if name in _NEUTRAL and _is(args[1], _NEUTRAL[name]):
        return args[0]
    if name in ("add", "mul") and _is(args[0], _NEUTRAL[name]):
        return args[1]
    if name in ("mod", "fmod"):
        return args[0] if is_kept(name, *(facts(arg).range for arg in args)) else None
    if name not in ("max", "min", "select"):
        return None
    if name != "select" and args[0] == args[1]:
        return args[0]
    a, b = (facts(arg).range for arg in args[:2])
    greater = _compared(a, b)
    if greater is None:
        return None
    first, second = args[2:] if name == "select" else args if name == "max" else reversed(args)
    return first if greater else second


def _touching(name: str, args: Sequence[Expr], facts: Facts, at: At) -> Expr | None:
    """max and min where the two may be equal; select(x > c, p, q) where x >= c, if p and q meet in c."""
    if name in ("max", "min"):
        a, b = (facts(arg).range for arg in args)
        if a.nan or b.nan or not (a.lo >= b.hi or b.lo >= a.hi):
            return None
        return args[0] if (a.lo >= b.hi) == (name == "max") else args[1]
    if name != "select" or not isinstance(args[0], Var) or not isinstance(args[1], Const):
        return None
    ends = facts(args[0]).range
    end = facts(args[1]).range.lo
    p, q = (at(arg, end).range for arg in args[2:])
    return args[2] if ends.lo == end and p.is_point and q.is_point and p.lo == q.lo else None


_NEUTRAL: Mapping[str, float] = {"add": 0.0, "sub": 0.0, "mul": 1.0, "div": 1.0}


def _is(arg: Expr, number: float) -> bool:
    return isinstance(arg, Const) and arg.value == number


def _compared(a: Interval, b: Interval) -> bool | None:
    """Whether a > b always, or never; of max and min it does not matter which of two equal ones is taken."""
    if a.nan or b.nan:
        return None
    return True if a.lo > b.hi else False if a.hi <= b.lo else None
