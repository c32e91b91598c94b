"""From facts of the arguments to facts of a primitive applied to them.

Every rule here is right for the float code, not only for the real function: a correctly rounded (or exact) F that is
non-decreasing in each argument gives F(f, g) non-decreasing wherever f and g are, because rounding keeps order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from cnnir.scalar.primitives import PRIMITIVES, Piece, Primitive, Shape

from .fact import Affine, Fact, Grade, nothing, worst
from .interval import Interval, around, unknown
from .lattice import CONSTANT, DOWN, LEVEL, UNKNOWN, UP, Direction, Seam, add, compose, glue, largest, smallest
from .precision import Precision, Whole
from .precision import precision as of_dtype
from .remainder import itself, remainder
from .saturation import saturated
from .truth import truth

LIBRARY_STEPS = 4
"""How many neighbours off a library function's value may be, on any platform."""
_WAYS = {1: UP, 0: CONSTANT, -1: DOWN}


def apply(primitive: Primitive, args: Sequence[Fact], precision: Precision) -> Fact:
    """Facts of `primitive` applied to arguments with these facts (`select` has a rule of its own)."""
    if primitive.converts and primitive.to:
        return converted(args[0], primitive.to)
    if primitive.name == "where":
        return nothing(args[1].range.hull(args[2].range))
    if primitive.to is not None:
        return truth(primitive, args, precision)
    if primitive.arity == 1:
        return unary(primitive, args[0], precision)
    a, b = args
    if a is b and primitive.name in _ALIKE:
        return _ALIKE[primitive.name](a, precision)
    return _settling(_BINARY.get(primitive.name, _anything)(primitive, a, b, precision))


def _settling(fact: Fact) -> Fact:
    """The code gives one number and no other: constant, though the real function may not be."""
    return replace(fact, direction=CONSTANT, bound=0.0) if fact.range.is_point else fact


def unary(primitive: Primitive, a: Fact, precision: Precision) -> Fact:
    """g(f(x)) for a primitive g: its shape on the range of f, composed."""
    shape, library = primitive.shape, primitive.rounding == "library"
    lo, hi = shape.domain
    defined = a.range.lo >= lo and a.range.hi <= hi
    inside = a.range.clipped(lo, hi)
    outer = direction_on(shape, inside.lo, inside.hi) if defined else UNKNOWN
    found = replace(image(primitive, inside, precision), nan=a.range.nan or not defined)
    grade, bound = worst(a)
    if primitive.name in ("neg", "abs"):
        bound = a.bound  # exact and no steeper than x
    if library and not (a.direction.is_constant and a.bound == 0):  # one number gives one number
        grade = max(grade, Grade.C if precision.sweepable else Grade.U)
        bound = bound if precision.sweepable else None
    linear = Affine(-a.linear.scale, -a.linear.shift) if primitive.name == "neg" and a.linear else None
    return _settling(Fact(compose(outer, a.direction), found, grade, linear, bound))


def fits(values: Interval, to: str) -> bool:
    """Whether every one of these values has its counterpart in another dtype, so that order is kept.

    Floats take what is too large as an infinity. Integers take only what they hold, cut towards 0. Truth values keep no
    order (-1 and 1 are true, 0 is not), and of 8-bit floats, which may make NaN of large numbers, nothing is said.
    """
    if to == "bool" or to.startswith("f8"):
        return False
    if not isinstance(target := of_dtype(to), Whole):
        return True
    if values.nan or values.has_infinity:
        return False
    limits = np.iinfo(target.numpy)
    return limits.min <= int(values.lo) and int(values.hi) <= limits.max


def converted(a: Fact, to: str) -> Fact:
    """Another dtype: a float is rounded once, which keeps order; an integer is cut towards 0, which does so where it fits."""
    target = of_dtype(to)
    if not fits(a.range, to):
        return nothing(unknown(target) if to == "bool" or isinstance(target, Whole) else Interval(-math.inf, math.inf, True, True))
    grade, bound = worst(a)
    if isinstance(target, Whole):
        return Fact(a.direction, Interval(float(int(a.range.lo)), float(int(a.range.hi))), grade, None, bound)
    lo, hi = target.round(a.range.lo), target.round(a.range.hi)
    may_underflow = a.range.lo < 0 and lo <= 0 <= hi
    return Fact(a.direction, Interval(lo, hi, a.range.nan, a.range.minus_zero or may_underflow), grade, None, bound)


