"""One sweep: a formula as compiled, held to a direction on every input, with the bound that is right where it fails.

Every direction is a valley in some sense: *up* turns at its lower end, *down* at its upper end, a peak is -f. So let
f be the compiled code, m a number where it should turn, and

    D = max of f(q) - f(p) over p <= q <= m     how far f rises above its running minimum left of m,
    U = max of f(p) - f(q) over m <= p <= q     how far it falls below its running maximum right of m.

**Bound.** For every window W with least element a and greatest element b, max f(a), f(b) <= max_W f <= max(f(a), f(b)) + max(D, U).

Proof. a and b are elements of W: that is the first inequality. Let x be in W. If x <= m then a <= x <= m, and
f(x) <= f(a) + D. If x >= m then m <= x <= b, and f(x) <= f(b) + U. QED. It holds whatever m is, so a badly chosen m costs
tightness and nothing else; the least value in the interval in which the real function turns is a good one. With m at the lower
end it reads max_W f <= f(b) + U, the law *up*; with m at the upper end it is *down*. A pool may take either zero for the
other, which costs another |f(-0) - f(+0)|. Inputs whose value is NaN are violations, and no part of the bound.
"""

from __future__ import annotations

import math
import time
from functools import reduce

import numpy as np

from cnnir.facts.evidence import Swept
from cnnir.facts.lattice import Direction
from cnnir.scalar.expr import Expr

from ..targets import TargetSpec
from .code import Code, compile_formula
from .environment import Environment
from .order import Order
from .scan import Step, scan, silent
from .summary import Summary, fall, hull, summarize

Array = np.ndarray


def sweep(
    expr: Expr, direction: Direction, dtype: str, spec: TargetSpec, lo: float = -math.inf, hi: float = math.inf, step: Step = silent
) -> Swept:
    """Run `expr`, a formula of Var(0), on every number of `dtype` in [lo, hi], and hold its values to `direction`.

    `step` hears of every chunk of inputs that is done with. Raises CnnirError (exit code 3) where the target cannot run here.
    """
    began = time.perf_counter()
    code = compile_formula(expr, dtype, spec)
    order = Order(code.precision)
    start, stop = order.span(lo, hi)
    if start >= stop:
        raise ValueError(f"there is no {dtype} number in [{lo}, {hi}]")
    runs = _in_order(code, order, direction.within(lo, hi), (start, stop), step)
    zeros = _zeros(code, order) if start < order.zero < stop else (0.0, 0.0)
    agree = zeros[0] == zeros[1] or any(map(math.isnan, zeros))
    broken = hull(*(r.fell for r in runs), None if agree else (order.zero - 1, order.zero))
    missed = hull(*(r.missed for r in runs))
    environment = Environment.examined(spec)
    return Swept(
        direction=direction,
        dtype=dtype,
        target=environment.target,
        lo=order.number(start) + 0.0,  # zero is +0, as in intervals
        hi=order.number(stop - 1) + 0.0,
        inputs=stop - start,
        violations=sum(r.falls + r.missing for r in runs) + (not agree),
        first=broken and (order.number(broken[0]), order.number(broken[0] + 1)),
        last=order.number(broken[1]) if broken else None,
        bound=max(r.depth for r in runs) + (0.0 if agree else fall(max(zeros), min(zeros))),
        nan=missed and (order.number(missed[0]), order.number(missed[1])),
        zeros_agree=agree,
        versions=environment.versions_of(expr),
        seconds=time.perf_counter() - began,
    )


def _in_order(code: Code, order: Order, direction: Direction, places: tuple[int, int], step: Step) -> list[Summary]:
    """What the values do left and right of where they should turn; both sides hold that place."""
    start, stop = places
    if direction.is_up or direction.is_down:
        return [_run(code, order, places, direction.is_up, step)]
    turn = direction.valley or direction.peak
    if turn is None:
        raise ValueError("there is no direction to hold the values to")
    valley = direction.valley is not None
    lowest = _lowest(code, order, sorted((turn.until, turn.since)), places, valley, step)
    sides = [((start, lowest + 1), not valley), ((lowest, stop), valley)]
    return [_run(code, order, side, rises, step) for side, rises in sides]


def _run(code: Code, order: Order, places: tuple[int, int], rises: bool, step: Step) -> Summary:
    parts = scan(code, *places, lambda values, start: summarize(values, start, rises), step)
    return reduce(lambda a, b: a.then(b, level=b.start == order.zero), parts)


def _lowest(code: Code, order: Order, turn: list[float], places: tuple[int, int], valley: bool, step: Step) -> int:
    """The place of the least value (greatest, of a peak) where the real function turns, or next to that."""
    start, stop = order.span(*turn)
    if start == stop:  # it turns between two numbers
        start, stop = start - 1, start + 1
    start, stop = max(start, places[0]), min(stop, places[1])

    def look(values: Array, first: int) -> tuple[float, int]:
        wide = np.asarray(values if valley else -values, np.float64)
        at = int(np.argmin(np.where(np.isnan(wide), np.inf, wide)))
        return float(wide[at]), first + at

    return min(scan(code, start, stop, look, step))[1]


def _zeros(code: Code, order: Order) -> tuple[float, float]:
    """f(-0) and f(+0)."""
    minus, plus = scan(code, order.zero - 1, order.zero + 1, lambda values, _start: float(values[0]))
    return minus, plus
