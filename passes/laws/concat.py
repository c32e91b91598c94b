"""The law *concat*.

    pool(concat(a, b, ...)) = concat(pool(a), pool(b), ...)          concat along an axis that is not pooled

Proof. A pool reduces each channel of each image by itself, and a concat along channels (or images) puts whole ones side by side:
which input a channel comes from has no part in its result. Along a spatial axis windows would reach across the seam.

The same elements are pooled either way: what it is for is that an activation which only some branches have may then trade
places with their pools. So it fires only where a law about regions is proved in at least one branch.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from cnnir.decisions import Certificate
from cnnir.facts.fact import Grade
from cnnir.ir.graph import Graph, Layer, Use, Value
from cnnir.ops.pooling import Pooling
from cnnir.ops.tensor import Concat as ConcatOp
from cnnir.price import Work

from ..region import private
from ..rewrites import added
from ..surroundings import Surroundings
from ..terms import Terms
from .proving import Found, search
from .rule import LayerLaw, Proof, Refusal


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

    def about(self, layer: Layer) -> bool:
        return isinstance(layer.op, ConcatOp)

    def check(self, around: Surroundings, pool: Layer, terms: Terms) -> Proof | Refusal:
        graph = around.graph
        concat = graph[graph.data(pool.name)[0].layer]
        for passed, refusal in enumerate((pools_no_seam(concat), _privately(graph, pool, concat))):
            if refusal is not None:
                return replace(refusal, law=self.name, passed=passed)
        opened = openings(around, pool, terms)
        if not opened:
            reason = f"no layer in front of `{concat.name}` may trade places with the pool"
            return Refusal("opens", reason, concat.name, law=self.name, passed=2)
        facts = {f"input {found.site.region.result.layer}": f"law {found.law.name}" for found in opened}
        return Proof(Certificate(self.name, facts, ("channel axis", "private", "opens"), str(Grade.E)))

    def rewrite(self, around: Surroundings, pool: Layer) -> list[str]:
        """Before: concat(a, b) -> pool -> readers. After: concat(a -> pool, b -> pool) -> readers; the concat keeps its name."""
        graph = around.graph
        assert isinstance(pool.op, Pooling)
        concat = graph[graph.data(pool.name)[0].layer]
        inputs = graph.data(concat.name)
        graph.replace_uses(Value(pool.name), Value(concat.name))
        graph.connect(Use(pool.name, 0), inputs[0])
        graph.revise(pool.name, made_by=self.name)
        around.traded(pool.name, concat.name)
        pools = {inputs[0]: Value(pool.name)}
        for value in inputs[1:]:
            if value not in pools:
                pools[value] = added(around, pool.op, [value], graph[pool.name], self.name)
        for slot, value in enumerate(inputs):
            graph.connect(Use(concat.name, slot), pools[value])
        graph.revise(concat.name, made_by=self.name)
        return [value.layer for value in pools.values()]

    def work(self, around: Surroundings, pool: Layer, terms: Terms) -> tuple[Work, Work]:
        """That of the regions that it opens the way for."""
        works = [found.law.work(found.site) for found in openings(around, pool, terms)]
        return sum((w for w, _ in works), Work()), sum((w for _, w in works), Work())


def openings(around: Surroundings, pool: Layer, terms: Terms) -> list[Found]:
    """The regions that end at an input of the concat in front of the pool, and may trade places with the pool."""
    concat = around.graph.data(pool.name)[0].layer
    inputs = dict.fromkeys(around.graph.data(concat))
    return [found for value in inputs if (found := search(around, pool, value, concat, terms).found)]


def pools_no_seam(concat: Layer) -> Refusal | None:
    """The concat runs along channels or images, which no pool mixes."""
    assert isinstance(concat.op, ConcatOp)
    if concat.op.axis % concat.type.rank <= 1:
        return None
    return Refusal("channel axis", f"`{concat.name}` joins along a pooled axis: windows reach across the seam", concat.name)


def _privately(graph: Graph, pool: Layer, concat: Layer) -> Refusal | None:
    blocked = private(graph, Value(concat.name), {pool.name})
    return None if blocked is None else Refusal(blocked.condition, blocked.reason, blocked.layer)
