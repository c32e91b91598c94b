"""The law *down*.

    max_W f(x) = f(min_W x)          min_W f(x) = f(max_W x)          f non-increasing on the range of x

Proof. Let m = min_W x, an element of the window. f(x_i) <= f(m) for every i since m <= x_i, and f(m) is among the f(x_i).
The min pool is a real one: negating twice around a max pool would wrap the least integer.
"""

from __future__ import annotations

from typing import ClassVar

from cnnir.facts.lattice import Direction
from cnnir.ops.pooling import Pooling, flipped

from .order import OrderLaw


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
    keeps_order: ClassVar[bool] = False

    def wanted(self, direction: Direction) -> bool:
        return direction.is_down

    def pool(self, pool: Pooling) -> Pooling:
        return flipped(pool)