def direction_on(shape: Shape, lo: float, hi: float) -> Direction:
    """The direction of a function of this shape on [lo, hi]."""
    found: Direction | None = None
    reached = lo
    for piece in shape.pieces:
        if piece.hi < lo or piece.lo > hi or (found is not None and piece.lo >= hi):
            continue
        if piece.lo > reached:
            return UNKNOWN
        here = _WAYS[piece.way]
        found = here if found is None else glue(found, piece.lo, LEVEL, piece.lo, here).within(lo, hi)
        reached = piece.hi
    return found if found is not None and reached >= hi else UNKNOWN


def image(primitive: Primitive, inside: Interval, precision: Precision) -> Interval:
    """The values on an interval inside the domain: those at its ends and at the turning points within, widened if library."""
    shape = primitive.shape
    turns = [p.lo for p in shape.pieces if inside.lo < p.lo < inside.hi]
    if direction_on(shape, inside.lo, inside.hi) == UNKNOWN:
        return Interval(*shape.image, minus_zero=True)
    points = [inside.lo, *turns, inside.hi]
    if inside.minus_zero:
        points.append(-0.0)
    values = around(precision.at(primitive, p) for p in points)
    if primitive.rounding == "library":
        wide = around(v for p in points for v in _possible(p, precision.at(primitive, p), precision))
        lo, hi = (saturated(primitive, np.array(x), np.array(v), precision) for x, v in ((inside.lo, wide.lo), (inside.hi, wide.hi)))
        values = replace(wide, lo=float(lo), hi=float(hi))  # what saturates rises
    minus_zero = values.minus_zero or _may_underflow(primitive, inside)
    return replace(values.clipped(*shape.image), nan=False, minus_zero=minus_zero and values.has_zero)


def _possible(argument: float, value: float, precision: Precision) -> tuple[float, ...]:
    """What any library may give at a number: some units in the last place off the reference.

    But for exp(0) = 1, log(1) = 0, tanh(0) = 0 and the like, of which Annex F of the C standard is sure.
    """
    if argument in (0.0, 1.0) and value in (0.0, 1.0):
        return (value,)
    return precision.next(value, -LIBRARY_STEPS), precision.next(value, LIBRARY_STEPS)


def _may_underflow(primitive: Primitive, inside: Interval) -> bool:
    """Whether an argument other than -0 can give -0: ceil(-0.5), a library function of a negative number, -(+0)."""
    if primitive.name == "neg":
        return inside.has_zero
    rounds_to_zero = primitive.rounding == "library" or primitive.name in ("round", "ceil", "sign")
    return inside.lo < 0 and rounds_to_zero


def combine(primitive: Primitive, a: Fact, b: Fact, precision: Precision, ways: tuple[int | None, int | None]) -> Fact:
    """F(f, g) for an F that goes one of `ways` in each argument: corners of the ranges, sum of the directions."""
    directions = [_along(way, f.direction) for way, f in zip(ways, (a, b), strict=True)]
    join = {"max": largest, "min": smallest}.get(primitive.name, add)
    found = corners(primitive, a.range, b.range, precision)
    grade, bound = worst(a, b)
    if primitive.selects:
        bound = max(a.bound, b.bound) if a.bound is not None and b.bound is not None else None
    return Fact(join(directions), found, grade, None, bound)


def _along(way: int | None, direction: Direction) -> Direction:
    if direction.is_constant:
        return CONSTANT
    return UNKNOWN if way is None else compose(_WAYS[way], direction)


def corners(primitive: Primitive, a: Interval, b: Interval, precision: Precision) -> Interval:
    """The values of a primitive that is monotone in each argument, from the ends of both ranges."""
    values = around(precision.at(primitive, p, q) for p in (a.lo, a.hi) for q in (b.lo, b.hi))
    signed = a.lo < 0 or b.lo < 0 or a.minus_zero or b.minus_zero
    return Interval(values.lo, values.hi, a.nan or b.nan or values.nan, signed)


