"""The law *pointwise*.

    avg_W(A x + b) = A avg_W(x) + b          A a matrix over channels: a 1 x 1 convolution, stride 1, no padding, any groups

Proof. At each place y = A x + b is linear in the channels x, and the average runs over places with the same weights 1/d in every
channel, so the two sums trade places. As in the law affine, b is multiplied by r = n / d with n real elements, 1 unless the
divisor counts padding; the law then holds without a bias only.

In floating point both sides re-round (class U): with k = n + C / groups + 3 roundings each, they differ by at most
2 g_k (max over outputs of sum |A| max|x| + |b|).

Pooling first leaves the convolution stride^2 times fewer places, and the pool as many times more channels as the convolution
has inputs for each output: DenseNet's transitions (stride 2, half the channels) save three quarters of their convolution.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from cnnir.decisions import Certificate
from cnnir.facts.fact import Grade
from cnnir.facts.precision import precision
from cnnir.ir.graph import Graph, Layer, Use, Value
from cnnir.ops.convolution import Conv
from cnnir.ops.pooling import Pooling
from cnnir.price import Work

from ..region import private
from ..surroundings import Surroundings
from ..terms import Terms
from .average import counts_what_it_sums, error, largest_window
from .rule import LayerLaw, Proof, Refusal
from .work import pooled


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

    def about(self, layer: Layer) -> bool:
        return isinstance(layer.op, Conv)

    def check(self, around: Surroundings, pool: Layer, terms: Terms) -> Proof | Refusal:
        graph = around.graph
        value = graph.data(pool.name)[0]
        conv, data = graph[value.layer], graph.data(value.layer)[0]
        for passed, refusal in enumerate(_refusals(around, pool, conv, data, terms)):
            if refusal is not None:
                return replace(refusal, law=self.name, passed=passed)
        return Proof(_certificate(self.name, around, pool, conv, data, terms))

    def rewrite(self, around: Surroundings, pool: Layer) -> list[str]:
        """Before: x -> conv -> pool -> readers. After: x -> pool -> conv -> readers, layers keeping their names."""
        graph = around.graph
        result = graph.data(pool.name)[0]
        data, pooled_value = graph.data(result.layer)[0], Value(pool.name)
        graph.replace_uses(pooled_value, result)
        graph.connect(Use(result.layer, 0), pooled_value)
        graph.connect(Use(pool.name, 0), data)
        graph.revise(pool.name, made_by=self.name)
        graph.revise(result.layer, made_by=self.name)
        around.traded(pool.name, result.layer)
        return [pool.name]

    def work(self, around: Surroundings, pool: Layer, terms: Terms) -> tuple[Work, Work]:
        graph = around.graph
        assert isinstance(pool.op, Pooling)
        conv = graph[graph.data(pool.name)[0].layer]
        data = graph.type(graph.data(conv.name)[0])
        (small,) = pool.op.infer([data])
        before = Work(macs=conv.op.macs([data], conv.outputs), pooled=pooled(pool.op, conv.type))
        after = Work(macs=conv.op.macs([small], conv.op.infer([small])), pooled=pooled(pool.op, data))
        return before, after


def _refusals(around: Surroundings, pool: Layer, conv: Layer, data: Value, terms: Terms) -> list[Refusal | None]:
    graph = around.graph
    return [
        averages(pool),
        single_places(conv),
        _privately(graph, pool, conv),
        counted_bias(graph, pool, conv),
        finite_data(around, data, terms),
        may_round(pool, terms),
    ]


def averages(pool: Layer) -> Refusal | None:
    """The pool averages: a maximum does not commute with sums."""
    assert isinstance(pool.op, Pooling)
    return None if pool.op.reduce == "avg" else Refusal("averaging", f"`{pool.op.name}` does not average", pool.name, telling=False)


def single_places(conv: Layer) -> Refusal | None:
    """Each output of the convolution reads one place: kernel 1, stride 1, no padding."""
    assert isinstance(conv.op, Conv)
    if max(conv.op.kernel) == 1 and max(conv.op.stride) == 1 and not any(conv.op.pad):
        return None
    return Refusal("single places", f"`{conv.name}` reads more than one place at once, or not every place", conv.name, telling=False)


def _privately(graph: Graph, pool: Layer, conv: Layer) -> Refusal | None:
    blocked = private(graph, Value(conv.name), {pool.name})
    return None if blocked is None else Refusal(blocked.condition, blocked.reason, blocked.layer)


def counted_bias(graph: Graph, pool: Layer, conv: Layer) -> Refusal | None:
    """The divisor counts what is summed, or there is no bias: counted padding adds zeros, not the bias."""
    assert isinstance(pool.op, Pooling)
    if counts_what_it_sums(pool.op, conv.type) or "bias" not in dict(conv.weights):
        return None
    return Refusal("counted elements", f"`{pool.name}` counts padding in its divisor: the border would get more of the bias", pool.name)


def finite_data(around: Surroundings, data: Value, terms: Terms) -> Refusal | None:
    """With `nan=strict`: what the convolution reads is proved finite."""
    if terms.nan != "strict":
        return None
    known = around.ranges[data]
    if not known.nan and not known.has_infinity:
        return None
    return Refusal("finite data", "what it reads may be infinite or NaN: nothing proves it finite", data.layer)


def may_round(pool: Layer, terms: Terms) -> Refusal | None:
    """Rewrites that re-round are wanted."""
    if terms.exactness == "ulp":
        return None
    reason = "averaging first rounds differently (class U): `exactness=ulp` allows that, with a bound"
    return Refusal("exact enough", reason, pool.name)


def _certificate(law: str, around: Surroundings, pool: Layer, conv: Layer, data: Value, terms: Terms) -> Certificate:
    graph = around.graph
    assert isinstance(pool.op, Pooling)
    source = graph.type(data)
    of = precision(source.dtype)
    weights: dict[str, Any] = graph.parameters(conv.name)
    matrix = np.abs(np.asarray(weights["weight"], np.float64))
    rows = matrix.reshape(len(matrix), -1)
    bias = np.abs(np.asarray(weights.get("bias", 0.0), np.float64))
    growth, offset = error(largest_window(pool.op, source) + rows.shape[1] + 1, rows.sum(axis=1), bias, of)
    facts = {"every channel": f"linear over channels; off by at most {growth:.3g} max|x| + {offset:.3g}"}
    known = around.ranges[data].finite(of)
    contract = ("data at the site are finite and not NaN",) if terms.nan == "assume" else ()
    checked = ("averaging", "single places", "private", "counted elements", "finite data", "exact enough")
    return Certificate(law, facts, checked, str(Grade.U), growth * known.magnitude + offset, growth, contract)
