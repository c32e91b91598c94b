"""Values, derivatives and elasticities of the primitives of one argument, as enclosures.

The derivative is that of calculus where there is one, and all the slopes on either side at a kink. `second` of a kink that
bends upward has no upper end: |x| is convex, and [0, inf] says so. The elasticity y h'(y) / h(y) tells the relative slope,
which survives where both h and h' vanish, far out in a tail: that of exp is y, that of tanh(y) tends to 1 at 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .enclosure import Array, Enclosure, enclosure, point, unbounded

ONE, TWO, HALF = point(1.0), point(2.0), point(0.5)
ROOT = 2 / math.sqrt(math.pi)
FARTHEST = 1e5
"""Beyond this |x| nothing is said of waves but that they stay in [-1, 1]."""


@dataclass(frozen=True, eq=False)
class Local:
    """h(y), h'(y), h''(y) for y in an enclosure; `sound` where h is defined and continuous there."""

    value: Enclosure
    first: Enclosure
    second: Enclosure
    sound: Array


Rule = Callable[[Enclosure], Local]


def erf(x: Array) -> Array:
    """erf by C's library, element by element."""
    return np.array([math.erf(v) for v in np.ravel(x).tolist()]).reshape(np.shape(x))


def erfc(x: Array) -> Array:
    """1 - erf(x), accurate where that is small."""
    return np.array([math.erfc(v) for v in np.ravel(x).tolist()]).reshape(np.shape(x))


def everywhere(y: Enclosure) -> Array:
    """True, in the shape of y."""
    return np.ones(np.shape(y.lo), bool)


def bell(y: Enclosure) -> Enclosure:
    """2 / sqrt(pi) exp(-y^2), the derivative of erf; half a unit of y^2 < 746 is 1e-13 of the exponential."""
    found = y.abs().falling(lambda v: ROOT * np.exp(-v * v), 0.0)
    return Enclosure(found.lo * (1 - 1e-12), np.minimum(found.hi * (1 + 1e-12), ROOT * (1 + 1e-15)))


def sech_squared(y: Enclosure) -> Enclosure:
    """1 - tanh(y)^2, the derivative of tanh, by exp(-2|y|)."""

    def of(size: Array) -> Array:
        e = np.exp(-2 * size)
        return 4 * e / ((1 + e) * (1 + e))

    return y.abs().falling(of, 0.0, 1.0)


def _exp(y: Enclosure) -> Local:
    value = y.rising(np.exp, 0.0)
    return Local(value, value, value, everywhere(y))


def _expm1(y: Enclosure) -> Local:
    slope = y.rising(np.exp, 0.0)
    return Local(y.rising(np.expm1, -1.0), slope, slope, everywhere(y))


def _log(y: Enclosure) -> Local:
    inside = y.clipped(0.0, math.inf)
    slope = ONE / inside
    return Local(inside.rising(np.log), slope, -slope.square(), y.lo > 0)


def _log1p(y: Enclosure) -> Local:
    inside = y.clipped(-1.0, math.inf)
    slope = ONE / (ONE + inside)
    return Local(inside.rising(np.log1p), slope, -slope.square(), y.lo > -1)


def _softplus(y: Enclosure) -> Local:
    """log(1 + exp(y)), whose slope is the logistic function s and whose curvature s (1 - s) falls away from 0."""
    slope = y.rising(lambda v: 1 / (1 + np.exp(-v)), 0.0, 1.0)

    def of(size: Array) -> Array:
        e = np.exp(-size)
        return e / ((1 + e) * (1 + e))

    return Local(y.rising(lambda v: np.logaddexp(v, 0), 0.0), slope, y.abs().falling(of, 0.0, 0.25), everywhere(y))


def _sqrt(y: Enclosure) -> Local:
    inside = y.clipped(0.0, math.inf)
    value = inside.rising(np.sqrt, 0.0)
    slope = HALF / value
    return Local(value, slope, -(HALF * slope / inside), y.lo >= 0)


def _square(y: Enclosure) -> Local:
    return Local(y.square(), TWO * y, TWO, everywhere(y))


def _tanh(y: Enclosure) -> Local:
    value, slope = y.rising(np.tanh, -1.0, 1.0), sech_squared(y)
    return Local(value, slope, point(-2.0) * value * slope, everywhere(y))


def _erf(y: Enclosure) -> Local:
    slope = bell(y)
    return Local(y.rising(erf, -1.0, 1.0), slope, point(-2.0) * y * slope, everywhere(y))


