"""Witnesses: a window on which a rewrite would change the answer, with both answers computed by the reference meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from cnnir.decisions import Witness
from cnnir.facts.oracle import falling_pair, inner_point, values_at
from cnnir.ops.pooling import Reduce
from cnnir.scalar.expr import Expr

from ..site import Array, PoolSite


def falling(site: PoolSite, formula: Expr, channel: int) -> tuple[float, ...] | None:
    """Two points a < b of the data's range with formula(a) > formula(b) in this channel, where sampling finds them."""
    if not site.data.is_float:
        return None
    return falling_pair(formula, site.known, site.precision, site.coefficients_of(channel))


def swapped(site: PoolSite, window: tuple[float, ...] | None, channel: int, reduce: Reduce) -> Witness | None:
    """The window with pool(f(x)) and f(pool'(x)), where pool' reduces by `reduce`; None where they agree."""
    return _shown(site, window, channel, lambda x, f: float(f(np.asarray([_reduced(reduce, x)], x.dtype))[0]))


def between(site: PoolSite, channel: int) -> Witness | None:
    """Three points a < b < c where f(b) is beyond both f(a) and f(c): neither end of the window has its extreme."""
    if not site.data.is_float:
        return None
    sign = 1 if site.op.reduce == "max" else -1
    formula = site.expression if sign > 0 else -site.expression
    window = inner_point(formula, site.known, site.precision, site.coefficients_of(channel))

    def ends(x: Array, f: Callable[[Array], Array]) -> float:
        return _reduced(site.op.reduce, f(np.asarray([x.min(), x.max()], x.dtype)))

    return _shown(site, window, channel, ends)


def _shown(
    site: PoolSite, window: tuple[float, ...] | None, channel: int, after: Callable[[Array, Callable[[Array], Array]], float]
) -> Witness | None:
    if window is None:
        return None
    numbers = site.coefficients_of(channel)
    x = np.asarray(window, site.precision.numpy)
    was = _reduced(site.op.reduce, _values(site.expression, x, numbers))
    now = after(x, lambda at: _values(site.expression, at, numbers))
    return None if was == now else Witness(window, was, now, channel if site.channels > 1 else None)


def _values(formula: Expr, at: Array, numbers: Mapping[str, float]) -> Array:
    return values_at(formula, at, numbers)


def _reduced(reduce: Reduce, values: Array) -> float:
    return float({"max": np.max, "min": np.min, "avg": np.mean}[reduce](values))


def witness_words(witness: Witness) -> str:
    """The witness as a sentence, with as many digits as tell its numbers apart."""
    numbers = [v + 0.0 for v in (*witness.window, witness.before, witness.after)]  # -0 is shown as 0
    short = [f"{v:.6g}" for v in numbers]
    *window, before, after = short if len({*short}) == len({*numbers}) else [f"{v:.17g}" for v in numbers]
    return f"on the window [{', '.join(window)}] it gives {before} before the swap and {after} after"


def constants(site: PoolSite, channel: int) -> list[str]:
    """The coefficients of a channel in words."""
    values = [(key.rsplit("/", 1), value) for key, value in site.coefficients_of(channel).items()]
    where = f" in channel {channel}" if site.channels > 1 else ""
    return [f"{role} of `{layer}` is {value:.6g}{where}" for (layer, role), value in values]
