"""The law *channel*.

    max_W f_c(x) = f_c(max_W x) in channels c where f_c is non-decreasing, f_c(min_W x) where it is non-increasing

    data -> region -> pool          becomes          choose(data -> pool, data -> dual pool, mask) -> region

Proof. The laws up and down, one channel at a time: the mask says of each channel which of them holds there, and takes that
pool's result. For min pools the same with the pools exchanged. f is evaluated once a window, as under up and down; the
coefficients that differ from channel to channel (scales of a batch norm, slopes of a PReLU) must not vary inside a window.

It must not fire where some channel goes neither way.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cnnir.decisions import Witness
from cnnir.facts.lattice import Direction
from cnnir.ir.graph import Value
from cnnir.ops.choose import Choose
from cnnir.ops.pooling import Reduce, flipped

from ..region import entries
from ..rewrites import added, lift
from ..site import Array, PoolSite
from ..surroundings import Surroundings
from .order import OrderLaw
from .witness import falling, swapped


class Channel(OrderLaw):
    """Move a region behind a max and a min pool, of which each channel takes the one that its direction wants."""

    name: ClassVar[str] = "channel"
    words: ClassVar[str] = "monotone in every channel"
    example: ClassVar[str] = """\
network channel(x: f32[1, 3, 32, 32]) {
    x -> conv(8, 3, pad=1) -> scale -> maxpool(2)
}
"""
    pools: ClassVar[int] = 2

    def wanted(self, direction: Direction, reduce: Reduce) -> bool:
        return direction.is_up or direction.is_down

    def counterexample(self, site: PoolSite, channel: int) -> Witness | None:
        return swapped(site, falling(site, site.expression, channel), channel, site.op.reduce)

    def rewrite(self, around: Surroundings, site: PoolSite) -> list[str]:
        graph, law = around.graph, self.name
        mask = graph.weights.fresh(f"{site.pool.name}.mask")
        graph.weights[mask] = rising(site)
        lift(around, site, site.op, law)
        pool = Value(site.pool.name)
        reads = entries(graph, site.region.reading(pool))
        dual = added(around, flipped(site.op), [site.region.data], site.pool, law)
        chosen = added(around, Choose(), [pool, dual], graph[dual.layer], law, {"mask": mask})
        for use in reads:
            graph.connect(use, chosen)
        return []  # two pools read the data now


def rising(site: PoolSite) -> Array:
    """Of each channel 1 where f is non-decreasing, -1 where it is not (and so non-increasing); 0 there if there are no negative numbers."""
    mask = np.ones(site.data.shape[1], site.data.numpy)
    for part in site.prove(lambda fact: fact.direction.is_up or fact.direction.is_down):
        if not part.fact.direction.is_up:
            mask[part.channels] = 0 if mask.dtype.kind == "u" else -1
    return mask
