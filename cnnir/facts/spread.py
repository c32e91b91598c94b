"""A formula evaluated at many numbers at once: for each of them, the least and the greatest value that any code may give.

Most steps give one value. A library function gives one of its neighbours, and bf16 is rounded after a step or not, as kernels
are cut; what follows from that is followed through the formula. Where nobody can say, any number is possible.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnir.scalar.expr import Const, Expr, Param, Var
from cnnir.scalar.primitives import Primitive
from cnnir.scalar.typed import fold_typed

from .precision import Precision, Whole, precision
from .saturation import saturated
from .transfer import LIBRARY_STEPS

Array = np.ndarray[Any, Any]
ORDERED = ("add", "sub", "mul", "max", "min", "less", "less_equal", "greater", "greater_equal", "and", "or", "not", "xor")
"""Primitives that are extreme where their arguments are, whatever these are."""
AGAIN = ("sub", "div", "mod", "fmod")
"""Primitives that give one and the same of every number and itself, but for zeros and infinities."""


class Wraps(Exception):
    """An integer does not hold a result."""


@dataclass(frozen=True, eq=False)
class Spread:
    """Arrays lo <= hi of one dtype; NaN where the code may give it. bf16 is held as float32, which it may not be rounded from."""

    lo: Array
    hi: Array

    @property
    def settled(self) -> Array:
        """Where there is one value, and zero has one sign."""
        return (self.lo == self.hi) & (np.signbit(self.lo) == np.signbit(self.hi)) if self.lo.dtype.kind == "f" else self.lo == self.hi


def spread(expr: Expr, x: Array, dtype: str, coefficients: Mapping[str, float]) -> Spread:
    """What code of `expr` may give for Var(0) in x, of this dtype; raises Wraps where an integer does not hold a result."""

    def leaf(part: Expr, wanted: str) -> Spread:
        if isinstance(part, Var):
            value = x
        else:
            value = np.asarray(part.value if isinstance(part, Const) else coefficients[part.role] if isinstance(part, Param) else np.nan)
        found = _held(value.astype(precision(wanted).numpy), wanted)
        return Spread(found, found)

    with np.errstate(all="ignore"):
        found = fold_typed(expr, [dtype], leaf, _step)
        lo, hi = np.broadcast_arrays(found.value.lo, found.value.hi, x)[:2]
    return Spread(lo, hi)


def _held(values: Array, dtype: str) -> Array:
    return values.astype(np.float32) if dtype == "bf16" else values


def _step(primitive: Primitive, args: Sequence[Spread], dtype: str) -> Spread:
    """One primitive that computes in `dtype`."""
    if primitive.name in ("select", "where"):
        return _chosen(primitive, args)
    of, to = precision(dtype), precision(primitive.to or dtype)
    _must_fit(primitive, args, of)
    if primitive.name in AGAIN and args[0] is args[1] and dtype != "bf16" and not np.any(_special(args[0])):
        args = [Spread(args[0].lo, args[0].lo)] * 2
    found = _corners(primitive, args)
    if primitive.rounding == "library":
        found = _library(primitive, args, found, of)
    elif to.name == "bf16" and primitive.rounding != "exact":
        found = _either(found, to)
    certain = _all(a.settled for a in args) | (
        _all(a.lo == a.lo for a in args) & _all(a.hi == a.hi for a in args) & _is_extreme(primitive, args)
    )
    return found if np.all(certain) else _where(certain, found, _anything(to))


def _all(conditions: Iterable[Array]) -> Array:
    return np.logical_and.reduce(np.broadcast_arrays(*conditions))


def _special(a: Spread) -> Array:
    """Where the number of a thing and itself is no rule: zeros and what is not finite."""
    return (a.lo <= 0) & (a.hi >= 0) | ~np.isfinite(a.lo) | ~np.isfinite(a.hi)


def _corners(primitive: Primitive, args: Sequence[Spread]) -> Spread:
    """The least and the greatest of what the ends of the arguments, and turning points between them, give."""
    ends: list[list[Array]] = [[a.lo] if np.all(a.settled) else [a.lo, a.hi] for a in args]
    if len(args) == 1 and len(ends[0]) == 2:
        turns = {end for piece in primitive.shape.pieces for end in (piece.lo, piece.hi) if np.isfinite(end)}
        ends[0] += [np.clip(np.asarray(turn, args[0].lo.dtype), args[0].lo, args[0].hi) for turn in turns]
    values = [_evaluated(primitive, corner) for corner in itertools.product(*ends)]
    lo, hi = values[0], values[0]
    for value in values[1:]:
        lo, hi = (np.minimum(lo, value), np.maximum(hi, value)) if value.dtype.kind != "b" else (lo & value, hi | value)
    return Spread(lo, hi)


def _evaluated(primitive: Primitive, args: Sequence[Array]) -> Array:
    found = np.asarray(primitive.evaluate(*args))
    return _held(found, "bf16") if primitive.to == "bf16" else found


def _is_extreme(primitive: Primitive, args: Sequence[Spread]) -> Array:
    """Where the corners are the ends of all that there is."""
    if primitive.name in ORDERED or (primitive.converts and primitive.to != "bool"):
        return np.asarray(True)
    if primitive.arity == 1:
        pieces = primitive.shape.pieces
        return (args[0].lo >= pieces[0].lo) & (args[0].hi <= pieces[-1].hi) if pieces else np.asarray(False)
    if primitive.name in ("equal", "not_equal"):
        return (args[0].lo > args[1].hi) | (args[0].hi < args[1].lo)
    if primitive.name == "div":
        return (args[1].lo > 0) | (args[1].hi < 0)
    return np.asarray(primitive.name == "pow") & (args[0].lo > 0)


def _library(primitive: Primitive, args: Sequence[Spread], found: Spread, of: Precision) -> Spread:
    """Some neighbours about each end, but for what Annex F of the C standard is sure of, and limits that have been reached."""
    lo, hi = (_neighbour(values, way, of) for values, way in ((found.lo, -np.inf), (found.hi, np.inf)))
    least, most = primitive.shape.image
    if primitive.name == "pow":
        least = np.where(np.signbit(args[0].lo), -np.inf, 0.0)  # (-0)^-1 is -inf
    lo, hi = np.clip(lo, least, most).astype(found.lo.dtype), np.clip(hi, least, most).astype(found.hi.dtype)
    if len(args) == 1:
        lo, hi = (saturated(primitive, x, value, of).astype(found.lo.dtype) for x, value in ((args[0].lo, lo), (args[0].hi, hi)))
    return _where(_all(a.settled for a in args) & _is_sure([a.lo for a in args], found.lo), found, Spread(lo, hi))


def _is_sure(args: Sequence[Array], value: Array) -> Array:
    """exp(0) = 1, log(1) = 0 and the like; of powers, those of 1, 0 and infinity, and to the power of 0."""
    if len(args) == 1:
        return np.isin(args[0], (0, 1)) & np.isin(value, (0, 1))
    base, exponent = args
    return (base == 1) | (exponent == 0) | (np.isin(base, (0, np.inf, -np.inf)) & np.isin(value, (0, np.inf, -np.inf)))


def _neighbour(values: Array, way: float, of: Precision) -> Array:
    found = values.astype(of.numpy)
    for _ in range(LIBRARY_STEPS):
        found = np.nextafter(found, np.asarray(way, of.numpy))
    return _held(found, of.name)


def _either(found: Spread, of: Precision) -> Spread:
    """Rounded, or not."""
    lo, hi = (values.astype(of.numpy).astype(np.float32) for values in (found.lo, found.hi))
    return Spread(np.minimum(lo, found.lo), np.maximum(hi, found.hi))


def _must_fit(primitive: Primitive, args: Sequence[Spread], of: Precision) -> None:
    """Integers are computed again with more bits; so is what becomes an integer."""
    target = precision(primitive.to) if primitive.to else of
    if not isinstance(target, Whole) or target.name == "bool" or primitive.selects or (primitive.to and not primitive.converts):
        return
    limits = np.iinfo(target.numpy)
    for corner in itertools.product(*([a.lo] if np.all(a.settled) else [a.lo, a.hi] for a in args)):
        wide = [end.astype(np.float64 if end.dtype.kind == "f" else np.int64) for end in corner]
        exact = np.trunc(wide[0]) if primitive.converts else primitive.evaluate(*wide)
        if not np.all((exact >= limits.min) & (exact <= limits.max)):
            raise Wraps


def _chosen(primitive: Primitive, args: Sequence[Spread]) -> Spread:
    """One of two where the comparison is settled, else either."""
    first, second = args[-2:]
    if primitive.name == "where":
        yes, no = args[0].lo.astype(bool), ~args[0].hi.astype(bool)
    else:
        a, b = args[:2]
        yes, no = a.lo > b.hi, a.hi <= b.lo
    either = Spread(np.minimum(first.lo, second.lo), np.maximum(first.hi, second.hi))
    return _where(yes, first, _where(no, second, either))


def _anything(of: Precision) -> Spread:
    if not isinstance(of, Whole):
        dtype = np.dtype(np.float32) if of.name == "bf16" else of.numpy
        return Spread(np.asarray(np.nan, dtype), np.asarray(np.nan, dtype))
    return Spread(np.asarray(of.min).astype(of.numpy), np.asarray(of.max).astype(of.numpy))


def _where(condition: Array, a: Spread, b: Spread) -> Spread:
    return Spread(np.where(condition, a.lo, b.lo), np.where(condition, a.hi, b.hi))