def wave(y: Enclosure, quarter: float) -> Enclosure:
    """sin(y + quarter pi/2): the values at the ends, and 1 or -1 where a turning point may lie between."""

    def of(x: Array) -> Array:
        return np.sin(x) if quarter == 0 else np.cos(x)

    at = [of(y.lo), of(y.hi)]
    found = enclosure(np.fmin(*at) - 1e-15, np.fmax(*at) + 1e-15).clipped(-1.0, 1.0)

    def turns(phase: float) -> Array:
        """Whether phase + 2 pi k may lie in y."""
        slack = 1e-9
        first = np.ceil((y.lo - phase) / (2 * math.pi) - slack)
        return first * 2 * math.pi + phase <= y.hi + slack

    top = math.pi / 2 * (1 - quarter)
    found = Enclosure(np.where(turns(top + math.pi), -1.0, found.lo), np.where(turns(top), 1.0, found.hi))
    far = (y.magnitude > FARTHEST) | (y.hi - y.lo > 7)
    return Enclosure(np.where(far, -1.0, found.lo), np.where(far, 1.0, found.hi))


def _sin(y: Enclosure) -> Local:
    value = wave(y, 0)
    return Local(value, wave(y, 1), -value, everywhere(y))


def _cos(y: Enclosure) -> Local:
    value = wave(y, 1)
    return Local(value, -wave(y, 0), -value, everywhere(y))


def _tan(y: Enclosure) -> Local:
    branch = np.rint(y.lo / math.pi)
    inside = (np.abs(y.lo - branch * math.pi) < 1.5707) & (np.abs(y.hi - branch * math.pi) < 1.5707) & (y.magnitude < 1e6)
    plain = enclosure(np.tan(y.lo) * 1.0, np.tan(y.hi) * 1.0)
    slack = (1 + plain.magnitude) * (1 + plain.magnitude) * 1e-9
    value = enclosure(plain.lo - slack, plain.hi + slack).where(inside & (plain.lo <= plain.hi), unbounded(np.shape(y.lo)))
    slope = ONE + value.square()
    return Local(value, slope, TWO * value * slope, inside)


def _asin(y: Enclosure) -> Local:
    inside = y.clipped(-1.0, 1.0)
    rest = (ONE - inside) * (ONE + inside)
    slope = ONE / rest.clipped(0.0, 1.0).rising(np.sqrt, 0.0)
    return Local(inside.rising(np.arcsin), slope, inside * slope * slope.square(), y.magnitude <= 1)


def _acos(y: Enclosure) -> Local:
    rise = _asin(y)
    return Local(y.clipped(-1.0, 1.0).falling(np.arccos, 0.0), -rise.first, -rise.second, rise.sound)


def _atan(y: Enclosure) -> Local:
    slope = ONE / (ONE + y.square())
    return Local(y.rising(np.arctan), slope, point(-2.0) * y * slope.square(), everywhere(y))


def _sinh(y: Enclosure) -> Local:
    value = y.rising(np.sinh)
    return Local(value, y.abs().rising(np.cosh, 1.0), value, everywhere(y))


def _cosh(y: Enclosure) -> Local:
    value = y.abs().rising(np.cosh, 1.0)
    return Local(value, y.rising(np.sinh), value, everywhere(y))


def _asinh(y: Enclosure) -> Local:
    slope = ONE / (ONE + y.square()).rising(np.sqrt, 1.0)
    return Local(y.rising(np.arcsinh), slope, -(y * slope * slope.square()), everywhere(y))


def _acosh(y: Enclosure) -> Local:
    inside = y.clipped(1.0, math.inf)
    slope = ONE / ((inside - ONE) * (inside + ONE)).rising(np.sqrt, 0.0)
    return Local(inside.rising(np.arccosh, 0.0), slope, -(inside * slope * slope.square()), y.lo >= 1)


def _atanh(y: Enclosure) -> Local:
    inside = y.clipped(-1.0, 1.0)
    slope = ONE / ((ONE - inside) * (ONE + inside)).clipped(0.0, 1.0)
    return Local(inside.rising(np.arctanh), slope, TWO * inside * slope.square(), y.magnitude < 1)


def _neg(y: Enclosure) -> Local:
    return Local(-y, point(-1.0), point(0.0), everywhere(y))


def _abs(y: Enclosure) -> Local:
    """Its kink bends upward: no upper end of the second derivative where 0 lies inside."""
    slope = Enclosure(np.where((y.lo >= 0) & ~y.is_zero, 1.0, -1.0), np.where((y.hi <= 0) & ~y.is_zero, -1.0, 1.0))
    inside = ((y.lo < 0) & (y.hi > 0)) | y.is_zero
    return Local(y.abs(), slope, Enclosure(np.zeros(np.shape(inside)), np.where(inside, np.inf, 0.0)), everywhere(y))


def _steps(of: Callable[[Array], Array]) -> Rule:
    """A function of steps: continuous only where it is constant."""

    def rule(y: Enclosure) -> Local:
        value = Enclosure(of(y.lo), of(y.hi))
        flat = value.lo == value.hi
        none = unbounded(np.shape(y.lo))
        return Local(value, point(0.0).where(flat, none), point(0.0).where(flat, none), flat)

    return rule


