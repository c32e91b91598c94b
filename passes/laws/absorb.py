"""The law *absorb*.

    max_W max(x, c) = max(c, max_W x)                              a max pool that starts from c
    max_W min(max(x, lo), hi) = min(max(lo, max_W x), hi)          one that starts from lo, then min with hi;   lo <= hi

and the same for min pools with max and min, lo and hi exchanged.

Proof. max is associative, commutative and idempotent, so c, found in every term, may be left to one; and t -> min(t, hi) does not
decrease, so the law *up* takes it out of the maximum. A pool that folds its window from the left can start from c instead of -inf:
then c costs nothing. Ties between c and an element are ties of equals, and as in relu the start stays: max(c, -0) with c = +0 is +0.

That f is max(x, c), or is between lo and hi x itself, is read from its formula, in one walk over the lattice of such clamps: relu,
`max(x, 0)`, clip, relu6, `x > 0 ? x : 0`, a chain of them or one written out in several layers. No name is looked at. For leaky and
the like there is no such c.

Placement does not do this. Behind the pool a relu costs one step a window already, and starting from c saves that one; but no
region in front of a pool that starts from a number may ever trade places with it, since f of that number is another. It is a pass
to run last, where every step counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from cnnir.decisions import Certificate
from cnnir.facts.fact import Fact, Grade
from cnnir.ir.graph import Use, Value
from cnnir.ops.arithmetic import Maximum, Minimum
from cnnir.ops.pooling import ExtremePool
from cnnir.price import Work
from cnnir.scalar.cost import steps
from cnnir.scalar.expr import Const, Expr, Var, fold
from cnnir.scalar.primitives import Primitive

from ..rewrites import added
from ..site import PoolSite
from ..surroundings import Surroundings
from ..terms import Terms
from . import conditions as shared
from .assumptions import assumptions
from .rule import Condition, Question, Refusal, RegionLaw
from .work import pooled, region_steps

INFINITY = float("inf")


@dataclass(frozen=True)
class Clamp:
    """min(max(x, lo), hi) with lo <= hi; a constant where they are equal."""

    lo: float = -INFINITY
    hi: float = INFINITY


def clamp(expression: Expr) -> Clamp | None:
    """The expression as a clamp, where it is one by its formula."""
    return fold(expression, _leaf, _node)


def _leaf(leaf: Expr) -> Clamp | None:
    if isinstance(leaf, Const):
        return Clamp(leaf.value, leaf.value)
    return Clamp() if isinstance(leaf, Var) else None


def _node(primitive: Primitive, args: Sequence[Clamp | None]) -> Clamp | None:
    """max and min go end by end: clamps of one x form a distributive lattice, in which constants are points."""
    if primitive.name not in ("max", "min", "select") or any(a is None for a in args):
        return None
    a, b, *chosen = (a for a in args if a is not None)
    ways: dict[tuple[Clamp, ...], str] = {(): primitive.name, (a, b): "max", (b, a): "min"}  # where a > b: a, else b
    way = ways.get(tuple(chosen))
    if way is None:
        return None
    bound = max if way == "max" else min
    return Clamp(bound(a.lo, b.lo), bound(a.hi, b.hi))


def can_start(question: Question) -> Refusal | None:
    """The pool slides: others have no number to start from."""
    site = question.site
    if isinstance(site.op, ExtremePool):
        return None
    return Refusal("can start", f"`{site.op.name}` has no number to start from", site.pool.name)


def is_clamp(question: Question) -> Refusal | None:
    """f is max(x, c), or a clamp between two numbers, in every channel."""
    site = question.site
    found = clamp(site.expression)
    words, way = " -> ".join(site.region.names), "lower" if site.op.reduce == "max" else "upper"
    if found is None:
        return Refusal("clamp", f"`{words}` is not x itself between two numbers", site.region.layers[-1].name)
    if abs(ends(site, found)[0]) == INFINITY:
        return Refusal("clamp", f"`{words}` has no {way} end that the pool could start from", site.region.layers[-1].name)
    return None


def ends(site: PoolSite, found: Clamp) -> tuple[float, float]:
    """What the pool starts from, and the other end."""
    return (found.lo, found.hi) if site.op.reduce == "max" else (found.hi, found.lo)


class Absorb(RegionLaw):
    """Start the pool from the number below (or above) which the region lets nothing pass."""

    name: ClassVar[str] = "absorb"
    words: ClassVar[str] = "a clamp"
    placed: ClassVar[bool] = False
    example: ClassVar[str] = """\
network absorb(x: f32[1, 3, 32, 32]) {
    x -> conv(8, 3, pad=1) -> relu -> maxpool(2)
}
"""
    conditions: ClassVar[Mapping[str, Condition]] = {
        "can start": can_start,
        "elements alone": shared.elements_alone,
        "identity start": shared.identity_start,
        "same shape": shared.same_shape,
        "full windows": shared.full_windows,
        "finite data": shared.finite_data,
        "clamp": is_clamp,
        "zero sign": shared.zero_sign,
    }

    def usable(self, fact: Fact, site: PoolSite, terms: Terms) -> bool:
        """Facts on all finite data say whether there is a -0; nothing finer is asked."""
        return True

    def certificate(self, question: Question) -> Certificate:
        site = question.site
        found = clamp(site.expression)
        assert found is not None
        facts = {"every channel": f"x itself between {found.lo:g} and {found.hi:g}"}
        return Certificate(self.name, facts, tuple(self.conditions), Grade.E.name, assumptions=assumptions(site, [], question.terms))

    def rewrite(self, around: Surroundings, site: PoolSite) -> list[str]:
        """Before: data -> region -> pool -> readers. After: data -> pool from c -> readers, with the other end's step between."""
        graph, pool = around.graph, Value(site.pool.name)
        found = clamp(site.expression)
        assert found is not None and isinstance(site.op, ExtremePool)
        start, other = ends(site, found)
        graph.connect(Use(pool.layer, 0), site.region.data)
        graph.revise(pool.layer, op=replace(site.op, start=start), made_by=self.name)
        around.exchanged([*site.region.names, pool.layer])
        for layer in reversed(site.region.layers):
            around.removed(layer.name)
            graph.remove(layer.name)
        if abs(other) != INFINITY:
            bound = Minimum(other) if site.op.reduce == "max" else Maximum(other)
            readers, shown = graph.uses(pool), [name for name, value in graph.results.items() if value == pool]
            rest = added(around, bound, [pool], graph[pool.layer], self.name)
            for use in readers:
                graph.connect(use, rest)
            graph.results.update(dict.fromkeys(shown, rest))
        return []

    def work(self, site: PoolSite) -> tuple[Work, Work]:
        """The region on every element against one step a window, if any; the pool reads as much either way."""
        reads, found = pooled(site.op, site.data), clamp(site.expression)
        assert found is not None
        after = site.pooled.elements * (abs(ends(site, found)[1]) != INFINITY) * steps(Minimum(0.0).formula())
        return Work(region_steps(site, site.data.elements), pooled=reads), Work(after, pooled=reads)
