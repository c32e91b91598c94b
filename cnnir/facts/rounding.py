"""Forward rounding-error analysis: how far the float code of a formula may be from the formula in real numbers.

Each node carries the real values, the values that the code may have, and |code - real| <= error:

    op(a~, b~) - op(a, b)  is propagated by the derivative of op over both,
    rounding               adds half a unit in the last place, or LIBRARY_STEPS and a half where a library computes op,
    and no error           exceeds the distance of the two enclosures: what saturates has none, though exp overflowed on the way.

Values that the code may have are those of op on what its arguments may be, rounded: rounding keeps order. Source: Higham,
Accuracy and Stability of Numerical Algorithms, 2002, chapters 2 and 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from cnnir.scalar.expr import Apply, Const, Expr, Param, Var
from cnnir.scalar.primitives import Primitive

from .derivatives import COMPLEMENTS, RULES
from .enclosure import Array, Enclosure, between, point, unbounded
from .interval import Interval
from .jet import one_plus
from .powers import power, remainder
from .precision import Precision
from .saturation import LIMITS, saturated
from .transfer import LIBRARY_STEPS

SLACK = 1 + 2.0**-40
"""What float64 may lose in one step of the analysis itself."""


@dataclass(frozen=True, eq=False)
class Approximation:
    """Real values, values of the code, and the largest difference; `before` leaves the last rounding out."""

    real: Enclosure
    code: Enclosure
    error: Array
    before: Array

    @property
    def both(self) -> Enclosure:
        """Where real values and those of the code lie."""
        return self.real.hull(self.code)


class Rounding:
    """The analysis in one precision, on many intervals of the variable at once."""

    def __init__(self, precision: Precision, coefficients: Mapping[str, Interval]) -> None:
        self.precision = precision
        self.coefficients = coefficients

    def of(self, expr: Expr, x: Enclosure) -> Approximation:
        """The approximation of `expr` for Var(0) in each of the intervals."""
        done: dict[int, Approximation] = {}
        stack: list[tuple[Expr, bool]] = [(expr, False)]
        with np.errstate(all="ignore"):
            while stack:
                node, ready = stack.pop()
                if id(node) in done:
                    continue
                if not isinstance(node, Apply):
                    done[id(node)] = self._leaf(node, x)
                elif ready:
                    done[id(node)] = self._node(node, [done[id(a)] for a in node.args], done)
                else:
                    stack.append((node, True))
                    stack.extend((a, False) for a in node.args)
        return done[id(expr)]

    def _leaf(self, node: Expr, x: Enclosure) -> Approximation:
        if isinstance(node, Var):
            return _exact(x)
        if isinstance(node, Const):
            return _exact(point(self.precision.round(node.value)))
        assert isinstance(node, Param)
        known = self.coefficients[node.role]
        return _exact(between(known.lo, known.hi))

    def _node(self, node: Apply, args: list[Approximation], done: Mapping[int, Approximation]) -> Approximation:
        name = node.primitive.name
        if name == "select":
            return _select(*args)
        if name in ("max", "min"):
            return _chosen(name, *args)
        if node.primitive.arity == 1:
            found, rest = self._unary(node.primitive, args[0]), one_plus(node)
            if rest is None:
                return found
            real = RULES["log1p"](done[id(rest)].real).value.meet(found.real)
            return Approximation(real, found.code, np.fmin(found.error, _distance(real, found.code)), found.before)
        if node.args[0] is node.args[1] and name in ("sub", "div"):
            return _exact(point(0.0 if name == "sub" else 1.0))
        if name == "pow":
            return self._power(node.primitive, *args)
        if name in ("mod", "fmod"):
            return self._remainder(name, *args)
        found = _BINARY[name](*args)
        real = _complement(node, done)
        code = self._code(node.primitive, [a.code for a in args], found.code)
        return self._rounded(found.real if real is None else real.meet(found.real), code, found.error, _is_scaling(name, args))

    def _code(self, primitive: Primitive, args: list[Enclosure], found: Enclosure) -> Enclosure:
        """What the code gives: in float64 the corners themselves, for outward rounding would overflow at the largest number."""
        if self.precision.name != "f64":
            return Enclosure(self.precision.rounded(found.lo), self.precision.rounded(found.hi))
        if primitive.arity == 1:
            return found
        corners = [primitive.numpy(p, q) for p in (args[0].lo, args[0].hi) for q in (args[1].lo, args[1].hi)]
        if primitive.name == "div" and np.any(args[1].has_zero):
            return found
        lo, hi = corners[0], corners[0]
        for corner in corners[1:]:
            lo, hi = np.fmin(lo, corner), np.fmax(hi, corner)
        doubtful = np.any([np.isnan(c) for c in corners], axis=0)
        return Enclosure(np.where(doubtful, found.lo, lo), np.where(doubtful, found.hi, hi))

    def _unary(self, primitive: Primitive, a: Approximation) -> Approximation:
        rule = RULES[primitive.name]
        real, code, steep = rule(a.real).value, rule(a.code).value, rule(a.both).first.magnitude
        error = np.where(a.error == 0, 0.0, steep * a.error)
        if primitive.rounding == "library":
            return self._library(primitive, a.code, Approximation(real, code, error, error))
        if primitive.rounding == "exact":
            error = np.where(np.isnan(error), np.inf, error)
            return Approximation(real, code, np.fmin(error, _distance(real, code)), error)
        return self._rounded(real, self._code(primitive, [a.code], code), error, False)

    def _power(self, primitive: Primitive, a: Approximation, b: Approximation) -> Approximation:
        """By both derivatives over all that the arguments may be; where the code's base may be negative, nothing is said."""
        real, code, steep = power(a.real, b.real), power(a.code, b.code), power(a.both, b.both)
        error = _times(steep.by_base.magnitude, a.error) + _times(steep.by_exponent.magnitude, b.error)
        defined = real.defined & code.defined & (steep.sound | ((a.error == 0) & (b.error == 0)))
        found = self._library(primitive, a.code, Approximation(real.value, code.value, error, error))
        least = np.where(defined & (a.code.lo >= 0), 0.0, -np.inf)
        settled = Enclosure(np.maximum(found.code.lo, least), found.code.hi)
        code = settled.where(defined, unbounded(np.shape(found.error)))
        return Approximation(found.real, code, np.where(defined, found.error, np.inf), found.before)

    def _remainder(self, name: str, a: Approximation, b: Approximation) -> Approximation:
        """The error of the dividend, where the same multiple is taken off it; `mod` rounds once more, `fmod` never does."""
        divisor = float(b.real.lo)
        (real, _), (code, _), (_, same) = (remainder(name, one, divisor) for one in (a.real, a.code, a.both))
        error = np.where(same | (a.error == 0), a.error, np.inf)
        if name == "mod":
            return self._rounded(real, Enclosure(*map(self.precision.rounded, (code.lo, code.hi))), error, False)
        return Approximation(real, code, np.fmin(error, _distance(real, code)), error)

    def _rounded(self, real: Enclosure, code: Enclosure, error: Array, scaling: bool) -> Approximation:
        """The code's value rounded once; a product with 2^k only where it underflows."""
        size = real.magnitude + error
        rounding = self.precision.tiny if scaling else self.precision.spacing(size) / 2
        return self._after(real, code, error, rounding)

    def _library(self, primitive: Primitive, argument: Enclosure, exact: Approximation) -> Approximation:
        """LIBRARY_STEPS neighbours about the rounded value, but the limit itself where that is near enough, and h(0) = 0."""
        steps, code = LIBRARY_STEPS + 0.5, exact.code
        least, most = (self.precision.round(end) for end in primitive.shape.image)
        span = [steps * self.precision.spacing(_below_one(np.abs(end))) for end in (code.lo, code.hi)]
        lo, hi = self.precision.rounded(code.lo - span[0]), self.precision.rounded(code.hi + span[1])
        settled = argument.is_zero & code.is_zero
        lo, hi = np.where(settled, 0.0, np.clip(lo, least, most)), np.where(settled, 0.0, np.clip(hi, least, most))
        if primitive.name in LIMITS:  # these rise
            lo, hi = saturated(primitive, argument.lo, lo, self.precision), saturated(primitive, argument.hi, hi, self.precision)
        size = _below_one(exact.real.magnitude + exact.error)
        found = self._after(exact.real, Enclosure(lo, hi), exact.error, steps * self.precision.spacing(size))
        return Approximation(found.real, found.code, found.error, np.full(np.shape(found.error), np.inf))  # a library may disorder

    def _after(self, real: Enclosure, code: Enclosure, error: Array, rounding: Array | float) -> Approximation:
        total = (error + rounding) * SLACK
        overflows = np.isinf(code.lo) | np.isinf(code.hi)
        total = np.where(overflows | np.isnan(total), np.inf, total)
        before = np.where(np.isnan(error), np.inf, error * SLACK)
        return Approximation(real, code, np.fmin(total, _distance(real, code)), before)


