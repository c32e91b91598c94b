"""Max and min pools as cascades: two pools into one, one pool out of its sibling, one pool into a pool an axis.

    fuse        pool2(pool1(x)) = pool(x), wherever the law *cascade* is proved; placement does it where that is cheaper
    split       pools of 5, 9 and 13 on one value: 5, then 5 of that, then 5 of that
    separate    a pool of k x k: 1 x k, then k x 1

`split` and `separate` are the law read backwards, and ask for the same premise: window by window the same elements. They do it
where it saves comparisons, counted as the kernels make them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from cnnir.decisions import Certificate, Decision, Optimized, Site, Verdict
from cnnir.diagnostics import OpError
from cnnir.facts.fact import Grade
from cnnir.ir.graph import Graph, Layer, Use, Value
from cnnir.ir.text import spell
from cnnir.ir.verify import verify
from cnnir.ops.pooling import ExtremePool, Pooling
from cnnir.ops.window import axis_pads
from cnnir.types import TensorType

from .laws.cascade import Cascade, both_starts, odd_one, tells_order
from .laws.rule import Pair, Proof
from .laws.work import comparisons
from .rewrites import added
from .surroundings import Surroundings
from .terms import Terms

Mode = Literal["fuse", "split", "separate"]
LAW = Cascade()


@dataclass(frozen=True)
class CascadePass:
    """`cascade` as a pass of a pipeline: its options are the fields."""

    mode: Mode = "fuse"

    def __call__(self, graph: Graph) -> Graph:
        """The network with its pools in another form, to the bit the same."""
        return self.decide(graph).graph

    def decide(self, graph: Graph) -> Optimized:
        """As calling it, with the decisions."""
        result = graph.copy()
        around = Surroundings(result)
        modes: dict[Mode, Callable[[Surroundings], Iterator[Decision]]] = {"fuse": fuse, "split": split, "separate": separate}
        decisions = tuple(modes[self.mode](around))
        verify(result)
        return Optimized(result, decisions)


def fuse(around: Surroundings) -> Iterator[Decision]:
    """Two pools into one, until there are no two."""
    graph = around.graph
    for name in [layer.name for layer in graph.layers() if isinstance(layer.op, Pooling)]:
        while LAW.about(first := graph[graph.data(name)[0].layer]):
            pair = Pair(around, first, graph[name], Terms())
            answer = LAW.check(pair)
            if not isinstance(answer, Proof):
                yield _decision((first.name,), pair.pool, "refused", answer.reason, condition=answer.condition)
                break
            LAW.rewrite(pair)
            yield _decision((first.name,), graph[name], "moved", f"both are `{spell(graph[name].op)}`", answer.certificate)


def split(around: Surroundings) -> Iterator[Decision]:
    """Of pools that read one value, each from the smaller one that leaves it least to do."""
    graph = around.graph
    for value in [value for layer in graph.layers() for value in graph.values(layer.name)]:
        readers = [graph[use.layer] for use in graph.uses(value)]
        pools = sorted((p for p in readers if _slides(p)), key=lambda p: (math.prod(_op(p).kernel), around.order[p.name]))
        written = {pool.name: _op(pool) for pool in pools}
        for place, pool in enumerate(pools):
            rests = [(rest, p) for p in pools[:place] if (rest := _rest(written[p.name], _op(pool), graph.type(value)))]
            if rests:
                yield _derived(around, value, pool, *min(rests, key=lambda found: comparisons(found[0], found[1].type)))


def _derived(around: Surroundings, value: Value, pool: Layer, rest: ExtremePool, smaller: Layer) -> Decision:
    before, after = comparisons(_op(pool), around.graph.type(value)), comparisons(rest, smaller.type)
    if after >= before:
        return _decision((smaller.name,), pool, "kept", f"saves nothing: {before} comparisons before, {after} after")
    teller = tells_order(around, pool.name, value)
    if teller is not None:
        return _unordered((smaller.name,), pool, teller)
    around.graph.connect(Use(pool.name, 0), Value(smaller.name))
    around.graph.revise(pool.name, op=rest, made_by=LAW.name)
    reason = f"`{spell(_op(pool))}` is `{spell(rest)}` behind `{smaller.name}`; {before} comparisons before, {after} after"
    return _decision((smaller.name,), pool, "moved", reason, _certificate(rest))


def _rest(smaller: ExtremePool, whole: ExtremePool, data: TensorType) -> ExtremePool | None:
    """The pool that makes `whole` of what `smaller` gives; None where there is none."""
    if smaller.reduce != whole.reduce or both_starts(smaller, whole) != whole.start:
        return None
    middle, outputs = smaller.infer([data])[0], whole.infer([data])[0].spatial
    axes = [_rest_axis(smaller, whole, i, middle.spatial[i], outputs[i]) for i in range(len(outputs))]
    kernel, stride, begin, end = zip(*axes, strict=True)
    if min(*kernel, *stride) < 1 or min(*begin, *end) < 0:
        return None
    rest = replace(whole, kernel=kernel, stride=stride, pad=(*begin, *end), dilation=(1,) * len(kernel), ceil=False)
    try:
        windows = zip(smaller.windows(data), rest.windows(middle), whole.windows(data), strict=True)
        same = rest.infer([middle])[0].spatial == outputs and all(odd_one(*each) is None for each in windows)
    except OpError:  # windows of padding alone
        return None
    return rest if same else None


def _rest_axis(smaller: ExtremePool, whole: ExtremePool, i: int, length: int, outputs: int) -> tuple[int, int, int, int]:
    """Kernel, stride and pads that the closed form of the law makes `whole` of, if anything does."""
    step, spread = smaller.stride[i], [(op.kernel[i] - 1) * op.dilation[i] for op in (smaller, whole)]
    kernel, stride = (spread[1] - spread[0]) // step + 1, whole.stride[i] // step
    begin = (axis_pads(whole.pad, i)[0] - axis_pads(smaller.pad, i)[0]) // step
    return kernel, stride, begin, max(0, (outputs - 1) * stride + kernel - length - begin)


def separate(around: Surroundings) -> Iterator[Decision]:
    """One pool an axis, the axis that leaves least first."""
    for pool in list(around.graph.layers()):
        if _slides(pool):
            yield from _separated(around, pool)


def _separated(around: Surroundings, pool: Layer) -> Iterator[Decision]:
    graph, op = around.graph, _op(pool)
    data = graph.data(pool.name)[0]
    parts = _parts(op, graph.type(data))
    if parts is None:
        return
    types = [graph.type(data)]
    for part in parts:
        types.append(part.infer([types[-1]])[0])
    before = comparisons(op, types[0])
    after = sum(comparisons(part, t) for part, t in zip(parts, types, strict=False))
    if after >= before:
        yield _decision((), pool, "kept", f"saves nothing: {before} comparisons before, {after} after")
        return
    teller = tells_order(around, pool.name, data)
    if teller is not None:
        yield _unordered((), pool, teller)
        return
    for part in parts[:-1]:
        data = added(around, part, [data], graph[data.layer], LAW.name, stem=pool.name)
    graph.connect(Use(pool.name, 0), data)
    graph.revise(pool.name, op=parts[-1], made_by=LAW.name)
    reason = f"`{spell(op)}` is {', then '.join(f'`{spell(part)}`' for part in parts)}; {before} comparisons before, {after} after"
    yield _decision((), pool, "moved", reason, _certificate(op))


def _parts(op: ExtremePool, data: TensorType) -> list[ExtremePool] | None:
    """The pool along each of its axes, the one that leaves least first; with it go axes on which windows are single elements."""
    outputs = op.infer([data])[0].spatial
    first, *others = sorted(range(len(op.kernel)), key=lambda i: (op.kernel[i] == 1, outputs[i] / data.spatial[i]))
    wide = [i for i in others if op.kernel[i] > 1]
    parts = [_along(op, {first, *others} - {*wide}), *(_along(op, {i}) for i in wide)]
    try:
        for part in parts:
            (data,) = part.infer([data])
    except OpError:  # a window of padding alone, which dilation or ceil mode of another axis had excused
        return None
    return parts if wide else None


def _along(op: ExtremePool, axes: set[int]) -> ExtremePool:
    """The part of a pool along some axes: windows of one element on the others."""

    def there(values: tuple[int, ...], otherwise: int) -> tuple[int, ...]:
        return tuple(v if i % len(op.kernel) in axes else otherwise for i, v in enumerate(values))

    return replace(op, kernel=there(op.kernel, 1), stride=there(op.stride, 1), pad=there(op.pad, 0), dilation=there(op.dilation, 1))


def _slides(layer: Layer) -> bool:
    return isinstance(layer.op, ExtremePool)


def _op(layer: Layer) -> ExtremePool:
    assert isinstance(layer.op, ExtremePool)
    return layer.op


def _certificate(op: Pooling) -> Certificate:
    return Certificate(LAW.name, {"windows": f"those of `{spell(op)}`"}, ("same windows", "zero sign"), Grade.E.name)


def _unordered(others: tuple[str, ...], pool: Layer, teller: str) -> Decision:
    reason = f"`{teller}` tells -0 from +0, and the pools may give either, depending on the order"
    return _decision(others, pool, "refused", reason, condition="zero sign")


def _decision(
    others: tuple[str, ...], pool: Layer, verdict: Verdict, reason: str, certificate: Certificate | None = None, condition: str = ""
) -> Decision:
    return Decision(Site(pool.name, others, pool.origin.span), LAW.name, verdict, reason, certificate, condition=condition)
