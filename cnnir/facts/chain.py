"""Formulas as chains h(g(x)), and what follows for h(g(x)) from facts of h and of g, as they are computed.

Let g keep its direction up to B, so that a = g(x) exceeds what it should not exceed, b, by at most B, and let h keep its own
up to C. Where a does not exceed b, the rule for exact g applies, and h adds C. Elsewhere b < a <= b + B, and h(a) and h(b)
differ by at most the modulus of h: sup |h'| B, and its rounding error at both. So the bound is the larger of C and the modulus.
This covers every entry of `lattice.compose`: h one way and g any way, or h a valley or a peak and g one way.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnir.scalar.expr import Apply, Expr, Var, X

from .enclosure import Enclosure
from .fact import Affine, Fact
from .interval import Interval
from .jet import jet
from .lattice import compose
from .precision import Precision, cut
from .rounding import Rounding

PARTS = 64


def composed(outer: Fact, inner: Fact, modulus: float | None) -> Fact:
    """Facts of h(g(x)) from those of h on the range of g, and of g; `modulus` is that of h for the bound of g."""
    if inner.bound == 0 or outer.direction.is_constant:
        bound = outer.bound
    elif outer.is_x:
        bound = inner.bound
    else:
        bound = None if outer.bound is None or modulus is None else max(outer.bound, modulus)
    direction = outer.direction if inner.is_x else compose(outer.direction, inner.direction)
    linear = None
    if outer.linear and inner.linear:
        scale = outer.linear.scale
        linear = Affine(scale * inner.linear.scale, scale * inner.linear.shift + outer.linear.shift)
    return Fact(direction, outer.range, max(outer.grade, inner.grade), linear, bound, outer.is_x and inner.is_x)


def modulus(expr: Expr, range: Interval, step: float, precision: Precision, coefficients: Mapping[str, Interval]) -> float | None:
    """How far the code of `expr` may differ at two numbers of the range that are at most `step` apart; None if it may jump.

    Numbers beyond step / unit are farther apart than that, and so is an infinity from any other number.
    """
    reach, most = step / precision.unit, precision.max
    lo, hi = max(range.lo, -reach, -most), min(range.hi, reach, most)
    if lo > hi:
        return 0.0
    first, last = precision.keys(np.array([precision.round(lo), precision.round(hi)])).tolist()
    first, last = first - (-most < lo > range.lo), last + (most > hi < range.hi)  # one number beyond may be within the step
    ends = np.array([first, 0, last] if first < 0 < last else [first, last])
    low, high = cut(ends[:-1], ends[1:], PARTS) if first < last else (ends[:1], ends[1:])
    x = Enclosure(precision.numbers(low), precision.numbers(high))
    slope, found = jet(expr, x, precision, coefficients), Rounding(precision, coefficients).of(expr, x)
    if not np.all(slope.sound):
        return None
    apart = float(np.max(slope.first.magnitude)) * step + 2 * float(np.max(found.error))
    return apart * (1 + 2.0**-40) if np.isfinite(apart) else None


def split(expr: Expr) -> tuple[Expr, Expr] | None:
    """h and g where `expr` is h(g(x)), g as large as can be: every path from `expr` to x goes through it; None if none is."""
    order = _topological(expr)
    below: dict[int, int] = {}
    for node in order:
        below[id(node)] = sum(below[id(a)] for a in node.args) if isinstance(node, Apply) else int(isinstance(node, Var))
    above = {id(expr): 1}
    for node in reversed(order):
        if isinstance(node, Apply):
            for a in node.args:
                above[id(a)] = above.get(id(a), 0) + above[id(node)]
    for node in reversed(order[:-1]):
        if isinstance(node, Apply) and below[id(node)] and above[id(node)] * below[id(node)] == below[id(expr)]:
            return _replaced(order, node), node
    return None


def _topological(expr: Expr) -> list[Expr]:
    """Every node once, arguments first; x as often as it is written, which does no harm."""
    done: dict[int, Expr] = {}
    stack: list[tuple[Expr, bool]] = [(expr, False)]
    while stack:
        node, ready = stack.pop()
        if id(node) in done:
            continue
        if ready or not isinstance(node, Apply):
            done[id(node)] = node
        else:
            stack.append((node, True))
            stack.extend((a, False) for a in node.args)
    return list(done.values())


def _replaced(order: list[Expr], part: Expr) -> Expr:
    new: dict[int, Expr] = {}
    for node in order:
        if node is part:
            new[id(node)] = X
        elif isinstance(node, Apply):
            new[id(node)] = Apply(node.primitive, tuple(new[id(a)] for a in node.args))
        else:
            new[id(node)] = node
    return new[id(order[-1])]
