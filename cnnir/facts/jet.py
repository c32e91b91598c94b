"""Automatic differentiation: value, slope, curvature and elasticity of a formula on many intervals at once.

The formula is read as a function of real numbers (its constants as the floats they are). Slopes at kinks are all those on
either side; where the formula is undefined or jumps, `sound` is false and nothing is said. The elasticity is
x f'(x) / f(x) wherever f(x) is not 0: sums average it, products add it up, so in a tail where f and f' both vanish, or
where f' is a difference of large numbers, as in x / (1 + |x|), it still has a sign, and so has f' = elasticity f / x.

Conclusions from slopes need f to be piecewise analytic and continuous, which every composition of these primitives is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from cnnir.scalar.expr import Apply, Const, Expr, Param, Var, nodes
from cnnir.scalar.primitives import PRIMITIVES, Primitive

from .derivatives import COMPLEMENTS, ELASTICITIES, ONE, RULES, TWO, everywhere
from .enclosure import Array, Enclosure, between, enclosure, point, unbounded
from .interval import Interval
from .powers import ZERO, power, remainder
from .precision import Precision

PERIODS = (1e-7, 6e4)
"""Divisors between these round to a number in every dtype, and neither to 0 nor to an infinity."""


@dataclass(frozen=True, eq=False)
class Jet:
    """What is known of f on each interval."""

    value: Enclosure
    first: Enclosure
    second: Enclosure
    elasticity: Enclosure
    sound: Array

    @property
    def rises(self) -> Array:
        """Where f is non-decreasing."""
        return self.sound & (self.first.lo >= 0)

    @property
    def falls(self) -> Array:
        """Where f is non-increasing."""
        return self.sound & (self.first.hi <= 0)


def jet(expr: Expr, x: Enclosure, precision: Precision, coefficients: Mapping[str, Interval]) -> Jet:
    """The jet of `expr` for Var(0) in each of the intervals `x`, none of which has 0 inside."""
    done: dict[int, Jet] = {}
    stack: list[tuple[Expr, bool]] = [(expr, False)]
    with np.errstate(all="ignore"):
        while stack:
            node, ready = stack.pop()
            if id(node) in done:
                continue
            if not isinstance(node, Apply):
                done[id(node)] = _leaf(node, x, precision, coefficients)
            elif ready:
                done[id(node)] = _near_one(node, done, x) or _complement(node, done, x) or _node(node, [done[id(a)] for a in node.args], x)
            else:
                stack.append((node, True))
                stack.extend((a, False) for a in node.args)
    return done[id(expr)]


def _leaf(node: Expr, x: Enclosure, precision: Precision, coefficients: Mapping[str, Interval]) -> Jet:
    sound = everywhere(x)
    if isinstance(node, Var):
        return Jet(x, ONE, ZERO, ONE, sound)
    if isinstance(node, Const):
        return Jet(point(precision.round(node.value)), ZERO, ZERO, ZERO, sound & np.isfinite(precision.round(node.value)))
    if isinstance(node, Param):
        known = coefficients[node.role]
        value = between(known.lo, known.hi)
        return Jet(value, ZERO, ZERO, ZERO, sound & bool(np.isfinite(known.magnitude)) & (not known.nan))
    raise TypeError(f"no derivative of {node!r}")


def differentiable(expr: Expr) -> bool:
    """Whether there is a rule for every step of a formula; of remainders there is one where the divisor is a number, not 0."""
    known = {*RULES, *_BINARY, "max", "min", "select"}
    return all(node.primitive.name in known or _has_period(node) for node in nodes(expr) if isinstance(node, Apply))


def _has_period(node: Apply) -> bool:
    """Whether it is a remainder by a number that is one in every dtype."""
    divisor = node.args[-1]
    return node.primitive.name in ("mod", "fmod") and isinstance(divisor, Const) and PERIODS[0] < abs(divisor.value) < PERIODS[1]


def one_plus(node: Apply) -> Expr | None:
    """The u of log(1 + u), which is log1p(u): for small u the sum would be 1."""
    inside = node.args[0]
    if node.primitive.name != "log" or not isinstance(inside, Apply) or inside.primitive.name != "add":
        return None
    for one, rest in (inside.args, inside.args[::-1]):
        if isinstance(one, Const) and one.value == 1:
            return rest
    return None


def _near_one(node: Apply, done: Mapping[int, Jet], x: Enclosure) -> Jet | None:
    rest = one_plus(node)
    return None if rest is None else _refined(_unary(PRIMITIVES["log1p"], done[id(rest)], x), x)


def _complement(node: Apply, done: Mapping[int, Jet], x: Enclosure) -> Jet | None:
    """1 + h(u) and 1 - h(u) = 1 + h(-u) for h = tanh or erf, whose relative slopes survive where they round to 0."""
    name, places = node.primitive.name, {"add": (0, 1), "sub": (0,)}.get(node.primitive.name, ())
    for place in places:
        one, curve = node.args[place], node.args[1 - place]
        if isinstance(one, Const) and one.value == 1 and isinstance(curve, Apply) and curve.primitive.name in COMPLEMENTS:
            h, u = done[id(curve)], done[id(curve.args[0])]
            h, u = (h, u) if name == "add" else (_negated(h), _negated(u))
            rule = COMPLEMENTS[curve.primitive.name]
            steep = (x * u.first).meet((u.value * u.elasticity).where(~u.value.has_zero, unbounded(np.shape(x.lo))))
            return _refined(Jet(rule.value(u.value), h.first, h.second, rule.ratio(u.value) * steep, h.sound), x)
    return None


def _node(node: Apply, args: list[Jet], x: Enclosure) -> Jet:
    name = node.primitive.name
    if name == "select":
        found = _select(args)
    elif name in ("max", "min"):
        found = _chosen(name, args[0], args[1])
    elif node.primitive.arity == 1:
        found = _unary(node.primitive, args[0], x)
    elif name in ("mod", "fmod"):
        found = _remainder(name, args[0], float(args[1].value.lo), x)
    elif node.args[0] is node.args[1]:
        found = _alike(name, args[0], x)
    else:
        found = _BINARY[name](args[0], args[1], x)
    return _refined(found, x)


def _refined(found: Jet, x: Enclosure) -> Jet:
    """The slope is also elasticity f / x, where f keeps its sign."""
    signed = (found.value.lo >= 0) | (found.value.hi <= 0)
    other = (found.elasticity * (found.value / x)).where(signed, unbounded(np.shape(x.lo)))
    return Jet(found.value, found.first.meet(other), found.second, found.elasticity, found.sound)


def _relative(value: Enclosure, first: Enclosure, x: Enclosure) -> Enclosure:
    """x f' / f, where f is not 0."""
    return (x * (first / value)).where(~value.has_zero, unbounded(np.shape(x.lo)))


