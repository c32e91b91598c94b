"""Facts of layers and of chains of layers: each op on the values that reach it, composed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cnnir.facts.analyse import Analysis, Coefficients
from cnnir.facts.fact import Claim, Fact, Grade
from cnnir.facts.lattice import compose
from cnnir.facts.precision import Precision
from cnnir.ops.elementwise import Elementwise


def derive(op: Elementwise, arguments: Sequence[Fact], coefficients: Coefficients, precision: Precision) -> Fact:
    """Facts of an op applied to functions of one variable with the facts `arguments`.

    With one argument the formula is analysed on that argument's range and composed; a direction that the op declares
    from calculus is used where composition finds less, and makes the result class U.
    """
    analysis = Analysis(precision, coefficients)
    if len(arguments) > 1:
        return analysis.several(op.formula(), arguments)
    inner = arguments[0]
    outer = analysis.on(op.formula(), inner.range)
    claim = op.claim(inner.range, precision)
    if claim is not None and not outer.direction.is_monotone:
        outer = _declared(outer, claim, inner)
    return _composed(outer, inner)


def _declared(outer: Fact, claim: Claim, inner: Fact) -> Fact:
    """The claim instead of what composition found: |float - real| <= e allows a violation of 2 e."""
    direction = claim.direction.within(inner.range.lo, inner.range.hi)
    return replace(outer, direction=direction, grade=Grade.U, bound=None if claim.error is None else 2 * claim.error)


def _composed(outer: Fact, inner: Fact) -> Fact:
    if inner.bound == 0:
        bound = outer.bound  # f keeps order exactly, so what g breaks on its values is all that is broken
    else:
        bound = inner.bound if outer.bound == 0 and outer.grade is Grade.E and _is_identity(outer) else None
    linear = outer.linear if inner.linear is not None and _is_identity(inner) else None
    direction = outer.direction if _is_identity(inner) else compose(outer.direction, inner.direction)
    return Fact(direction, outer.range, max(outer.grade, inner.grade), linear, bound)


def _is_identity(fact: Fact) -> bool:
    return fact.linear is not None and (fact.linear.scale, fact.linear.shift) == (1.0, 0.0)
