"""The law *up*.

    max_W f(x) = f(max_W x)          min_W f(x) = f(min_W x)          f non-decreasing on the range of x

Proof. Let M = max_W x, an element of the window. f(x_i) <= f(M) for every i since x_i <= M, and f(M) is among the f(x_i):
so f(M) is their maximum. The same with <= turned around for min. In floating point the argument is the same for f as a
function on floats, provided that f(-0) = f(+0), that nothing is NaN, and that pools start from an infinity, which no
element exceeds.

It must not fire where the pool averages, a window is empty, f varies inside a window, or the value between is needed.
"""

from __future__ import annotations

from typing import ClassVar

from cnnir.decisions import Witness
from cnnir.facts.lattice import Direction
from cnnir.ops.pooling import Reduce

from ..rewrites import lift
from ..site import PoolSite
from ..surroundings import Surroundings
from .order import OrderLaw
from .witness import falling, swapped


class Up(OrderLaw):
    """Exchange a non-decreasing region with the max or min pool behind it."""

    name: ClassVar[str] = "up"
    words: ClassVar[str] = "non-decreasing"
    example: ClassVar[str] = """\
activation steps(x) = floor(4 * x) / 4

network up(x: f32[1, 3, 32, 32] in [0, 1]) {
    x -> conv(8, 3, pad=1) -> steps -> maxpool(2)
}
"""

    def wanted(self, direction: Direction, reduce: Reduce) -> bool:
        return direction.is_up

    def counterexample(self, site: PoolSite, channel: int) -> Witness | None:
        return swapped(site, falling(site, site.expression, channel), channel, site.op.reduce)

    def rewrite(self, around: Surroundings, site: PoolSite) -> list[str]:
        lift(around, site, site.op, self.name)
        return [site.pool.name]
