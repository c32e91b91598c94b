"""Facts of layers and of chains of layers: each op on the values that reach it, composed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cnnir.facts.analyse import Analysis, Coefficients
from cnnir.facts.fact import Affine, Claim, Fact, Grade
from cnnir.facts.lattice import compose
from cnnir.facts.precision import Precision
from cnnir.ops.elementwise import Elementwise


def derive(op: Elementwise, arguments: Sequence[Fact], coefficients: Coefficients, precision: Precision) -> Fact:
    """Facts of an op applied to functions of one variable with the facts `arguments`, which are of this precision."""
    return derived(op, arguments, Analysis(precision, coefficients))


def derived(op: Elementwise, arguments: Sequence[Fact], analysis: Analysis) -> Fact:
    """The same by an analysis, which can then be asked what may wrap around.

    With one argument the formula is analysed on that argument's range and composed; a direction that the op declares
    from calculus is used where composition finds less, and makes the result class U.
    """
    if len(arguments) > 1:
        return analysis.several(op.formula(), arguments)
    inner = arguments[0]
    outer = analysis.on(op.formula(), inner.range)
    claim = op.claim(inner.range, analysis.precision)
    if claim is not None and not outer.direction.is_monotone:
        outer = _declared(outer, claim, inner)
    return _composed(outer, inner)


def _declared(outer: Fact, claim: Claim, inner: Fact) -> Fact:
    """The claim instead of what composition found: |float - real| <= e allows a violation of 2 e."""
    direction = claim.direction.within(inner.range.lo, inner.range.hi)
    return replace(outer, direction=direction, grade=Grade.U, bound=None if claim.error is None else 2 * claim.error)


def _composed(outer: Fact, inner: Fact) -> Fact:
    unless_exact = inner.bound if outer.is_x else None
    bound = outer.bound if inner.bound == 0 else unless_exact  # where f keeps order, what g breaks is all that is broken
    direction = outer.direction if inner.is_x else compose(outer.direction, inner.direction)
    linear = None
    if outer.linear and inner.linear:
        scale = outer.linear.scale
        linear = Affine(scale * inner.linear.scale, scale * inner.linear.shift + outer.linear.shift)
    return Fact(direction, outer.range, max(outer.grade, inner.grade), linear, bound, outer.is_x and inner.is_x)
