"""Facts of layers and of chains of layers: each op on the values that reach it, composed."""

from __future__ import annotations

from collections.abc import Sequence

from cnnir.facts.analyse import Analysis, Coefficients
from cnnir.facts.fact import Fact
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
    return analysis.after(op.formula(), arguments[0])
