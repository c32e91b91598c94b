"""What evidence makes of a fact that was derived: C on an assumption becomes C on evidence, or falls to U.

Two kinds of evidence count. The *whole formula* was swept: then its code is known on every input, and nothing else matters.
Or every *library primitive* in it was: where each keeps its direction, the rules of `transfer`, which hold for any monotone
library, need no assumption; where one does not, they say nothing about the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cnnir.scalar.expr import Expr, Param, X, apply, converts, fold, leaves
from cnnir.scalar.primitives import PRIMITIVES

from .evidence import Evidence, Swept
from .fact import Fact, Grade
from .interval import Interval
from .lattice import Direction
from .precision import Precision
from .transfer import direction_on


@dataclass(frozen=True)
class Support:
    """The evidence there is for a formula on a range."""

    whole: Swept | None
    primitives: Mapping[str, Swept | None]
    """Each library primitive of the formula, with its own sweep."""

    @property
    def swept(self) -> bool:
        """Whether all its library primitives were found monotone."""
        return all(s is not None and not s.violations for s in self.primitives.values())

    def shows(self, direction: Direction, domain: Interval) -> bool:
        """Whether the sweep of the whole formula shows the direction on a range."""
        return self.whole is not None and self.whole.clean_on(domain) and self.whole.shown(domain) <= direction

    @property
    def refuted(self) -> bool:
        """Whether one of them was found not to be."""
        return any(s is not None and s.violations for s in self.primitives.values())


def support(
    expr: Expr, fact: Fact, domain: Interval, precision: Precision, evidence: Evidence | None, layers: int = 1
) -> Support:  # fmt: skip
    """What was swept that bears on the fact derived of a formula of Var(0), which so many layers compute.

    With coefficients it is a family of functions, and only its primitives were swept. Several layers of 16-bit floats round in
    between, or not, as they come to lie in kernels: that is not the code of their formula in one. Nor was anything swept in
    the dtypes that a formula with conversions goes through.
    """
    names = library(expr)
    if evidence is None or not precision.sweepable or converts(expr):
        return Support(None, dict.fromkeys(names))
    single = not any(isinstance(leaf, Param) for leaf in leaves(expr)) and (layers == 1 or precision.numpy.itemsize > 2)
    whole = evidence.lookup(expr, precision.name, fact.direction, domain) if single else None
    return Support(whole, {n: _primitive(n, precision, evidence) for n in names})


def _primitive(name: str, precision: Precision, evidence: Evidence) -> Swept | None:
    """The sweep of a primitive for the very direction that is declared of it; none of one of several numbers, as `pow`."""
    if PRIMITIVES[name].arity != 1:
        return None
    direction, natural = natural_direction(name, precision), natural_range(name, precision)
    found = evidence.lookup(apply(name, X), precision.name, direction, natural)
    return found if found is not None and found.shown(natural) == direction else None


def library(expr: Expr) -> list[str]:
    """The library primitives that a formula calls, sorted."""
    found: set[str] = set()
    fold(expr, lambda _leaf: None, lambda p, _args: found.add(p.name) if p.rounding == "library" else None)
    return sorted(found)


def natural_range(name: str, precision: Precision) -> Interval:
    """The range on which a primitive's direction is declared: what a sweep of it covers. Both zeros belong to zero."""
    pieces = PRIMITIVES[name].shape.pieces
    return Interval(*precision.inside(pieces[0].lo, pieces[-1].hi), minus_zero=True)


def natural_direction(name: str, precision: Precision) -> Direction:
    """The direction of a primitive that is declared there."""
    natural = natural_range(name, precision)
    return direction_on(PRIMITIVES[name].shape, natural.lo, natural.hi)


def upgraded(fact: Fact, domain: Interval, known: Support) -> Fact:
    """The facts of a formula on `domain`, once derived, in the light of the evidence."""
    found = fact if known.whole is None else _by_whole(fact, domain, known, known.whole)
    if found.swept or found.grade is Grade.E:
        return found
    if known.refuted:
        return found if found.grade is Grade.U else replace(found, grade=Grade.U, bound=None)
    return replace(found, swept=True) if found.grade is Grade.C and known.swept else found


def _by_whole(fact: Fact, domain: Interval, known: Support, swept: Swept) -> Fact:
    """The sweep shows a direction on the domain, or refutes the one that was derived, or bounds how far the code breaks it."""
    shown = swept.shown(domain)
    if known.shows(fact.direction, domain):
        range = replace(fact.range, nan=domain.nan)
        if fact.grade is Grade.E:
            return replace(fact, range=range)
        return replace(fact, direction=shown, range=range, grade=Grade.C, bound=0.0, swept=True)
    refuted = swept.broken_on(domain) and fact.direction <= shown
    if fact.grade is not Grade.U and not refuted:
        return fact
    bounds = [fact.bound] if fact.grade is Grade.U else []
    bounds += [swept.bound] if shown <= fact.direction and swept.covers(domain) else []
    return replace(fact, grade=Grade.U, bound=min((b for b in bounds if b is not None), default=None))
