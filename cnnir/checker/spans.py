"""What a formula's float code can give on cells of its argument, by interval arithmetic of the checker's own, many cells at once.

Ends are exact: correctly rounded primitives are monotone in each argument as float functions, so a result is greatest and
least where its arguments are. Library functions are taken to be monotone, and their ends are moved outward by a few places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnnir.scalar.primitives import Primitive
from cnnir.types import numpy_dtype

from .floats import Format, format_of

Array = np.ndarray[Any, Any]
LIBRARY_PLACES = 4
"""By how many places a platform's library may miss what NumPy gives."""
QUARTER, HALF = 1.5707, 3.1415
"""Just inside the turning points of sin and tan, and of cos."""


@dataclass(frozen=True)
class Span:
    """A value on each cell: its ends as float64, whether it never falls or never rises as x grows, and what else can occur."""

    lo: Array
    hi: Array
    up: Array
    down: Array
    nan: Array
    minus_zero: Array

    @property
    def zero(self) -> Array:
        """Whether it can be zero."""
        return (self.lo <= 0) & (self.hi >= 0)


def variable(lo: Array, hi: Array) -> Span:
    """x itself on the cells [lo, hi]."""
    no = np.zeros(lo.shape, bool)
    return Span(lo.astype(np.float64), hi.astype(np.float64), ~no, lo == hi, no, (lo <= 0) & (hi >= 0))


def number(value: Array, shape: tuple[int, ...]) -> Span:
    """A number, which may differ from cell to cell."""
    wide = np.broadcast_to(np.asarray(value).astype(np.float64), shape)
    missing = np.isnan(wide)
    plain = np.where(missing, 0.0, wide)
    return Span(plain, plain, ~missing, ~missing, missing, (plain == 0) & np.signbit(plain))


def between(lo: float, hi: float, shape: tuple[int, ...]) -> Span:
    """Some number in [lo, hi]: what is known of a coefficient of any channel."""
    no = np.zeros(shape, bool)
    return Span(np.full(shape, lo), np.full(shape, hi), ~no, ~no, no, no | (lo <= 0 <= hi))


def step(primitive: Primitive, args: Sequence[Span], dtype: str) -> Span:
    """The primitive on spans, computed in `dtype`; directions are kept where they are sure."""
    kind, name = numpy_dtype(dtype), primitive.name
    if primitive.to is not None:
        return logic(primitive, args) if primitive.to == "bool" else _converted(primitive, args[0])
    if name == "select":
        found = choose(args[0].lo > args[1].hi, args[0].hi <= args[1].lo, args[2], args[3])
    elif name == "where":
        found = choose(args[0].lo > 0, args[0].hi <= 0, args[1], args[2])
    elif name in _BINARY:
        found = _BINARY[name](primitive, args[0], args[1], kind)
    elif len(args) == 1 and (name in _RISING or name in _FALLING or name in _BOWLS or name in _WAVES):
        found = _unary(primitive, args[0], dtype)
    else:
        found = anything(args[0])
    missing = found.nan
    for arg in args:
        missing = missing | arg.nan
    level = found.lo == found.hi
    fits = _fits(found, kind)
    return replace(found, up=(found.up | level) & fits, down=(found.down | level) & fits, nan=missing | ~fits)


def _fits(found: Span, kind: np.dtype[Any]) -> Array:
    """Integers that wrap around are as bad as NaN: nothing is said of them."""
    if kind.kind not in "iu":
        return np.ones(found.lo.shape, bool)
    limits = np.iinfo(kind)
    most = min(float(limits.max), 2.0**53)
    return (found.lo >= max(float(limits.min), -(2.0**53))) & (found.hi <= most)


def _at(primitive: Primitive, kind: np.dtype[Any], *points: Array) -> Array:
    """The primitive at points, as float64; of integers the true value, which may not fit."""
    wide = kind if kind.kind not in "iub" else np.dtype(np.float64)
    with np.errstate(all="ignore"):
        return np.asarray(primitive.evaluate(*(p.astype(wide) for p in points))).astype(np.float64)