RULES: Mapping[str, Rule] = {
    "neg": _neg, "abs": _abs, "floor": _steps(np.floor), "ceil": _steps(np.ceil), "round": _steps(np.rint), "sign": _steps(np.sign),
    "exp": _exp, "expm1": _expm1, "log": _log, "log1p": _log1p, "softplus": _softplus,
    "tanh": _tanh, "erf": _erf, "sqrt": _sqrt, "square": _square,
    "sin": _sin, "cos": _cos, "tan": _tan, "asin": _asin, "acos": _acos, "atan": _atan, "sinh": _sinh, "cosh": _cosh,
    "asinh": _asinh, "acosh": _acosh, "atanh": _atanh,
}  # fmt: skip
"""Every primitive of one argument."""


def _limit_one(of: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A quotient that tends to 1 at 0."""
    return lambda v: np.where(np.abs(v) < 1e-150, 1.0, of(np.where(np.abs(v) < 1e-150, 1.0, v)))


def _settling(of: Callable[[Array], Array]) -> Callable[[Enclosure], Enclosure]:
    """An even elasticity that falls from 1 at 0 towards 0."""
    quotient = _limit_one(of)

    def bounded(size: Array) -> Array:
        return np.nan_to_num(quotient(np.minimum(size, 1e150)), nan=0.0)

    def rule(y: Enclosure) -> Enclosure:
        found = y.abs().falling(bounded, 0.0, 1.0)
        return Enclosure(np.where(y.magnitude > 25, 0.0, np.maximum(found.lo * (1 - 1e-9), 0.0)), np.minimum(found.hi * (1 + 1e-9), 1.0))

    return rule


def _growing(y: Enclosure) -> Enclosure:
    """y / (1 - exp(-y)), the elasticity of expm1: 0 far below, y far above, and rising."""
    of = _limit_one(lambda v: np.where(v > 700, v, v / -np.expm1(-np.maximum(v, -700.0))))
    return Enclosure(np.where(y.lo < -700, 0.0, y.rising(of, 0.0).lo), y.rising(of, 0.0).hi)


def _easing(y: Enclosure) -> Enclosure:
    """y / ((1 + y) log(1 + y)), the elasticity of log1p: falling, 1 at 0."""
    inside = y.clipped(-1.0, 1e150)
    return inside.falling(_limit_one(lambda v: v / ((1 + v) * np.log1p(v))), 0.0).where(y.lo > -0.99, unbounded(np.shape(y.lo)))


ELASTICITIES: Mapping[str, Callable[[Enclosure], Enclosure]] = {
    "neg": lambda y: ONE, "abs": lambda y: ONE, "square": lambda y: TWO, "sqrt": lambda y: HALF,
    "exp": lambda y: y, "expm1": _growing, "log1p": _easing, "softplus": lambda y: _easing(y.rising(np.exp, 0.0)) * y,
    "tanh": _settling(lambda v: 4 * v * np.exp(-2 * v) / -np.expm1(-4 * v)),
    "erf": _settling(lambda v: ROOT * v * np.exp(-v * v) / np.vectorize(math.erf, otypes=[float])(v)),
    "atan": _settling(lambda v: v / ((1 + v * v) * np.arctan(v))),
    "asinh": _settling(lambda v: v / (np.sqrt(1 + v * v) * np.arcsinh(v))),
}  # fmt: skip
"""Elasticities known in closed form; others are computed from slope and value."""


@dataclass(frozen=True)
class Complement:
    """1 + h(y) for an h that tends to -1, and h'(y) / (1 + h(y))."""

    value: Callable[[Enclosure], Enclosure]
    ratio: Callable[[Enclosure], Enclosure]


def _mills(y: Enclosure) -> Enclosure:
    """bell(y) / erfc(-y), falling; below -5 by t + sqrt(t^2 + 4/pi) <= bell(t) / erfc(t) < t + sqrt(t^2 + 2).

    Source: Abramowitz and Stegun 7.1.13.
    """

    def at(v: Array, inside: float) -> Array:
        near = np.clip(v, -5, 30)
        return np.where(v < -5, -v + np.sqrt(v * v + inside), ROOT * np.exp(-near * near) / erfc(-near))

    return Enclosure(np.maximum(at(y.hi, 4 / math.pi), 0.0) * (1 - 1e-12) * (y.hi < 26), at(y.lo, 2.0) * (1 + 1e-12) + 1e-290)


COMPLEMENTS: Mapping[str, Complement] = {
    "tanh": Complement(
        lambda y: y.rising(lambda v: 2 / (1 + np.exp(-2 * v)), 0.0, 2.0), lambda y: y.falling(lambda v: 2 / (1 + np.exp(2 * v)), 0.0, 2.0)
    ),
    "erf": Complement(lambda y: y.rising(lambda v: erfc(-v), 0.0, 2.0), _mills),
}  # fmt: skip