def _unary(primitive: Primitive, y: Jet, x: Enclosure) -> Jet:
    """The chain rule."""
    h = RULES[primitive.name](y.value)
    first = h.first * y.first
    second = h.second * y.first.square() + h.first * y.second
    elasticity = _relative(h.value, first, x)
    if primitive.name in ELASTICITIES:
        signed = (y.value.lo >= 0) | (y.value.hi <= 0)
        ratio = ELASTICITIES[primitive.name](y.value) * y.elasticity
        elasticity = ratio.where(signed, unbounded(np.shape(x.lo))).meet(elasticity)
    return Jet(h.value, first, second, elasticity, y.sound & h.sound)


def _add(a: Jet, b: Jet, x: Enclosure) -> Jet:
    """Elasticities average, with weights a / (a + b) and b / (a + b)."""
    value, first = a.value + b.value, a.first + b.first
    ratio = b.value / a.value
    weight = ONE / (ONE + ratio)
    same = ((a.value.lo >= 0) & (b.value.lo >= 0)) | ((a.value.hi <= 0) & (b.value.hi <= 0))
    weight = weight.where(~same, weight.clipped(0.0, 1.0))
    mixed = b.elasticity + weight * (a.elasticity - b.elasticity)
    mixed = mixed.meet(weight * a.elasticity + (ONE - weight) * b.elasticity)
    within = mixed.meet(a.elasticity.hull(b.elasticity)).where(same, mixed)
    known = same | ((ratio.lo > -1) | (ratio.hi < -1))
    elasticity = within.where(known, unbounded(np.shape(x.lo))).meet(_relative(value, first, x))
    return Jet(value, first, a.second + b.second, elasticity, a.sound & b.sound)


def _negated(a: Jet) -> Jet:
    return Jet(-a.value, -a.first, -a.second, a.elasticity, a.sound)


def _sub(a: Jet, b: Jet, x: Enclosure) -> Jet:
    return _add(a, _negated(b), x)


def _mul(a: Jet, b: Jet, x: Enclosure) -> Jet:
    first = a.first * b.value + a.value * b.first
    second = a.second * b.value + TWO * a.first * b.first + a.value * b.second
    return Jet(a.value * b.value, first, second, a.elasticity + b.elasticity, a.sound & b.sound)


def _div(a: Jet, b: Jet, x: Enclosure) -> Jet:
    """Where the divisor has a zero the code may have either one, and so either infinity: the value is not known at all."""
    inverse = ONE / b.value
    slope = -(b.first * inverse.square())
    curve = (TWO * (b.first * inverse).square() - b.second * inverse) * inverse
    value = a.value / b.value
    first = (a.first - value * b.first) * inverse
    second = a.second * inverse + TWO * a.first * slope + a.value * curve
    value = unbounded(np.shape(x.lo)).where(b.value.has_zero, value)
    return Jet(value, first, second, a.elasticity - b.elasticity, a.sound & b.sound & ~b.value.has_zero)