def _sum(primitive: Primitive, a: Fact, b: Fact, precision: Precision) -> Fact:
    sign = -1 if primitive.name == "sub" else 1
    fact = combine(primitive, a, b, precision, (1, sign))
    if _absorbs(a.range, b.range, precision):
        fact = replace(fact, direction=a.direction, range=a.range, bound=a.bound)
    elif _absorbs(b.range, a.range, precision):
        term = b if sign > 0 else unary(PRIMITIVES["neg"], b, precision)
        fact = replace(fact, direction=term.direction, range=term.range, bound=term.bound)
    meets = any(s in (a.range.lo, a.range.hi) and -sign * s in (b.range.lo, b.range.hi) for s in (math.inf, -math.inf))  # inf - inf
    linear = Affine(a.linear.scale + sign * b.linear.scale, a.linear.shift + sign * b.linear.shift) if a.linear and b.linear else None
    minus_zero = a.range.minus_zero and (b.range.minus_zero if sign > 0 else b.range.has_zero)  # x - x is +0
    return replace(fact, range=replace(fact.range, nan=a.range.nan or b.range.nan or meets, minus_zero=minus_zero), linear=linear)


def _absorbs(a: Interval, b: Interval, precision: Precision) -> bool:
    """Whether a + b rounds to a: b is below a quarter of the distance of any a from its neighbour (half, below a power of 2).

    Sums of integers are not rounded.
    """
    if precision.unit == 0 or a.has_zero or a.has_infinity or a.nan or b.nan:
        return False
    least = min(abs(a.lo), abs(a.hi))
    return b.magnitude < float(precision.spacing(np.array(least))) / 4 and least >= precision.tiny / precision.unit


def _product(primitive: Primitive, a: Fact, b: Fact, precision: Precision) -> Fact:
    fact = combine(primitive, a, b, precision, (b.range.sign(), a.range.sign()))
    vanishes = (a.range.has_zero and b.range.has_infinity) or (b.range.has_zero and a.range.has_infinity)
    found = fact.range
    if vanishes:
        found = replace(found.hull(Interval(0.0, 0.0)), nan=a.range.nan or b.range.nan or vanishes, minus_zero=True)
    if any(f.range.is_point and f.range.lo == 0 for f in (a, b)) and not found.nan:
        return replace(fact, direction=CONSTANT, range=found, linear=Affine(0.0, 0.0))
    return replace(fact, range=found, linear=_scaled(a, b) or _scaled(b, a))


def _scaled(a: Fact, b: Fact) -> Affine | None:
    if a.linear is None or b.linear is None or b.linear.scale != 0:
        return None
    return Affine(a.linear.scale * b.linear.shift, a.linear.shift * b.linear.shift)


def _quotient(primitive: Primitive, a: Fact, b: Fact, precision: Precision) -> Fact:
    """a / b: each side of b = 0 by itself, and nothing across it; b = +0 is the end of b > 0, but -0 is not."""
    one_sided = b.range.hi < 0 or b.range.lo > 0 or (b.range.lo == 0 and not b.range.minus_zero)
    undefined = (a.range.has_zero and b.range.has_zero) or (a.range.has_infinity and b.range.has_infinity)
    nan = a.range.nan or b.range.nan or undefined
    if not one_sided:
        return nothing(Interval(-math.inf, math.inf, nan, True))
    sign = a.range.sign()
    ways = (1 if b.range.lo >= 0 else -1, None if sign is None else -sign)  # c / b falls on either side of 0, for c >= 0
    fact = combine(primitive, a, b, precision, ways)
    linear = None
    if a.linear and b.linear and b.linear.scale == 0 and b.linear.shift != 0:
        linear = Affine(a.linear.scale / b.linear.shift, a.linear.shift / b.linear.shift)
    values = fact.range
    if undefined:
        values = values.hull(Interval(0.0, 0.0, True, True))
    return replace(fact, range=replace(values, nan=nan), linear=linear)


def _chosen(primitive: Primitive, a: Fact, b: Fact, precision: Precision) -> Fact:
    """max and min; where one side always wins, that side with all its facts."""
    for one, other in ((a, b), (b, a)):
        wins = one.range.lo >= other.range.hi if primitive.name == "max" else one.range.hi <= other.range.lo
        if wins and not other.range.nan and not one.range.nan:
            minus_zero = one.range.minus_zero or other.range.minus_zero
            return replace(one, range=replace(one.range, minus_zero=minus_zero), grade=max(one.grade, other.grade))
    fact = combine(primitive, a, b, precision, (1, 1))
    minus = fact.range.has_zero and (a.range.minus_zero or b.range.minus_zero)
    return replace(fact, range=replace(fact.range, minus_zero=minus))


def _anything(primitive: Primitive, a: Fact, b: Fact, precision: Precision) -> Fact:
    """A primitive without a rule: no direction, any value."""
    del primitive, a, b, precision
    return nothing(Interval(-math.inf, math.inf, True, True))


