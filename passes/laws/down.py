"""The law *down*.

    max_W f(x) = f(min_W x)          min_W f(x) = f(max_W x)          f non-increasing on the range of x

Proof. Let m = min_W x, an element of the window. f(x_i) <= f(m) for every i since m <= x_i, and f(m) is among the f(x_i).
The min pool is a real one: negating twice around a max pool would wrap the least integer.
"""

from __future__ import annotations

from typing import ClassVar

from cnnir.decisions import Witness
from cnnir.facts.lattice import Direction
from cnnir.ops.pooling import Reduce, flipped

from ..rewrites import lift
from ..site import PoolSite
from ..surroundings import Surroundings
from .order import OrderLaw
from .witness import falling, swapped


class Down(OrderLaw):
    """Exchange a non-increasing region with the max or min pool behind it, which becomes its dual."""

    name: ClassVar[str] = "down"
    words: ClassVar[str] = "non-increasing"
    example: ClassVar[str] = """\
activation fade(x) = 1 / (1 + exp(x))

network down(x: f32[1, 3, 32, 32] in [0, 1]) {
    x -> conv(8, 3, pad=1) -> fade -> maxpool(2)
}
"""

    def wanted(self, direction: Direction, reduce: Reduce) -> bool:
        return direction.is_down

    def counterexample(self, site: PoolSite, channel: int) -> Witness | None:
        return swapped(site, falling(site, -site.expression, channel), channel, flipped(site.op).reduce)

    def rewrite(self, around: Surroundings, site: PoolSite) -> list[str]:
        lift(around, site, flipped(site.op), self.name)
        return [site.pool.name]
