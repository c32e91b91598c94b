"""The real function behind a formula on cells of its argument: its values, its derivative, and how far the float code is from it.

Forward differentiation over intervals in float64, ends moved outward; where a rule is missing the derivative is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnir.scalar.primitives import Primitive

from .floats import Format
from .spans import Span

Array = np.ndarray[Any, Any]
OUTWARD = 2e-15
"""Relative error of float64 arithmetic and of NumPy's float64 functions, with room to spare."""
LIBRARY_UNITS = 9.0
"""Halves of the last place by which a platform's library may miss the function: four places, and the last rounding."""


@dataclass(frozen=True)
class Slope:
    """Real values in [lo, hi], their derivative in [least, most], and a bound of |float code - real|, on each cell."""

    lo: Array
    hi: Array
    least: Array
    most: Array
    error: Array


def variable(lo: Array, hi: Array) -> Slope:
    """x itself."""
    one = np.ones(lo.shape)
    return Slope(lo.astype(np.float64), hi.astype(np.float64), one, one, np.zeros(lo.shape))


def number(span: Span) -> Slope:
    """A number, as it is rounded to the type of the computation."""
    none = np.zeros(span.lo.shape)
    return Slope(span.lo, span.hi, none, none, none)


def step(primitive: Primitive, args: Sequence[Slope], spans: Sequence[Span], found: Span, of: Format | None) -> Slope:
    """The primitive on slopes; `found` is what its float code gives, on arguments `spans`."""
    with np.errstate(all="ignore"):
        if of is None or (primitive.to is not None and primitive.to not in ("f16", "bf16", "f32", "f64")):
            return _unknown(found)
        if primitive.name == "select":
            return _select(args, spans, found)
        rule = _RULES.get(primitive.name, _identity if primitive.to is not None else None)
        if rule is None:
            return _unknown(found)
        made = rule(*args)
        size = np.maximum(np.abs(made.lo), np.abs(made.hi)) + made.error
        units = {"exact": 0.0, "correct": 1.0, "library": LIBRARY_UNITS}[primitive.rounding]
        half = of.unit * np.exp2(np.frexp(size)[1] - 1.0)  # of the last place of the largest value
        error = made.error + units * (np.where(np.isfinite(size), half, np.inf) + of.tiny)
        ends = np.maximum(np.abs(made.hi - found.lo), np.abs(found.hi - made.lo))  # both are within their own ends
        error = np.fmin(np.where(np.isnan(error), np.inf, error), np.where(np.isnan(ends), np.inf, ends))
        return _sound(made, error)


def _sound(made: Slope, error: Array) -> Slope:
    lo, hi = _outward(made.lo, made.hi)
    least, most = _outward(made.least, made.most)
    return Slope(lo, hi, least, most, error)


def _outward(lo: Array, hi: Array) -> tuple[Array, Array]:
    tiny = 5e-324
    low, high = lo - np.abs(lo) * OUTWARD - tiny * (lo != 0), hi + np.abs(hi) * OUTWARD + tiny * (hi != 0)
    return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)


def _unknown(found: Span) -> Slope:
    """A step without a derivative, unless it is constant on the cell."""
    level = found.lo == found.hi
    wide = np.where(level, 0.0, np.inf)
    return Slope(found.lo, found.hi, -wide, wide, wide)


def _product_of(a: tuple[Array, Array], b: tuple[Array, Array]) -> tuple[Array, Array]:
    ends = np.stack([p * q for p in a for q in b])
    wild = np.isnan(ends).any(axis=0)  # 0 times infinity, which stands for a number too large for float64
    return np.where(wild, -np.inf, ends.min(axis=0)), np.where(wild, np.inf, ends.max(axis=0))


def _add(a: Slope, b: Slope) -> Slope:
    return Slope(a.lo + b.lo, a.hi + b.hi, a.least + b.least, a.most + b.most, a.error + b.error)


def _neg(a: Slope) -> Slope:
    return Slope(-a.hi, -a.lo, -a.most, -a.least, a.error)


def _sub(a: Slope, b: Slope) -> Slope:
    return _add(a, _neg(b))