def _below_one(size: Array) -> Array:
    """A value that rounds to 1 has the neighbours of numbers below 1, where its function cannot exceed 1."""
    return np.where((size >= 1) & (size <= 1 + 2.0**-40), 1 - 2.0**-53, size)


def _exact(value: Enclosure) -> Approximation:
    nothing = np.zeros(np.shape(value.lo))
    return Approximation(value, value, nothing, nothing)


def _distance(real: Enclosure, code: Enclosure) -> Array:
    """The farthest that two values in these enclosures are apart."""
    apart = np.maximum(code.hi - real.lo, real.hi - code.lo) * SLACK
    return np.where(np.isnan(apart), np.inf, apart)


def _sum(a: Approximation, b: Approximation) -> Approximation:
    error = a.error + b.error
    return Approximation(a.real + b.real, a.code + b.code, error, error)


def _difference(a: Approximation, b: Approximation) -> Approximation:
    return _sum(a, Approximation(-b.real, -b.code, b.error, b.before))


def _product(a: Approximation, b: Approximation) -> Approximation:
    error = _times(a.real.magnitude, b.error) + _times(b.code.magnitude, a.error)
    return Approximation(a.real * b.real, a.code * b.code, error, error)


def _quotient(a: Approximation, b: Approximation) -> Approximation:
    """a~ / b~ - a / b = (a~ - a) / b~ - (a / b) (b~ - b) / b~."""
    real = a.real / b.real
    error = (a.error + _times(real.magnitude, b.error)) / b.code.least_magnitude
    exact = (a.error == 0) & (b.error == 0)
    return Approximation(real, a.code / b.code, np.where(exact, 0.0, error), error)


