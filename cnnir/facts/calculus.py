"""What calculus proves of a formula where composing its primitives does not: the direction of the real function, and how
far the float code may break it. Answers are kept, and one for a wider domain serves the narrower ones in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cnnir.scalar.evaluate import evaluate
from cnnir.scalar.expr import Apply, Const, Expr, leaves

from .bisection import Bisection
from .interval import Interval
from .jet import differentiable
from .lattice import UNKNOWN, Direction
from .precision import Precision
from .violation import Exact, bound

SMALL = 256
"""Unit roundoffs in a bound that no narrower domain needs to improve."""
NODES = 120
"""Formulas larger than this are not looked into."""
CONSTANTS = 12
"""Most constants at which the domain is cut."""
POWERS = (2, 3, 4, 5, 6, 7, 10)
"""Powers of two between which exp, tanh and erf settle, in one precision or another."""


@dataclass(frozen=True)
class Study:
    """A direction of the real function on the numbers of a domain, and how far the float code may break it."""

    direction: Direction
    bound: float


def study(expr: Expr, domain: Interval, precision: Precision, coefficients: Mapping[str, Interval], exact: Exact) -> Study | None:
    """The study of `expr` for x in the domain; None where nothing was found."""
    if domain.is_point or domain.has_infinity or _size(expr) > NODES or not differentiable(expr):
        return None
    known = tuple(sorted(coefficients.items()))
    best: Study | None = None
    asked = (domain.lo, domain.hi)
    wider = [] if any(not c.is_point for c in coefficients.values()) else [(-precision.max, precision.max), _rounder(domain, precision)]
    for lo, hi in dict.fromkeys([*wider, asked]):
        found = _studied(_Question(expr, lo, hi, precision, known, exact))
        if found is not None and (best is None or found.bound < best.bound):
            best = Study(found.direction.within(domain.lo, domain.hi), found.bound)
        if best is not None and best.bound <= SMALL * precision.unit:
            break
    return best


def _rounder(domain: Interval, precision: Precision) -> tuple[float, float]:
    """The domain widened to powers of two: a few such domains serve all channels of a network."""

    def away(value: float) -> float:
        power = math.copysign(2.0 ** math.ceil(math.log2(abs(value))), value) if value and abs(value) < precision.max / 2 else value
        return min(max(power, -precision.max), precision.max)

    def towards(value: float) -> float:
        return math.copysign(math.ldexp(0.5, math.frexp(value)[1]), value) if abs(value) > precision.unit**2 else value

    return (towards if domain.lo > 0 else away)(domain.lo), (towards if domain.hi < 0 else away)(domain.hi)


@dataclass(frozen=True)
class _Question:
    """What a study is kept for; `exact` follows from the rest."""

    expr: Expr
    lo: float
    hi: float
    precision: Precision
    coefficients: tuple[tuple[str, Interval], ...]
    exact: Exact

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Question) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[object, ...]:
        return self.expr, self.lo, self.hi, self.precision.name, self.coefficients


@lru_cache(maxsize=1024)
def _studied(question: _Question) -> Study | None:
    expr, precision, coefficients = question.expr, question.precision, dict(question.coefficients)
    if _wanders(question):
        return None
    cuts = _cuts(expr, question.lo, question.hi, precision)
    direction = Bisection(expr, precision, coefficients).direction(cuts)
    if direction == UNKNOWN:
        return None
    digits = round(-math.log2(precision.unit))
    powers = {2.0**k for k in (*POWERS, digits, digits + 2, digits + 4, 2 * digits)}
    coarse = _cuts(expr, question.lo, question.hi, precision, neighbours=False)
    finer = sorted({*coarse, *(s * p for p in powers for s in (-1, 1) if question.lo < s * p < question.hi)})
    most = bound(expr, direction, finer, question.exact, precision, coefficients)
    return None if most is None else Study(direction, most)


def _cuts(expr: Expr, lo: float, hi: float, precision: Precision, neighbours: bool = True) -> list[float]:
    """0, 1, -1, the constants of the formula, their negations, and the neighbours of all these, where it may jump."""
    values = {0.0, 1.0, -1.0}
    for constant in list(dict.fromkeys(leaf.value for leaf in leaves(expr) if isinstance(leaf, Const)))[:CONSTANTS]:
        value = precision.round(constant)
        values |= {value, -value}
    if neighbours:
        values |= {precision.next(v, step) for v in list(values) for step in (-1, 1)}
    return [lo, *sorted(v + 0.0 for v in values if lo < v < hi), hi]


def _wanders(question: _Question) -> bool:
    """Whether samples already go up, down and up again, by more than rounding: then there is nothing to find."""
    points = question.precision.numbers(np.linspace(*_keys(question), 96).astype(np.int64))
    near = np.linspace(max(question.lo, -16), min(question.hi, 16), 64)
    x = np.sort(np.concatenate([points, near[(near >= question.lo) & (near <= question.hi)]]))
    middle = {role: np.asarray(known.lo / 2 + known.hi / 2) for role, known in question.coefficients}
    with np.errstate(all="ignore"):
        y = evaluate(question.expr, [x], middle)
        y = y[np.isfinite(y)]
        step, size = np.diff(y), np.maximum(np.abs(y[1:]), np.abs(y[:-1]))
        way = np.sign(step)[np.abs(step) > 1e-6 * size + 1e-30]
    return int(np.count_nonzero(np.diff(way))) > 1


def _keys(question: _Question) -> tuple[int, int]:
    lo, hi = question.precision.keys(np.array([question.lo, question.hi])).tolist()
    return lo, hi


def _size(expr: Expr) -> int:
    """Applications in the formula written out, as equality and hashing see it."""
    done: dict[int, int] = {}
    stack = [expr]
    while stack:
        node = stack[-1]
        if not isinstance(node, Apply) or id(node) in done:
            done.setdefault(id(node), 0)
            stack.pop()
            continue
        waiting = [a for a in node.args if id(a) not in done]
        if waiting:
            stack += waiting
            continue
        done[id(node)] = 1 + sum(done[id(a)] for a in node.args)
        stack.pop()
    return done[id(expr)]
