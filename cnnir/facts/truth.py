"""Facts of comparisons and of what joins truth values: steps between 0 and 1, which go up, down or turn like what is compared.

`a > b` is non-decreasing in a and non-increasing in b, `and` and `or` are non-decreasing in both: what holds of sums of
functions (`lattice.add`) holds of these. Where a - b goes one way, `a = b` holds on an interval: a peak.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cnnir.scalar.primitives import Primitive

from .fact import Fact, constant, nothing, worst
from .interval import Interval
from .lattice import SOMEWHERE, UNKNOWN, Direction, add, largest, smallest
from .precision import EXACT, Precision, Whole

EITHER, FALSE, TRUE = Interval(0.0, 1.0), Interval(0.0, 0.0), Interval(1.0, 1.0)


def truth(primitive: Primitive, args: Sequence[Fact], precision: Precision) -> Fact:
    """Facts of a primitive that gives truth values of arguments of this precision.

    No direction where a NaN may be compared, which is always false; and integers whose ends were rounded settle nothing.
    """
    if any(a.range.nan for a in args):
        return nothing(EITHER)
    settled, direction = _RULES[primitive.name](*args) if primitive.name in _RULES else (None, UNKNOWN)
    grade, bound = worst(*args)
    if settled is not None and not (isinstance(precision, Whole) and max(a.range.magnitude for a in args) > EXACT):
        found = constant(settled)
        return Fact(found.direction, settled, grade, found.linear)
    return Fact(direction, EITHER, grade, bound=bound)


Found = tuple["Interval | None", Direction]


def _greater(a: Fact, b: Fact) -> Found:
    settled = TRUE if a.range.lo > b.range.hi else FALSE if a.range.hi <= b.range.lo else None
    return settled, add([a.direction, b.direction.negated()])


def _greater_equal(a: Fact, b: Fact) -> Found:
    settled = TRUE if a.range.lo >= b.range.hi else FALSE if a.range.hi < b.range.lo else None
    return settled, add([a.direction, b.direction.negated()])


def _less(a: Fact, b: Fact) -> Found:
    return _greater(b, a)


def _less_equal(a: Fact, b: Fact) -> Found:
    return _greater_equal(b, a)


def _equal(a: Fact, b: Fact) -> Found:
    apart = a.range.lo > b.range.hi or a.range.hi < b.range.lo
    settled = FALSE if apart else TRUE if a.range.is_point and a.range == b.range else None
    return settled, Direction(peak=SOMEWHERE) if add([a.direction, b.direction.negated()]).is_monotone else UNKNOWN


def _not(a: Fact) -> Found:
    return _opposite(a.range), a.direction.negated()


def _not_equal(a: Fact, b: Fact) -> Found:
    settled, direction = _equal(a, b)
    return settled and _opposite(settled), direction.negated()


def _opposite(value: Interval) -> Interval | None:
    return TRUE if value.hi == 0 else FALSE if value.lo > 0 or value.hi < 0 else None


def _and(a: Fact, b: Fact) -> Found:
    both = a.range.lo == b.range.lo == 1
    return TRUE if both else FALSE if 0 in (a.range.hi, b.range.hi) else None, smallest([a.direction, b.direction])


def _or(a: Fact, b: Fact) -> Found:
    none = a.range.hi == b.range.hi == 0
    return FALSE if none else TRUE if 1 in (a.range.lo, b.range.lo) else None, largest([a.direction, b.direction])


_RULES: Mapping[str, Callable[..., Found]] = {
    "greater": _greater, "greater_equal": _greater_equal, "equal": _equal, "not_equal": _not_equal, "not": _not, "and": _and, "or": _or,
    "less": _less, "less_equal": _less_equal,
}  # fmt: skip