def _size(a: Slope) -> Array:
    return np.maximum(np.abs(a.lo), np.abs(a.hi))


def _mul(a: Slope, b: Slope) -> Slope:
    lo, hi = _product_of((a.lo, a.hi), (b.lo, b.hi))
    left, right = _product_of((a.least, a.most), (b.lo, b.hi)), _product_of((b.least, b.most), (a.lo, a.hi))
    error = _size(a) * b.error + _size(b) * a.error + a.error * b.error
    return Slope(lo, hi, left[0] + right[0], left[1] + right[1], error)


def _inverse(b: Slope) -> Slope:
    zero = (b.lo <= 0) & (b.hi >= 0)
    lo, hi = np.where(zero, -np.inf, 1 / b.hi), np.where(zero, np.inf, 1 / b.lo)
    nearest = np.where(zero, 0.0, np.minimum(np.abs(b.lo), np.abs(b.hi)))
    square = _product_of((lo, hi), (lo, hi))
    slope = _product_of((-b.most, -b.least), (np.where(zero, 0.0, square[0]), np.where(zero, np.inf, square[1])))
    room = nearest - b.error
    error = np.where(room > 0, b.error / (nearest * room), np.inf)
    return Slope(lo, hi, slope[0], slope[1], np.where(zero, np.inf, error))


def _div(a: Slope, b: Slope) -> Slope:
    return _mul(a, _inverse(b))


def _either(a: Slope, b: Slope, lo: Array, hi: Array, only_a: Array, only_b: Array) -> Slope:
    least = np.where(only_a, a.least, np.where(only_b, b.least, np.minimum(a.least, b.least)))
    most = np.where(only_a, a.most, np.where(only_b, b.most, np.maximum(a.most, b.most)))
    return Slope(lo, hi, least, most, np.maximum(a.error, b.error))


def _max(a: Slope, b: Slope) -> Slope:
    return _either(a, b, np.maximum(a.lo, b.lo), np.maximum(a.hi, b.hi), a.lo > b.hi, b.lo > a.hi)


def _min(a: Slope, b: Slope) -> Slope:
    return _either(a, b, np.minimum(a.lo, b.lo), np.minimum(a.hi, b.hi), a.hi < b.lo, b.hi < a.lo)


def _select(args: Sequence[Slope], spans: Sequence[Span], found: Span) -> Slope:
    """Decided where the comparison is, for the real numbers and for the floats."""
    a, b, c, d = args
    yes = (a.lo > b.hi) & (spans[0].lo > spans[1].hi)
    no = (a.hi <= b.lo) & (spans[0].hi <= spans[1].lo)
    wide = np.full(found.lo.shape, np.inf)

    def merged(p: Array, q: Array, open_: Array) -> Array:
        return np.where(yes, p, np.where(no, q, open_))

    return Slope(
        merged(c.lo, d.lo, np.minimum(c.lo, d.lo)), merged(c.hi, d.hi, np.maximum(c.hi, d.hi)),
        merged(c.least, d.least, -wide), merged(c.most, d.most, wide), merged(c.error, d.error, wide),
    )  # fmt: skip


def _identity(a: Slope) -> Slope:
    return a


def _abs(a: Slope) -> Slope:
    up, down = a.lo >= 0, a.hi <= 0
    lo = np.where(up | down, np.minimum(np.abs(a.lo), np.abs(a.hi)), 0.0)
    size = np.maximum(np.abs(a.least), np.abs(a.most))
    least, most = np.where(up, a.least, np.where(down, -a.most, -size)), np.where(up, a.most, np.where(down, -a.least, size))
    return Slope(lo, _size(a), least, most, a.error)


Function = Callable[[Array], Array]


def _chain(a: Slope, lo: Array, hi: Array, derivative: tuple[Array, Array], slack: Callable[[Slope], tuple[Array, Array]]) -> Slope:
    """g(a): the chain rule, and the error of a times the steepest that g is near a."""
    least, most = _product_of((a.least, a.most), derivative)
    steep = slack(Slope(a.lo - a.error, a.hi + a.error, a.least, a.most, a.error))
    reach = np.maximum(np.abs(steep[0]), np.abs(steep[1]))
    return Slope(lo, hi, least, most, np.where(a.error == 0, 0.0, reach * a.error))


