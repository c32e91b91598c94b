"""Which layers tell -0 from +0 in something other than the sign of a zero: 1/x does, sigmoid and relu do not."""

from __future__ import annotations

from collections.abc import Sequence

from cnnir.facts.analyse import Analysis
from cnnir.facts.fact import Fact, nothing
from cnnir.facts.interval import Interval
from cnnir.facts.precision import Precision
from cnnir.ops.elementwise import Elementwise
from cnnir.scalar.expr import Apply, Var, leaves, nodes


def separates_zeros(op: Elementwise, ranges: Sequence[Interval], precision: Precision) -> bool:
    """Whether some primitive of the formula that tells zeros apart can get a zero, for arguments in these ranges.

    1 / (1 + exp(-x)) divides too, but never by zero.
    """
    arguments: list[Fact] = [nothing(r) for r in ranges]
    for node in [part for part in nodes(op.formula()) if isinstance(part, Apply)]:
        for place in node.primitive.separates_zeros:
            divisor = node.args[place]
            if not any(isinstance(leaf, Var) for leaf in leaves(divisor)):
                continue
            if Analysis(precision, _Anything()).several(divisor, arguments).range.has_zero:
                return True
    return False


class _Anything(dict[str, Interval]):
    """Coefficients of which nothing is known."""

    def __missing__(self, role: str) -> Interval:
        return Interval(float("-inf"), float("inf"), minus_zero=True)
