"""The side conditions that laws about the layer in front of a pool share."""

from __future__ import annotations

from cnnir.ir.graph import Value

from ..region import private
from .average import counts_what_it_sums
from .rule import Pair, Refusal


def privately_read(pair: Pair) -> Refusal | None:
    """Nobody but the pool needs what the layer makes: neither another layer nor the user."""
    blocked = private(pair.graph, Value(pair.layer.name), {pair.pool.name})
    return None if blocked is None else Refusal(blocked.condition, blocked.reason, blocked.layer)


def counted_bias(pair: Pair) -> Refusal | None:
    """The divisor counts what is summed, or there is no bias: counted padding adds zeros, not the bias."""
    if counts_what_it_sums(pair.op, pair.layer.type) or "bias" not in dict(pair.layer.weights):
        return None
    reason = f"`{pair.pool.name}` counts padding in its divisor: the border would get more of the bias"
    return Refusal("counted elements", reason, pair.pool.name)


def may_round(pair: Pair) -> Refusal | None:
    """Rewrites that re-round are wanted."""
    if pair.terms.exactness == "ulp":
        return None
    reason = "averaging first rounds differently (class U): `exactness=ulp` allows that, with a bound"
    return Refusal("exact enough", reason, pair.pool.name)
