"""The laws *valley* and *peak*, duals of each other.

    max_W f(x) = max(f(min_W x), f(max_W x))          f quasi-convex: non-increasing, then non-decreasing
    min_W f(x) = min(f(min_W x), f(max_W x))          f quasi-concave: non-decreasing, then non-increasing

Proof. Let f fall until m and rise from m on, and let a = min_W x, b = max_W x, both elements of the window. An x_i <= m has
a <= x_i, so f(x_i) <= f(a); an x_i >= m has x_i <= b, so f(x_i) <= f(b). Hence every f(x_i) is at most the larger of f(a)
and f(b), which are among them. For peaks the same with the order turned around. Never the other pairing: the least value of
a valley lies somewhere inside the window.

f is evaluated twice a window: a quarter of the evaluations of a 2 x 2 pool become a half. SiLU, GELU, Mish, hard-swish, abs,
squares and negative slopes move by this law. Directions that differ from channel to channel are all valleys and peaks too.
"""

from __future__ import annotations

from typing import ClassVar

from cnnir.decisions import Witness
from cnnir.facts.lattice import Direction
from cnnir.ir.graph import Value
from cnnir.ops.arithmetic import Maximum, Minimum
from cnnir.ops.pooling import Reduce, flipped

from ..rewrites import added, lift, take_over, twin
from ..site import PoolSite
from ..surroundings import Surroundings
from .order import OrderLaw
from .witness import between


class Valley(OrderLaw):
    """Evaluate a region that turns once at both ends of each window, behind a max and a min pool."""

    name: ClassVar[str] = "valley"
    words: ClassVar[str] = "non-increasing, then non-decreasing"
    example: ClassVar[str] = """\
network valley(x: f32[1, 3, 32, 32]) {
    x -> conv(8, 3, pad=1) -> leaky(-0.3) -> maxpool(2)
}
"""
    pools: ClassVar[int] = 2
    copies: ClassVar[int] = 2

    def said(self, reduce: Reduce) -> str:
        return self.words if reduce == "max" else "non-decreasing, then non-increasing"

    def wanted(self, direction: Direction, reduce: Reduce) -> bool:
        return (direction.valley if reduce == "max" else direction.peak) is not None

    def counterexample(self, site: PoolSite, channel: int) -> Witness | None:
        return between(site, channel)

    def rewrite(self, around: Surroundings, site: PoolSite) -> list[str]:
        graph, law, result = around.graph, self.name, site.region.result
        data = site.region.data
        lift(around, site, site.op, law)
        dual = added(around, flipped(site.op), [data], graph[site.pool.name], law)
        other = twin(around, site.region.reading(Value(site.pool.name)), dual, law)
        combine = Maximum() if site.op.reduce == "max" else Minimum()
        later = max(result, other, key=lambda v: around.order[v.layer])
        both = added(around, combine, [result, other], graph[later.layer], law)
        take_over(graph, result, both, but=both.layer)
        return []  # two pools read the data now
