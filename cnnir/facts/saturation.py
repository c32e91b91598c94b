"""Where library functions return their limit exactly: tanh(20) is 1 and exp(-1000) is 0 everywhere, not a neighbour of it.

Assumed of every library, as LIBRARY_STEPS is: where the value is nearer to the limit than a 16th of the distance of the
limit from its neighbour, the library returns the limit; and exp is infinite where it exceeds e times the largest number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from cnnir.scalar.primitives import Primitive

from .derivatives import erfc
from .enclosure import Array
from .precision import Precision

PART = 16


def _two_sided(rest: Callable[[Array], Array]) -> Callable[[Array, Precision], Array]:
    def limit(x: Array, precision: Precision) -> Array:
        return np.where(rest(np.abs(x)) * (1 + 1e-9) <= precision.unit / PART, np.sign(x), np.nan)

    return limit


def _exp(x: Array, precision: Precision) -> Array:
    overflown = np.where(x > math.log(precision.max) + 1, np.inf, np.nan)
    return np.where(x < math.log(precision.tiny) - math.log(PART) - 1e-9, 0.0, overflown)


def _softplus(x: Array, precision: Precision) -> Array:
    return np.where(x < math.log(precision.tiny) - math.log(PART) - 1e-9, 0.0, np.nan)


def _expm1(x: Array, precision: Precision) -> Array:
    return np.where(np.exp(x) * (1 + 1e-9) <= precision.unit / PART, -1.0, np.nan)


LIMITS: Mapping[str, Callable[[Array, Precision], Array]] = {
    "tanh": _two_sided(lambda x: 2 * np.exp(-2 * x)), "erf": _two_sided(erfc), "exp": _exp, "expm1": _expm1, "softplus": _softplus,
}  # fmt: skip
"""Primitive -> the limit that it returns at x, or NaN where it need not."""


def saturated(primitive: Primitive, x: Array, values: Array, precision: Precision) -> Array:
    """The limit where `primitive` has settled at x, and `values` elsewhere."""
    if primitive.name not in LIMITS:
        return values
    with np.errstate(all="ignore"):
        limit = LIMITS[primitive.name](x, precision)
    return np.where(np.isnan(limit), values, limit)