def _pow(a: Jet, b: Jet, x: Enclosure) -> Jet:
    """The chain rule of two arguments; of log f = b log a, the elasticity is x b' log a + b (x a' / a)."""
    h = power(a.value, b.value)
    first = h.by_base * a.first + h.by_exponent * b.first
    second = h.base_twice * a.first.square() + TWO * h.both * a.first * b.first + h.exponent_twice * b.first.square()
    second = second + h.by_base * a.second + h.by_exponent * b.second
    signed = (a.value.lo >= 0) | (a.value.hi <= 0)
    ratio = b.value * a.elasticity + x * b.first * a.value.clipped(0.0, np.inf).rising(np.log)
    elasticity = ratio.where(signed, unbounded(np.shape(x.lo))).meet(_relative(h.value, first, x))
    return Jet(h.value, first, second, elasticity, a.sound & b.sound & h.sound)


def _remainder(name: str, a: Jet, divisor: float, x: Enclosure) -> Jet:
    """a less a number, where it is the same number everywhere."""
    value, same = remainder(name, a.value, divisor)
    nothing = unbounded(np.shape(x.lo))
    first = a.first.where(same, nothing)
    return Jet(value, first, a.second.where(same, nothing), _relative(value, first, x), a.sound & same)


_BINARY: Mapping[str, Callable[[Jet, Jet, Enclosure], Jet]] = {"add": _add, "sub": _sub, "mul": _mul, "div": _div, "pow": _pow}


def _alike(name: str, a: Jet, x: Enclosure) -> Jet:
    """x x is a square, x - x is 0, x / x is 1, x + x is 2 x; the slope of x^x is x^x (1 + log x)."""
    if name == "pow":
        h, steep = power(a.value, a.value), ONE + a.value.clipped(0.0, np.inf).rising(np.log)
        second = h.value * ((steep.square() + ONE / a.value) * a.first.square() + steep * a.second)
        return Jet(h.value, h.value * steep * a.first, second, x * a.first * steep, a.sound & h.sound)
    zero = enclosure(np.zeros(np.shape(x.lo)), np.zeros(np.shape(x.lo)))
    if name == "mul":
        second = TWO * (a.first.square() + a.value * a.second)
        return Jet(a.value.square(), TWO * a.value * a.first, second, TWO * a.elasticity, a.sound)
    if name == "add":
        return Jet(TWO * a.value, TWO * a.first, TWO * a.second, a.elasticity, a.sound)
    value = zero if name == "sub" else zero + ONE
    return Jet(value, zero, zero, zero, a.sound & (True if name == "sub" else ~a.value.has_zero))


def _chosen(name: str, a: Jet, b: Jet) -> Jet:
    """max and min: where neither always wins, slopes of both, and a kink that bends upward (max) or downward (min)."""
    if name == "min":
        return _negated(_chosen("max", _negated(a), _negated(b)))
    shape = np.broadcast_shapes(np.shape(a.value.lo), np.shape(b.value.lo), np.shape(a.sound))
    second = a.second.hull(b.second)
    kinked = Enclosure(second.lo + np.zeros(shape), np.full(shape, np.inf))
    either = Jet(
        a.value.maximum(b.value), a.first.hull(b.first), kinked, a.elasticity.hull(b.elasticity), a.sound & b.sound
    )  # fmt: skip
    return _where(a.value.lo >= b.value.hi, a, _where(b.value.lo >= a.value.hi, b, either))


def _select(args: list[Jet]) -> Jet:
    """select(a > b, p, q): where the comparison is open it may jump."""
    a, b, greater, otherwise = args
    nothing = unbounded(np.shape(a.sound))
    mixed = Jet(greater.value.hull(otherwise.value), nothing, nothing, nothing, np.zeros_like(a.sound))
    chosen = _where(a.value.lo > b.value.hi, greater, _where(a.value.hi <= b.value.lo, otherwise, mixed))
    return Jet(chosen.value, chosen.first, chosen.second, chosen.elasticity, chosen.sound & a.sound & b.sound)


def _where(condition: Array, a: Jet, b: Jet) -> Jet:
    value, first, second, elasticity = (one.where(condition, other) for one, other in zip(_parts(a), _parts(b), strict=True))
    return Jet(value, first, second, elasticity, np.where(condition, a.sound, b.sound))


def _parts(a: Jet) -> list[Enclosure]:
    return [a.value, a.first, a.second, a.elasticity]