def _hull(*ends: Array) -> tuple[Array, Array]:
    """Least and greatest; NaN, as of 0 times infinity, becomes both infinities."""
    every = np.stack(ends)
    wild = np.isnan(every).any(axis=0)
    return np.where(wild, -np.inf, every.min(axis=0)), np.where(wild, np.inf, every.max(axis=0))


def _sum(primitive: Primitive, a: Span, b: Span, kind: np.dtype[Any]) -> Span:
    if primitive.name == "sub":
        b = Span(-b.hi, -b.lo, b.down, b.up, b.nan, b.zero)
    with np.errstate(all="ignore"):
        wide = kind if kind.kind not in "iu" else np.dtype(np.float64)
        lo, hi = (np.asarray(p.astype(wide) + q.astype(wide)).astype(np.float64) for p, q in ((a.lo, b.lo), (a.hi, b.hi)))
    opposed = ((a.hi == np.inf) & (b.lo == -np.inf)) | ((a.lo == -np.inf) & (b.hi == np.inf))
    (lo, _), (_, hi) = _hull(lo), _hull(hi)
    return Span(lo, hi, a.up & b.up, a.down & b.down, opposed, a.minus_zero & b.minus_zero)


def _same_sign_way(f: Span, positive: Array, negative: Array) -> tuple[Array, Array]:
    """How f times something goes on account of f: as f where that is never negative, the other way where never positive."""
    return (f.up & positive) | (f.down & negative), (f.down & positive) | (f.up & negative)


def _product(primitive: Primitive, a: Span, b: Span, kind: np.dtype[Any]) -> Span:
    lo, hi = _hull(*(_at(primitive, kind, p, q) for p in (a.lo, a.hi) for q in (b.lo, b.hi)))
    from_a, from_b = _same_sign_way(a, b.lo >= 0, b.hi <= 0), _same_sign_way(b, a.lo >= 0, a.hi <= 0)
    wild = (a.zero & (np.isinf(b.lo) | np.isinf(b.hi))) | (b.zero & (np.isinf(a.lo) | np.isinf(a.hi)))
    never = (a.lo >= 0) & (b.lo >= 0) & ~a.minus_zero & ~b.minus_zero
    zero = (lo <= 0) & (hi >= 0) & ~never
    return Span(lo, hi, from_a[0] & from_b[0], from_a[1] & from_b[1], wild, zero)


def _quotient(primitive: Primitive, a: Span, b: Span, kind: np.dtype[Any]) -> Span:
    lo, hi = _hull(*(_at(primitive, kind, p, q) for p in (a.lo, a.hi) for q in (b.lo, b.hi)))
    lo, hi = np.where(b.zero, -np.inf, lo), np.where(b.zero, np.inf, hi)
    from_a, (rises, falls) = _same_sign_way(a, b.lo > 0, b.hi < 0), _same_sign_way(b, a.lo >= 0, a.hi <= 0)
    infinite = (np.isinf(a.lo) | np.isinf(a.hi)) & (np.isinf(b.lo) | np.isinf(b.hi))
    sure = ~b.zero
    zero = (lo <= 0) & (hi >= 0) & ~((a.lo >= 0) & (b.lo > 0) & ~a.minus_zero)
    return Span(lo, hi, from_a[0] & falls & sure, from_a[1] & rises & sure, (a.zero & b.zero) | infinite, zero)


def _extreme(primitive: Primitive, a: Span, b: Span, kind: np.dtype[Any]) -> Span:
    """max and min: both count, unless one is beyond the other on the whole cell."""
    greatest = primitive.name == "max"
    pick = np.maximum if greatest else np.minimum
    lo, hi = pick(a.lo, b.lo), pick(a.hi, b.hi)
    only_a = a.lo >= b.hi if greatest else a.hi <= b.lo
    only_b = b.lo >= a.hi if greatest else b.hi <= a.lo
    up = (a.up | only_b) & (b.up | only_a)
    down = (a.down | only_b) & (b.down | only_a)
    return Span(lo, hi, up, down, np.zeros(lo.shape, bool), (a.minus_zero | b.minus_zero) & (lo <= 0) & (hi >= 0))


