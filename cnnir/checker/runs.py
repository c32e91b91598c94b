"""Running a network before and after its moves on the same data: equal bits where every move is exact, within its bound elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnir.ir.graph import Graph, Value
from cnnir.ops.pooling import Pooling
from cnnir.ops.tensor import Input

from .check import Step
from .windows import members

Array = np.ndarray[Any, Any]
Feeds = Mapping[str, Array]
Program = Callable[[Feeds], Mapping[str, Array]]
Runner = Callable[[Graph], Program]
"""Makes something that runs of a network."""
SHOWN = 64
"""Elements of a window that are shown."""


@dataclass(frozen=True)
class Mismatch:
    """Data on which the networks answer differently by more than they may."""

    where: str
    """The site, or the output of the network where no site is at fault by itself."""
    index: tuple[int, ...]
    before: float
    after: float
    allowed: float
    data: str
    """Which data they were,"""
    window: tuple[float, ...] = ()
    """and of a site, what the region reads of the window."""

    def __str__(self) -> str:
        shown = f", for the window [{', '.join(f'{v:.9g}' for v in self.window)}]" if self.window else ""
        return f"{self.where} at {list(self.index)}: {self.before!r} before, {self.after!r} after{shown} ({self.data})"


@dataclass(frozen=True)
class Runs:
    """What became of the runs by one runner."""

    runner: str
    compared: int
    skipped: int
    """Data that break the contract: something that a region reads is not finite."""
    mismatch: Mismatch | None = None


def compare(
    name: str,
    runner: Runner,
    before: Graph,
    after: Graph,
    steps: Sequence[Step],
    data: Iterable[tuple[str, Feeds]],
    finite: Sequence[Value] | None = None,
) -> Runs:
    """Run both networks on all data, up to the first mismatch; `steps` are the moves, for finding the one at fault.

    Data on which the values `finite` of `before` are not finite are left out; without it these are what moved regions read.
    """
    exact = all(_exact(step) for step in steps)
    sides = (runner(before), runner(after)) if exact else None
    reads = runner(_showing(before, _reads(before, steps) if finite is None else finite))
    pairs: list[tuple[Step, Program, Program]] = []
    compared = skipped = 0
    for words, feeds in data:
        with np.errstate(all="ignore"):
            if not all(_finite(array) for array in reads(feeds).values()):
                skipped += 1
                continue
            compared += 1
            found = _outputs_differ(*sides, feeds, words) if sides else None
            if found is not None or not exact:
                pairs = pairs or [(s, runner(_showing(s.before, [s.was])), runner(_showing(s.after, [s.now]))) for s in steps]
                found = _site_differs(pairs, feeds, words) or found
        if found is not None:
            return Runs(name, compared, skipped, found)
    return Runs(name, compared, skipped)


def _exact(step: Step) -> bool:
    certificate = step.decision.certificate
    return certificate is not None and certificate.float_class != "U"


def _reads(graph: Graph, steps: Sequence[Step]) -> list[Value]:
    """What the moved regions read, as far as the network before the moves has it."""
    inside = {name for step in steps for name in step.decision.site.region if name in graph}
    return list(dict.fromkeys(v for name in inside for v in graph.data(name) if v.layer not in inside))


def _showing(graph: Graph, values: Sequence[Value]) -> Graph:
    """The part of a network that these values need, with them as its outputs."""
    part = graph.copy()
    part.results = {f"value{i}": value for i, value in enumerate(values)}
    live = part.live()
    for layer in reversed(list(part.layers())):
        if layer.name not in live and not isinstance(layer.op, Input):
            part.remove(layer.name)
    return part


def _finite(array: Array) -> bool:
    return array.dtype.kind in "iub" or bool(np.isfinite(array.astype(np.float64)).all())


def apart(before: Array, after: Array, allowed: float) -> Array:
    """Where two arrays differ by more than is allowed: zeros of both signs are equal, and so are NaN and NaN."""
    wide = [a.astype(np.float64) for a in (before, after)]
    same = (before == after) | (np.isnan(wide[0]) & np.isnan(wide[1]))
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.abs(wide[0] - wide[1])
    return ~same & ~(gap <= allowed)


def _outputs_differ(before: Program, after: Program, feeds: Feeds, words: str) -> Mismatch | None:
    wanted, found = before(feeds), after(feeds)
    for name, array in wanted.items():
        differ = apart(array, found[name], 0.0)
        if differ.any():
            at = tuple(int(i) for i in np.argwhere(differ)[0])
            return Mismatch(f"output `{name}`", at, float(array[at]), float(found[name][at]), 0.0, words)
    return None


def _site_differs(pairs: Sequence[tuple[Step, Program, Program]], feeds: Feeds, words: str) -> Mismatch | None:
    """The first move behind which the values differ by more than it may make them."""
    for step, was, now in pairs:
        (wanted,), (found,) = was(feeds).values(), now(feeds).values()
        certificate = step.decision.certificate
        allowed = 0.0 if _exact(step) or certificate is None else certificate.bound or 0.0
        differ = apart(wanted, found, allowed)
        if differ.any():
            at = tuple(int(i) for i in np.argwhere(differ)[0])
            window = _window(step, at, feeds)
            return Mismatch(str(step.decision.site), at, float(wanted[at]), float(found[at]), allowed, words, window)
    return None


def _window(step: Step, at: tuple[int, ...], feeds: Feeds) -> tuple[float, ...]:
    """What the region reads of the window of an element of the pool's result."""
    graph, region = step.after if step.decision.site.behind else step.before, step.decision.site.region
    outside = {v for n in region for v in graph.data(n) if v.layer not in region}
    pool = graph[step.decision.site.pool].op
    if len(outside) != 1 or not isinstance(pool, Pooling):
        return ()
    data = _by_meaning(_showing(graph, list(outside)), feeds)
    if data.ndim != len(at) or data.shape[:2] != graph.type(graph.data(step.decision.site.pool)[0]).shape[:2]:
        return ()
    axes = [each[i] for each, i in zip(members(pool, graph.type(outside.pop())), at[2:], strict=True)]
    return tuple(float(v) for v in data[at[:2]][np.ix_(*axes)].ravel()[:SHOWN])


def _by_meaning(graph: Graph, feeds: Feeds) -> Array:
    """The one output of a network by its ops' own meaning."""
    values: dict[Value, Array] = {}
    for layer in graph.layers():
        if isinstance(layer.op, Input):
            values[Value(layer.name)] = np.asarray(feeds[layer.name], layer.type.numpy)
            continue
        made = layer.op.evaluate([values[v] for v in graph.data(layer.name)], graph.parameters(layer.name))
        values |= {Value(layer.name, slot): array for slot, array in enumerate(made)}
    (result,) = graph.results.values()
    return values[result]
