"""The law *concat*.

    pool(concat(a, b, ...)) = concat(pool(a), pool(b), ...)          concat along an axis that is not pooled

Proof. A pool reduces each channel of each image by itself, and a concat along channels (or images) puts whole ones side by side:
which input a channel comes from has no part in its result. Along a spatial axis windows would reach across the seam.

The same elements are pooled either way: what it is for is that an activation which only some branches have may then trade
places with their pools. So it fires only where a law about regions is proved in at least one branch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from cnnir.certificates import Certificate
from cnnir.facts.fact import Grade
from cnnir.ir.graph import Layer, Use, Value
from cnnir.ops.tensor import Concat as ConcatOp
from cnnir.price import Work

from ..rewrites import added
from .pairs import privately_read
from .proving import Found, search
from .rule import LayerLaw, Pair, PairCondition, Refusal


def channel_axis(pair: Pair) -> Refusal | None:
    """The concat runs along channels or images, which no pool mixes."""
    op = pair.layer.op
    assert isinstance(op, ConcatOp)
    if op.axis % pair.layer.type.rank <= 1:
        return None
    reason = f"`{pair.layer.name}` joins along a pooled axis: windows reach across the seam"
    return Refusal("channel axis", reason, pair.layer.name)


def opens_something(pair: Pair) -> Refusal | None:
    """Some input of the concat may trade places with the pool; else nothing is won."""
    if openings(pair):
        return None
    return Refusal("opens something", f"no layer in front of `{pair.layer.name}` may trade places with the pool", pair.layer.name)


class Concat(LayerLaw):
    """Pool each input of a concat instead of the whole."""

    name: ClassVar[str] = "concat"
    words: ClassVar[str] = "a concat of channels, some of which may be pooled earlier"
    example: ClassVar[str] = """\
network concat(x: f32[1, 16, 32, 32]) {
    a = x -> conv(8, 1) -> relu
    b = x -> conv(8, 3, pad=1)
    concat(a, b) -> maxpool(2)
}
"""
    conditions: ClassVar[Mapping[str, PairCondition]] = {
        "channel axis": channel_axis,
        "private": privately_read,
        "opens something": opens_something,
    }

    def about(self, layer: Layer) -> bool:
        return isinstance(layer.op, ConcatOp)

    def certificate(self, pair: Pair) -> Certificate:
        facts = {f"input {found.site.region.result.layer}": f"law {found.law.name}" for found in openings(pair)}
        return Certificate(self.name, facts, tuple(self.conditions), Grade.E.name)

    def rewrite(self, pair: Pair) -> list[str]:
        """Before: concat(a, b) -> pool -> readers. After: concat(a -> pool, b -> pool) -> readers; the concat keeps its name."""
        graph, concat, pool, inputs = pair.graph, pair.layer.name, pair.pool.name, pair.inputs
        graph.replace_uses(Value(pool), Value(concat))
        graph.connect(Use(pool, 0), inputs[0])
        graph.revise(pool, made_by=self.name)
        pair.around.exchanged([pool, concat])
        pools = {inputs[0]: Value(pool)}
        for value in inputs[1:]:
            if value not in pools:
                pools[value] = added(pair.around, pair.op, [value], graph[pool], self.name, stem=pool)
        for slot, value in enumerate(inputs):
            graph.connect(Use(concat, slot), pools[value])
        graph.revise(concat, made_by=self.name)
        return [value.layer for value in pools.values()]

    def work(self, pair: Pair) -> tuple[Work, Work]:
        """That of the regions that it opens the way for."""
        works = [found.law.work(found.site) for found in openings(pair)]
        return sum((w for w, _ in works), Work()), sum((w for _, w in works), Work())


def openings(pair: Pair) -> list[Found]:
    """The regions that end at an input of the concat, and may trade places with the pool."""
    found = [search(pair.around, pair.pool, value, pair.layer.name, pair.terms).found for value in dict.fromkeys(pair.inputs)]
    return [each for each in found if each is not None]
