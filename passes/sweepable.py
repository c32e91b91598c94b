"""What is worth sweeping in a network: the formulas that proofs about its pools rest on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cnnir.facts import lattice
from cnnir.facts.fact import Grade
from cnnir.facts.lattice import Direction
from cnnir.facts.precision import Precision
from cnnir.facts.upgrade import library, natural_direction, natural_range
from cnnir.ir.graph import Graph, Value
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.pooling import Pooling
from cnnir.scalar.expr import Expr, Param, X, apply, leaves
from cnnir.scalar.fingerprint import fingerprint

from .region import Region, find_regions
from .site import PoolSite
from .surroundings import Surroundings


@dataclass(frozen=True)
class Sweepable:
    """A formula of Var(0), and what it is to be held to: a direction on the numbers of `dtype` in [lo, hi]."""

    name: str
    expr: Expr
    direction: Direction
    dtype: str
    lo: float = -lattice.INF
    hi: float = lattice.INF


def sweepable(graph: Graph) -> list[Sweepable]:
    """The elementwise regions in front of and behind every pool, and the library functions they call, each formula once.

    Left out are those of class E, which are exact on every target, those with coefficients, and those of no known direction.
    """
    found: dict[tuple[str, str], Sweepable] = {}
    around = Surroundings(graph)
    for pool in [layer for layer in graph.layers() if isinstance(layer.op, Pooling)]:
        regions = [*reversed(find_regions(graph, pool, around.order).regions), *_behind(graph, Value(pool.name))]
        for region in regions:
            site = PoolSite(graph, pool, region, around)
            if site.data.is_float and site.precision.sweepable:
                for one in (*_primitives(site), *_region(site)):
                    found.setdefault((fingerprint(one.expr), one.dtype), one)
    return list(found.values())


def primitive(name: str, precision: Precision) -> Sweepable:
    """A library function on the range on which its direction is declared."""
    natural = natural_range(name, precision)
    return Sweepable(name, apply(name, X), natural_direction(name, precision), precision.name, natural.lo, natural.hi)


def _primitives(site: PoolSite) -> list[Sweepable]:
    return [primitive(name, site.precision) for name in library(site.expression)]


def _region(site: PoolSite) -> Iterator[Sweepable]:
    """The region on all numbers, or else on the range of its data, wherever it has a direction."""
    if any(isinstance(leaf, Param) for leaf in leaves(site.expression)):
        return
    for ranged in (False, True):
        fact = site.fact(np.zeros(1, np.int64), ranged).fact
        if fact.grade is Grade.E:
            return
        if fact.direction.valley or fact.direction.peak:
            limits = (site.known.lo, site.known.hi) if ranged else ()
            yield Sweepable(" -> ".join(site.region.names), site.expression, fact.direction, site.precision.name, *limits)
            return


def _behind(graph: Graph, value: Value) -> Iterator[Region]:
    """The layers that follow one another behind a value, each by itself, as long as they are elementwise and nobody else reads it."""
    while len(uses := graph.uses(value)) == 1:
        layer = graph[uses[0].layer]
        if not isinstance(layer.op, Elementwise) or graph.data(layer.name) != [value]:
            return
        yield Region(value, Value(layer.name), (layer,))
        value = Value(layer.name)
