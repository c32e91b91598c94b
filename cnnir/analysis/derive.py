"""Facts of layers and of chains of layers: each op on the values that reach it, composed."""

from __future__ import annotations

from collections.abc import Sequence

from cnnir.facts.analyse import Analysis, Coefficients
from cnnir.facts.fact import Affine, Fact
from cnnir.facts.lattice import compose
from cnnir.facts.precision import Precision
from cnnir.ops.elementwise import Elementwise


def derive(op: Elementwise, arguments: Sequence[Fact], coefficients: Coefficients, precision: Precision) -> Fact:
    """Facts of an op applied to functions of one variable with the facts `arguments`, which are of this precision."""
    return derived(op, arguments, Analysis(precision, coefficients))


def derived(op: Elementwise, arguments: Sequence[Fact], analysis: Analysis) -> Fact:
    """The same by an analysis, which can then be asked what may wrap around.

    With one argument the formula is analysed on that argument's range and composed.
    """
    if len(arguments) > 1:
        return analysis.several(op.formula(), arguments)
    inner = arguments[0]
    return _composed(analysis.on(op.formula(), inner.range), inner)


def _composed(outer: Fact, inner: Fact) -> Fact:
    unless_exact = inner.bound if outer.is_x else None
    bound = outer.bound if inner.bound == 0 else unless_exact  # where f keeps order, what g breaks is all that is broken
    direction = outer.direction if inner.is_x else compose(outer.direction, inner.direction)
    linear = None
    if outer.linear and inner.linear:
        scale = outer.linear.scale
        linear = Affine(scale * inner.linear.scale, scale * inner.linear.shift + outer.linear.shift)
    return Fact(direction, outer.range, max(outer.grade, inner.grade), linear, bound, outer.is_x and inner.is_x)
