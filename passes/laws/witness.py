"""Witnesses: a window on which an exchange would change the answer, with both answers computed by the reference meaning."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnir.decisions import Witness
from cnnir.facts.oracle import falling_pair, values_at
from cnnir.scalar.expr import Expr

from ..site import Array, PoolSite
from .rule import Exchange


def find(site: PoolSite, law: Exchange, channel: int) -> Witness | None:
    """A window of two elements that refutes the law in this channel; None where sampling finds none."""
    if not site.data.is_float:
        return None
    numbers = site.coefficients_of(channel)
    formula = site.expression if law.keeps_order else -site.expression  # f falls where -f rises
    pair = falling_pair(formula, site.known, site.precision, numbers)
    if pair is None:
        return None
    window = np.asarray(pair, site.precision.numpy)
    before = _reduced(site.op.reduce, values_at(site.expression, window, numbers))
    pooled = _reduced(law.pool(site.op).reduce, window)
    after = _value(site.expression, pooled, site, numbers)
    if before == after:
        return None
    return Witness(pair, before, after, channel if site.channels > 1 else None)


def _reduced(reduce: str, values: Array) -> float:
    return float(values.max() if reduce == "max" else values.min())


def _value(expr: Expr, at: float, site: PoolSite, numbers: Mapping[str, float]) -> float:
    return float(values_at(expr, np.asarray([at], site.precision.numpy), numbers)[0])


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