def choose(yes: Array, no: Array, chosen: Span, otherwise: Span) -> Span:
    """One of two, where it is decided which on the whole cell."""

    def merged(p: Array, q: Array, both: Array) -> Array:
        return np.where(yes, p, np.where(no, q, both))

    c, d = chosen, otherwise
    open_ = np.zeros(yes.shape, bool)
    return Span(
        merged(c.lo, d.lo, np.minimum(c.lo, d.lo)), merged(c.hi, d.hi, np.maximum(c.hi, d.hi)),
        merged(c.up, d.up, open_), merged(c.down, d.down, open_),
        merged(c.nan, d.nan, c.nan | d.nan), merged(c.minus_zero, d.minus_zero, c.minus_zero | d.minus_zero),
    )  # fmt: skip


def anything(like: Span) -> Span:
    """Nothing is known, of as many cells as another value has."""
    no = np.zeros(like.lo.shape, bool)
    return Span(np.full(no.shape, -np.inf), np.full(no.shape, np.inf), no, no, ~no, ~no)


def logic(primitive: Primitive, args: Sequence[Span]) -> Span:
    """A comparison that comes out alike on the whole cell, as 0 or 1; else either."""
    a, b = args[0], args[-1]
    sure: Mapping[str, tuple[Array, Array]] = {
        "less": (a.hi < b.lo, a.lo >= b.hi), "less_equal": (a.hi <= b.lo, a.lo > b.hi),
        "greater": (a.lo > b.hi, a.hi <= b.lo), "greater_equal": (a.lo >= b.hi, a.hi < b.lo),
    }  # fmt: skip
    never = np.zeros(a.lo.shape, bool)
    yes, no = sure.get(primitive.name, (never, never))
    known = (yes | no) & ~a.nan & ~b.nan
    return Span(np.where(known & yes, 1.0, 0.0), np.where(known & no, 0.0, 1.0), known, known, never, never)


_BINARY: Mapping[str, Callable[[Primitive, Span, Span, np.dtype[Any]], Span]] = {
    "add": _sum, "sub": _sum, "mul": _product, "div": _quotient, "max": _extreme, "min": _extreme,
}  # fmt: skip

_RISING = {
    "floor", "ceil", "round", "sign", "exp", "expm1", "log", "log1p", "softplus", "tanh", "erf", "sqrt",
    "asin", "atan", "sinh", "asinh", "acosh", "atanh",
}  # fmt: skip
_FALLING = {"neg", "acos"}
_BOWLS = {"abs", "square", "cosh"}
_WAVES: Mapping[str, tuple[tuple[float, float, int], ...]] = {
    "sin": ((-QUARTER, QUARTER, 1),), "tan": ((-QUARTER, QUARTER, 1),), "cos": ((-HALF, 0.0, 1), (0.0, HALF, -1)),
}  # fmt: skip
_DOMAIN: Mapping[str, tuple[float, float]] = {
    "log": (0.0, np.inf), "log1p": (-1.0, np.inf), "sqrt": (0.0, np.inf), "asin": (-1.0, 1.0), "acos": (-1.0, 1.0),
    "acosh": (1.0, np.inf), "atanh": (-1.0, 1.0),
}  # fmt: skip
_IMAGE: Mapping[str, tuple[float, float]] = {
    "exp": (0.0, np.inf), "softplus": (0.0, np.inf), "expm1": (-1.0, np.inf), "tanh": (-1.0, 1.0), "erf": (-1.0, 1.0),
    "cosh": (1.0, np.inf), "sqrt": (0.0, np.inf), "acosh": (0.0, np.inf), "sin": (-1.0, 1.0), "cos": (-1.0, 1.0), "square": (0.0, np.inf),
}  # fmt: skip
_NO_MINUS_ZERO = {"exp", "softplus", "abs", "square", "cosh", "acosh", "acos"}


