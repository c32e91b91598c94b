"""Two max or min pools that have become one: the elements of every window, through both and through the one, enumerated."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cnnir.decisions import Decision
from cnnir.diagnostics import OpError
from cnnir.ir.graph import Graph
from cnnir.ops.pooling import Pooling
from cnnir.types import TensorType

from .conditions import Place, tells_zeros_apart
from .report import Check, confirmed, refuted, unconfirmed
from .windows import dual_of, kind_of, members, start_of


def check(place: Place, after: Graph) -> Iterator[Check]:
    """Everything about a move by the law cascade, on the network with both pools; `after` has the one, if they were moved."""
    (name,) = place.region
    first, second, data = place.graph[name].op, place.pool, place.graph.type(place.graph.data(name)[0])
    assert isinstance(first, Pooling)
    became = after[place.decision.site.pool].op if place.decision.verdict == "moved" else composed(first, second, place.graph, name)
    if not isinstance(became, Pooling):
        yield unconfirmed("same windows", "the checker cannot say which pool both would be")
        return
    one: Pooling = became
    others = {use.layer for use in place.graph.readers(place.graph.data(place.decision.site.pool)[0])} - {place.decision.site.pool}
    yield confirmed("private") if not others else refuted("private", f"`{name}` is also read by `{min(others)}`")
    kinds = {kind_of(op) for op in (first, second, one)}
    yield confirmed("kind of pool") if len(kinds) == 1 and kinds <= {"max", "min"} else refuted("kind of pool", f"{sorted(kinds)}")
    odd = difference(first, second, one, data)
    yield confirmed("same windows") if odd is None else refuted("same windows", odd)
    teller = tells_zeros_apart(place.graph, sorted(place.graph.descendants(place.decision.site.pool)), place.ranges)
    yield confirmed("zero sign") if teller is None else unconfirmed("zero sign", f"`{teller}` may tell -0 from +0")


def difference(first: Pooling, second: Pooling, one: Pooling, data: TensorType) -> str | None:
    """Where two pools take other elements than one pool; None where they never do."""
    starts = [start_of(op) for op in (first, second)]
    expected = max(starts) if kind_of(second) == "max" else min(starts)
    if start_of(one) != expected:
        return f"they start from {expected}, the one from {start_of(one)}"
    inner, outer, whole = members(first, data), members(second, first.infer([data])[0]), members(one, data)
    for axis, windows in enumerate(zip(inner, outer, whole, strict=True)):
        through = [sorted({e for t in each for e in windows[0][t]}) for each in windows[1]]
        if through != [sorted(set(each)) for each in windows[2]]:
            return f"on spatial axis {axis} the windows hold other elements"
        if math.isfinite(starts[0]) and not all(windows[1]):
            return f"a window on spatial axis {axis} never hears of the number that the first pool starts from"
    return None


def op_then(before: Graph, decisions: Sequence[Decision], name: str) -> Pooling | None:
    """What a pool of the network as written has become by these decisions; None where that cannot be told."""
    if name not in before or not isinstance(before[name].op, Pooling):
        return None
    found: Any = before[name].op
    for decision in decisions:
        if decision.verdict != "moved" or decision.site.pool != name or found is None:
            continue
        if decision.law == "down":
            found = dual_of(found)
        elif decision.law == "cascade":
            place = decisions.index(decision)
            first = op_then(before, decisions[:place], decision.site.region[0])
            found = first and composed(first, found, before, decision.site.region[0])
        elif decision.law == "absorb":
            return None
    return found


def composed(first: Pooling, second: Pooling, before: Graph, name: str) -> Pooling | None:
    """Two pools as one, by the closed form: spatial sizes in front of a pool do not change when layers pass it."""
    data = before.type(before.data(name)[0])
    if first.name.startswith("global_") or second.name.startswith("global_"):
        return second if second.name.startswith("global_") else first
    a, b = first.attributes(), second.attributes()
    if "kernel" not in a or "kernel" not in b:
        return None
    try:
        outputs = second.infer([first.infer([data])[0]])[0].spatial
    except OpError:
        return None
    axes = [_axis(a, b, i, n, outputs[i]) for i, n in enumerate(data.spatial)]
    kernel, stride, begin, end, dilation = (tuple(values) for values in zip(*axes, strict=True))
    starts = [start_of(op) for op in (first, second)]
    start = max(starts) if kind_of(second) == "max" else min(starts)
    return _replaced(second, kernel=kernel, stride=stride, pad=(*begin, *end), dilation=dilation, ceil=False, start=start)


def _replaced(pool: Any, **attributes: object) -> Pooling:
    return replace(pool, **attributes)


def _axis(a: Any, b: Any, i: int, length: int, outputs: int) -> tuple[int, int, int, int, int]:
    """Kernel, stride, begin pad, end pad and dilation on one axis."""
    axes, step = len(a["kernel"]), a["stride"][i]
    offsets = {p * b["dilation"][i] * step + q * a["dilation"][i] for p in range(b["kernel"][i]) for q in range(a["kernel"][i])}
    last, dilation = max(offsets), int(np.gcd.reduce(sorted(offsets))) or 1
    stride, begin = step * b["stride"][i], a["pad"][i] + step * b["pad"][i]
    end = a["pad"][axes + i] + step * b["pad"][axes + i]
    if (length + begin + end - last - 1) // stride + 1 != outputs:
        end = max(0, (outputs - 1) * stride + last + 1 - length - begin)
    return last // dilation + 1, stride, begin, end, dilation