def _rising(function: Function, derivative: Callable[[Slope], tuple[Array, Array]]) -> Callable[[Slope], Slope]:
    def rule(a: Slope) -> Slope:
        return _chain(a, function(a.lo), function(a.hi), derivative(a), derivative)

    return rule


def _monotone(derivative: Function) -> Callable[[Slope], tuple[Array, Array]]:
    """The ends of a derivative that is itself monotone."""

    def ends(a: Slope) -> tuple[Array, Array]:
        p, q = derivative(a.lo), derivative(a.hi)
        return np.minimum(p, q), np.maximum(p, q)

    return ends


def _bump(derivative: Function) -> Callable[[Slope], tuple[Array, Array]]:
    """The ends of an even derivative that falls as |x| grows."""

    def ends(a: Slope) -> tuple[Array, Array]:
        nearest = np.where((a.lo <= 0) & (a.hi >= 0), 0.0, np.minimum(np.abs(a.lo), np.abs(a.hi)))
        return derivative(_size(a)), derivative(nearest)

    return ends


def _valley(derivative: Function) -> Callable[[Slope], tuple[Array, Array]]:
    """The ends of an even derivative that grows with |x|."""
    ends = _bump(derivative)
    return lambda a: (ends(a)[1], ends(a)[0])


def _square(a: Slope) -> Slope:
    size = _abs(a)
    return _chain(a, size.lo**2, size.hi**2, (2 * a.lo, 2 * a.hi), _monotone(lambda x: 2 * x))


def _cosh(a: Slope) -> Slope:
    size = _abs(a)
    return _chain(a, np.cosh(size.lo), np.cosh(size.hi), (np.sinh(a.lo), np.sinh(a.hi)), _monotone(np.sinh))


def _wave(function: Function, derivative: Function) -> Callable[[Slope], Slope]:
    """sin and cos: |second derivative| <= 1, so both stay within half a width of what they are in the middle."""

    def around(f: Function, a: Slope) -> tuple[Array, Array]:
        middle, half = f((a.lo + a.hi) / 2), (a.hi - a.lo) / 2
        return np.maximum(middle - half, -1.0), np.minimum(middle + half, 1.0)

    def rule(a: Slope) -> Slope:
        lo, hi = around(function, a)
        return _chain(a, lo, hi, around(derivative, a), lambda b: around(derivative, b))

    return rule


def _erf(x: Array) -> Array:
    import math

    return np.array([math.erf(v) for v in x.ravel().tolist()]).reshape(x.shape)


_RULES: Mapping[str, Callable[..., Slope]] = {
    "add": _add, "sub": _sub, "neg": _neg, "mul": _mul, "div": _div, "max": _max, "min": _min, "abs": _abs,
    "square": _square, "cosh": _cosh,
    "exp": _rising(np.exp, _monotone(np.exp)), "expm1": _rising(np.expm1, _monotone(np.exp)),
    "softplus": _rising(lambda x: np.logaddexp(0.0, x), _monotone(lambda x: 1 / (1 + np.exp(-x)))),
    "log": _rising(np.log, _monotone(lambda x: 1 / x)), "log1p": _rising(np.log1p, _monotone(lambda x: 1 / (1 + x))),
    "sqrt": _rising(np.sqrt, _monotone(lambda x: 0.5 / np.sqrt(x))), "sinh": _rising(np.sinh, _valley(np.cosh)),
    "tanh": _rising(np.tanh, _bump(lambda x: 1 / np.cosh(x) ** 2)),
    "erf": _rising(_erf, _bump(lambda x: 2 / np.sqrt(np.pi) * np.exp(-x * x))),
    "atan": _rising(np.arctan, _bump(lambda x: 1 / (1 + x * x))),
    "asinh": _rising(np.arcsinh, _bump(lambda x: 1 / np.sqrt(1 + x * x))),
    "sin": _wave(np.sin, np.cos), "cos": _wave(np.cos, lambda x: -np.sin(x)),
}  # fmt: skip
