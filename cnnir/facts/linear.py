"""Formulas that are a x + b as real functions, channel by channel, and how much rounding there is in computing them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnir.scalar.expr import Const, Expr, Param, Var, fold
from cnnir.scalar.primitives import Primitive

from .precision import Precision

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Linear:
    """scale x + shift; one number, or one a channel. `size_*` bound the magnitudes of everything computed on the way:

    each step of the float code is within a unit roundoff, times (size_scale |x| + size_shift), of what it should be.
    """

    scale: Array
    shift: Array
    size_scale: Array
    size_shift: Array
    roundings: int = 0

    @property
    def is_constant(self) -> bool:
        """Whether x does not occur in it."""
        return not np.any(self.size_scale)

    @property
    def is_x(self) -> bool:
        """x itself, as floats."""
        return self.roundings == 0 and bool(np.all(self.scale == 1)) and not np.any(self.size_shift)


def linear(formula: Expr, coefficients: Mapping[str, Array], precision: Precision) -> Linear | None:
    """`formula` of Var(0) as a x + b, composed of + - * / and constants; None where it is not known to be one."""

    def leaf(expr: Expr) -> Linear | None:
        if isinstance(expr, Var):
            return Linear(np.ones(()), np.zeros(()), np.ones(()), np.zeros(()))
        value = coefficients[expr.role] if isinstance(expr, Param) else expr.value if isinstance(expr, Const) else np.nan
        return _constant(_computed(value, precision).astype(np.float64))

    def node(primitive: Primitive, args: Sequence[Linear | None]) -> Linear | None:
        known = [a for a in args if a is not None]
        if len(known) < len(args):
            return None
        if all(a.is_constant for a in known):
            value = primitive.evaluate(*(_computed(a.shift, precision) for a in known))
            return _constant(np.asarray(value, np.float64), sum(a.roundings for a in known) + 1)
        if primitive.converts and primitive.to == precision.name:
            return known[0]
        rule = _RULES.get(primitive.name)
        found = rule(*known) if rule else None
        return None if found is None else _rounded(found, primitive, known, precision)

    with np.errstate(all="ignore"):
        return fold(formula, leaf, node)


def _computed(value: Array | float, precision: Precision) -> Array:
    """As the code has it: floor(0.29 * 100) is 29 in float32, and 28 in float64."""
    return np.asarray(value, np.float64).astype(precision.numpy)


def _constant(value: Array, roundings: int = 0) -> Linear:
    return Linear(np.zeros(()), value, np.zeros(()), np.abs(value), roundings)


def _rounded(found: Linear, primitive: Primitive, args: list[Linear], precision: Precision) -> Linear:
    """With the rounding of this step; what underflows is off by the least number, which is a unit roundoff of `floor`."""
    roundings = sum(a.roundings for a in args) + (primitive.rounding != "exact")
    floor = precision.tiny / precision.unit if precision.unit else 0.0  # integers are not rounded
    return Linear(found.scale, found.shift, found.size_scale, found.size_shift + floor * (primitive.rounding != "exact"), roundings)


def _sum(sign: int) -> Callable[[Linear, Linear], Linear]:
    def rule(a: Linear, b: Linear) -> Linear:
        return Linear(a.scale + sign * b.scale, a.shift + sign * b.shift, a.size_scale + b.size_scale, a.size_shift + b.size_shift)

    return rule


def _product(a: Linear, b: Linear) -> Linear | None:
    if a.is_constant:
        a, b = b, a
    if not b.is_constant:
        return None
    return Linear(a.scale * b.shift, a.shift * b.shift, a.size_scale * b.size_shift, a.size_shift * b.size_shift)


def _quotient(a: Linear, b: Linear) -> Linear | None:
    if not b.is_constant:
        return None
    size = np.abs(b.shift)
    return Linear(a.scale / b.shift, a.shift / b.shift, a.size_scale / size, a.size_shift / size)


def _negated(a: Linear) -> Linear:
    return Linear(-a.scale, -a.shift, a.size_scale, a.size_shift)


_RULES: Mapping[str, Callable[..., Linear | None]] = {
    "add": _sum(1),
    "sub": _sum(-1),
    "mul": _product,
    "div": _quotient,
    "neg": _negated,
}