def _power(primitive: Primitive, a: Fact, b: Fact, precision: Precision) -> Fact:
    """x^y: for x >= 0 it goes one way in each; x^2, x^3 and so on of any x. Nothing is said of other powers of negative x."""
    if a.range.nan or b.range.nan:
        return _anything(primitive, a, b, precision)
    if a.range.lo > 0 or (a.range.lo == 0 and not (a.range.minus_zero and _may_be_odd(b.range))):
        above = 1 if a.range.lo >= 1 else -1 if a.range.hi <= 1 else None
        fact = combine(primitive, a, b, precision, (b.range.sign(), above))
        least, constant = 0.0, a.range.is_point and a.range.lo == 1
    elif b.range.is_point and b.range.lo.is_integer() and (b.range.lo >= 0 or a.range.hi < 0 or b.range.lo % 2 == 0):
        even = b.range.lo % 2 == 0
        outer = CONSTANT if b.range.lo == 0 else direction_on(PRIMITIVES["abs"].shape if even else _ODD, a.range.lo, a.range.hi)
        outer = outer if b.range.lo >= 0 else outer.negated()
        found = corners(primitive, _sizes(a.range) if even else a.range, b.range, precision)
        fact = Fact(compose(outer, a.direction), found, *_after(a, b))
        least, constant = 0.0 if even else -math.inf, b.range.lo == 0
    else:
        return _anything(primitive, a, b, precision)
    if (
        not fact.range.nan
        and fact.direction.is_constant
        and a.direction.is_constant
        and b.direction.is_constant
        and a.bound == b.bound == 0
    ):
        return replace(fact, range=fact.range.widened(precision, LIBRARY_STEPS).clipped(least, math.inf))  # one number gives one number
    if constant or (b.range.is_point and b.range.lo == 0):  # exact, by Annex F of the C standard
        return Fact(CONSTANT, Interval(1.0, 1.0), fact.grade)
    grade = max(fact.grade, Grade.C if precision.sweepable else Grade.U)
    found = replace(fact.range.widened(precision, LIBRARY_STEPS).clipped(least, math.inf), nan=fact.range.nan)
    return replace(fact, range=found, grade=grade, bound=fact.bound if precision.sweepable else None)


def _may_be_odd(exponents: Interval) -> bool:
    """Whether a negative odd whole number is among them, to the power of which -0 is -inf."""
    return exponents.lo < 0 and not (exponents.is_point and (exponents.lo % 2 == 0 or not exponents.lo.is_integer()))


def _sizes(values: Interval) -> Interval:
    """The absolute values."""
    return Interval(0.0 if values.has_zero else min(abs(values.lo), abs(values.hi)), values.magnitude, values.nan)


_ODD = Shape((Piece(-math.inf, math.inf, 1),))


def _after(a: Fact, b: Fact) -> tuple[Grade, Affine | None, float | None]:
    grade, bound = worst(a, b)
    return grade, None, bound


_BINARY: Mapping[str, Callable[[Primitive, Fact, Fact, Precision], Fact]] = {
    "add": _sum, "sub": _sum, "mul": _product, "div": _quotient, "max": _chosen, "min": _chosen, "pow": _power,
    "mod": remainder, "fmod": remainder,
}  # fmt: skip


def _itself(value: float, a: Fact, undefined: bool) -> Fact:
    """x - x is 0 and x / x is 1, but for infinities, and for zeros in the latter."""
    grade, bound = worst(a)
    return Fact(CONSTANT, Interval(value, value, a.range.nan or undefined), grade, Affine(0.0, value), bound)


_ALIKE: Mapping[str, Callable[[Fact, Precision], Fact]] = {
    "mul": lambda a, precision: unary(PRIMITIVES["square"], a, precision),
    "sub": lambda a, _precision: _itself(0.0, a, a.range.has_infinity),
    "div": lambda a, _precision: _itself(1.0, a, a.range.has_infinity or a.range.has_zero),
    "mod": itself,
    "fmod": itself,
    "max": lambda a, _precision: a,
    "min": lambda a, _precision: a,
}
"""Primitives of one and the same argument, not of two that happen to be alike."""


def seam(left: Fact, right: Fact) -> Seam:
    """How a function steps between two points, from the ranges of its values there."""
    if left.range.nan or right.range.nan:
        return Seam(False, False)
    return Seam(left.range.hi <= right.range.lo, left.range.lo >= right.range.hi)