def _unary(primitive: Primitive, a: Span, dtype: str) -> Span:
    kind, name = numpy_dtype(dtype), primitive.name
    first, last = _at(primitive, kind, a.lo), _at(primitive, kind, a.hi)
    up, down = np.zeros(a.lo.shape, bool), np.zeros(a.lo.shape, bool)
    known = np.ones(a.lo.shape, bool)
    if name in _RISING:
        lo, hi, up, down = first, last, a.up, a.down
    elif name in _FALLING:
        lo, hi, up, down = last, first, a.down, a.up
    elif name in _BOWLS:
        least = np.where(a.zero, _at(primitive, kind, np.zeros(a.lo.shape)), np.minimum(first, last))
        lo, hi = least, np.maximum(first, last)
        up, down = (a.up & (a.lo >= 0)) | (a.down & (a.hi <= 0)), (a.down & (a.lo >= 0)) | (a.up & (a.hi <= 0))
    else:
        lo, hi, known = np.minimum(first, last), np.maximum(first, last), np.zeros(a.lo.shape, bool)
        for left, right, way in _WAVES.get(name, ()):
            inside = (a.lo >= left) & (a.hi <= right)
            known |= inside
            up, down = up | (inside & (a.up if way > 0 else a.down)), down | (inside & (a.down if way > 0 else a.up))
    least, most = _IMAGE.get(name, (-np.inf, np.inf))
    lo, hi = np.where(known, lo, least), np.where(known, hi, most)
    if primitive.rounding == "library" and kind.kind in "fV":
        lo, hi = _outward(lo, hi, format_of(dtype), least, most)
    before, after = _DOMAIN.get(name, (-np.inf, np.inf))
    bad = (a.lo < before) | (a.hi > after) | np.isnan(lo) | np.isnan(hi) | ((name in _WAVES) & (np.isinf(a.lo) | np.isinf(a.hi)))
    lo, hi = np.where(np.isnan(lo), -np.inf, lo), np.where(np.isnan(hi), np.inf, hi)
    zero = (
        (lo <= 0)
        & (hi >= 0)
        & (name not in _NO_MINUS_ZERO)
        & ((a.zero if name == "neg" else a.minus_zero) | ((a.lo < 0) & (name != "neg")))
    )
    return Span(lo, hi, up & ~bad, down & ~bad, bad, zero)


def _outward(lo: Array, hi: Array, of: Format, least: float, most: float) -> tuple[Array, Array]:
    moved = [of.stepped(np.asarray(end).astype(of.dtype), way * LIBRARY_PLACES).astype(np.float64) for end, way in ((lo, -1), (hi, 1))]
    return np.maximum(moved[0], least), np.minimum(moved[1], most)


def _converted(primitive: Primitive, a: Span) -> Span:
    """In another type: rounded once, which keeps order; to integers where they hold every number."""
    assert primitive.to is not None
    kind = numpy_dtype(primitive.to)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        fits = (a.lo > max(limits.min, -(2.0**53)) - 1.0) & (a.hi < min(limits.max, 2.0**53) + 1.0) & ~a.nan
        return Span(np.trunc(a.lo), np.trunc(a.hi), a.up & fits, a.down & fits, ~fits, np.zeros(fits.shape, bool))
    sure = np.full(a.lo.shape, kind.kind in "fV" or kind.name == "bfloat16")
    if not sure.all():
        return Span(np.full(a.lo.shape, -np.inf), np.full(a.lo.shape, np.inf), ~sure & False, ~sure & False, ~sure, ~sure)
    with np.errstate(all="ignore"):
        lo, hi = (end.astype(kind).astype(np.float64) for end in (a.lo, a.hi))
    lost = np.isnan(lo) | np.isnan(hi)  # types of 8 bits may have no infinity: beyond their largest number is NaN
    lo, hi = np.where(lost, -np.inf, lo), np.where(lost, np.inf, hi)
    zero = (lo <= 0) & (hi >= 0) & (a.minus_zero | (a.lo < 0))
    return Span(lo, hi, a.up & ~lost, a.down & ~lost, a.nan | lost, zero)