def _times(size: Array, error: Array) -> Array:
    return np.where(error == 0, 0.0, size * error)


_BINARY: Mapping[str, Callable[[Approximation, Approximation], Approximation]] = {
    "add": _sum, "sub": _difference, "mul": _product, "div": _quotient,
}  # fmt: skip


def _complement(node: Apply, done: Mapping[int, Approximation]) -> Enclosure | None:
    """1 + erf(u) and its like in real numbers, where the sum in float64 would be 0."""
    for one, curve in (node.args, reversed(node.args)) if node.primitive.name == "add" else (node.args,):
        if isinstance(one, Const) and one.value == 1 and isinstance(curve, Apply) and curve.primitive.name in COMPLEMENTS:
            u = done[id(curve.args[0])].real
            return COMPLEMENTS[curve.primitive.name].value(-u if node.primitive.name == "sub" else u)
    return None


def _is_scaling(name: str, args: list[Approximation]) -> bool:
    """Whether one operand is a constant power of two."""
    if name not in ("mul", "div"):
        return False
    for operand in args[1:] if name == "div" else args:
        value = operand.real
        if np.ndim(value.lo) == 0 and value.lo == value.hi and np.abs(np.frexp(value.lo)[0]) == 0.5:
            return True
    return False


def _chosen(name: str, a: Approximation, b: Approximation) -> Approximation:
    """max and min differ by no more than their operands do; where one always wins, by what that one does."""
    if name == "min":
        found = _chosen("max", _negative(a), _negative(b))
        return _negative(found)
    first, second = a.both.lo >= b.both.hi, b.both.lo >= a.both.hi
    error = np.where(first, a.error, np.where(second, b.error, np.maximum(a.error, b.error)))
    before = np.where(first, a.before, np.where(second, b.before, error))
    return Approximation(a.real.maximum(b.real), a.code.maximum(b.code), error, before)


def _negative(a: Approximation) -> Approximation:
    return Approximation(-a.real, -a.code, a.error, a.before)


def _select(a: Approximation, b: Approximation, greater: Approximation, otherwise: Approximation) -> Approximation:
    """The same branch in both where the comparison is exact, or decided whatever the errors are."""
    compared_real = (a.real.lo > b.real.hi), (a.real.hi <= b.real.lo)
    compared_code = (a.code.lo > b.code.hi), (a.code.hi <= b.code.lo)
    real, code = (
        getattr(greater, which).where(yes, getattr(otherwise, which).where(no, getattr(greater, which).hull(getattr(otherwise, which))))
        for which, (yes, no) in (("real", compared_real), ("code", compared_code))
    )
    either = np.maximum(greater.error, otherwise.error)
    alike = (a.error == 0) & (b.error == 0)
    apart = np.where(alike, either, _distance(greater.both.hull(otherwise.both), greater.both.hull(otherwise.both)))
    yes, no = compared_real[0] & compared_code[0], compared_real[1] & compared_code[1]
    error = np.where(yes, greater.error, np.where(no, otherwise.error, apart))
    return Approximation(real, code, error, error)
