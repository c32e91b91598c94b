"""Facts of layers and of chains of layers: each op on the values that reach it, composed."""

from __future__ import annotations

from collections.abc import Sequence

from cnnir.facts.analyse import Analysis, Coefficients
from cnnir.facts.fact import Fact
from cnnir.facts.precision import Precision
from cnnir.ops.elementwise import Elementwise


def derive(op: Elementwise, arguments: Sequence[Fact], coefficients: Coefficients, precision: Precision) -> Fact:
    """Facts of an op applied to functions of one variable with the facts `arguments`.

    With one argument the formula is analysed on that argument's range and composed.
    """
    analysis = Analysis(precision, coefficients)
    if len(arguments) > 1:
        return analysis.several(op.formula(), arguments)
    return analysis.after(op.formula(), arguments[0])
