"""The law *pointwise*.

    avg_W(A x + b) = A avg_W(x) + b          A a matrix over channels: a 1 x 1 convolution, stride 1, no padding, any groups

Proof. At each place y = A x + b is linear in the channels x, and the average runs over places with the same weights 1/d in every
channel, so the two sums trade places. As in the law affine, b is multiplied by r = n / d with n real elements, 1 unless the
divisor counts padding; the law then holds without a bias only.

In floating point both sides re-round (class U): with k = n + C / groups + 3 roundings each, they differ by at most
2 g_k (max over outputs of sum |A| max|x| + |b|).

Pooling first leaves the convolution stride^2 times fewer places, and the pool as many times more channels as the convolution
has inputs for each output: DenseNet's transitions (stride 2, half the channels) save three quarters of their convolution. Where
the stride is 1, as in Inception's pool branches, the convolution costs the same either way, and the pool is cheaper behind it if it
has fewer outputs than inputs: there the law is read backwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from cnnir.certificates import Certificate
from cnnir.facts.fact import Grade
from cnnir.facts.precision import precision
from cnnir.ir.graph import Layer
from cnnir.ops.convolution import Conv
from cnnir.ops.pooling import Pooling
from cnnir.price import Work

from ..rewrites import swap
from ..site import Array
from ..terms import Terms
from .average import NO_OVERFLOW, error, largest_window, linear_record
from .pairs import counted_bias, may_round, privately_read
from .rule import LayerLaw, Pair, PairCondition, Refusal
from .work import pooled


def averages(pair: Pair) -> Refusal | None:
    """The pool averages: a maximum does not commute with sums."""
    if pair.op.reduce == "avg":
        return None
    return Refusal("averaging", f"`{pair.op.name}` does not average", pair.pool.name, telling=False)


def single_places(pair: Pair) -> Refusal | None:
    """Each output of the convolution reads one place: kernel 1, stride 1, no padding."""
    assert isinstance(pair.layer.op, Conv)
    if is_single_places(pair.layer.op):
        return None
    return Refusal("single places", f"`{pair.layer.name}` reads more than one place, or not every place", pair.layer.name, telling=False)


def is_single_places(op: Conv) -> bool:
    """Whether it is a matrix over channels, at each place by itself."""
    return max(op.kernel) == 1 and max(op.stride) == 1 and not any(op.pad)


def finite_weights(pair: Pair) -> Refusal | None:
    """No weight is NaN or infinite: of [1, 3, -1] an infinite one makes NaN before averaging, and an infinity behind it."""
    _, scale, shift = sizes(pair)
    if np.all(np.isfinite(scale)) and np.all(np.isfinite(shift)):
        return None
    return Refusal("finite weights", f"a weight of `{pair.layer.name}` is not finite", pair.layer.name)


def no_overflow(pair: Pair) -> Refusal | None:
    """With `nan=strict`: no sum over channels or over a window can leave the finite numbers."""
    if pair.terms.nan != "strict":
        return None
    data = pair.inputs[0]
    known, source = pair.around.ranges[data], pair.graph.type(data)
    _, scale, shift = sizes(pair)
    largest = float(np.max(scale * known.magnitude + shift)) * (1 + largest_window(pair.op, source))
    if not known.nan and largest < precision(source.dtype).max / 2:
        return None
    return Refusal("no overflow", f"`{pair.layer.name}` or the sum over a window may overflow", pair.layer.name)


def sizes(pair: Pair) -> tuple[int, Array, Array]:
    """Of the convolution: how many terms each output sums, and for each the sum of |weights| and the |bias|. Reads weights."""
    weights: dict[str, Any] = pair.graph.parameters(pair.layer.name)
    matrix = np.abs(np.asarray(weights["weight"], np.float64))
    rows = matrix.reshape(len(matrix), -1)
    return rows.shape[1] + 1, rows.sum(axis=1), np.abs(np.asarray(weights.get("bias", 0.0), np.float64))


class Pointwise(LayerLaw):
    """Average before a 1 x 1 convolution instead of behind it."""

    name: ClassVar[str] = "pointwise"
    words: ClassVar[str] = "a convolution of single places"
    example: ClassVar[str] = """\
network pointwise(x: f32[1, 64, 32, 32] in [0, 1]) {
    x -> conv(32, 1) -> avgpool(2)
}
"""
    terms: ClassVar[Terms] = Terms("ulp")

    conditions: ClassVar[Mapping[str, PairCondition]] = {
        "averaging": averages,
        "single places": single_places,
        "private": privately_read,
        "counted elements": counted_bias,
        "no overflow": no_overflow,
        "exact enough": may_round,
        "finite weights": finite_weights,
    }

    def about(self, layer: Layer) -> bool:
        return isinstance(layer.op, Conv)

    def about_behind(self, layer: Layer, pool: Pooling) -> bool:
        return isinstance(layer.op, Conv) and pool.reduce == "avg" and is_single_places(layer.op)

    def certificate(self, pair: Pair) -> Certificate:
        data = pair.inputs[0]
        source = pair.graph.type(data)
        of = precision(source.dtype)
        terms, scale, shift = sizes(pair)
        growth, offset = error(largest_window(pair.op, source) + terms, scale, shift, of)
        facts = {"every channel": f"linear over channels; off by at most {growth:.3g} max|x| + {offset:.3g}"}
        known = pair.around.ranges[data].finite(of)
        bound = growth * known.magnitude + offset
        contract = (NO_OVERFLOW,) if pair.terms.nan == "assume" else ()
        records = (linear_record(known, bound),)
        return Certificate(self.name, facts, tuple(self.conditions), Grade.U.name, bound, growth, contract, records)

    def rewrite(self, pair: Pair) -> list[str]:
        """Before: x -> conv -> pool -> readers. After: x -> pool -> conv -> readers, layers keeping their names."""
        swap(pair.around, pair.layer.name, pair.pool.name, self.name)
        return [pair.pool.name]

    def work(self, pair: Pair) -> tuple[Work, Work]:
        op, data = pair.layer.op, pair.graph.type(pair.inputs[0])
        (small,) = pair.op.infer([data])
        before = Work(macs=op.macs([data], pair.layer.outputs), pooled=pooled(pair.op, pair.layer.type))
        after = Work(macs=op.macs([small], op.infer([small])), pooled=pooled(pair.op, data))
        return before, after
