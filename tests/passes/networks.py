"""Small networks and adversarial data for the tests of the laws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from cnnir.backends.reference import evaluate
from cnnir.decisions import Optimized
from cnnir.facts.interval import Interval
from cnnir.facts.oracle import samples
from cnnir.facts.precision import precision
from cnnir.ir.graph import Graph, Value
from cnnir.ir.weights import Seeded
from cnnir.ops.base import Op
from cnnir.ops.elementwise import Elementwise
from cnnir.scalar.expr import Expr, X
from cnnir.types import TensorType

Array = np.ndarray[Any, Any]


def chain(
    *ops: Op,
    shape: tuple[int, ...] = (1, 2, 6, 6),
    dtype: str = "f32",
    range: tuple[float, float] | None = None,
    weights: Mapping[str, Array] = {},
) -> Graph:
    """x -> ops -> y; `weights` gives values by role, others are seeded."""
    graph = Graph()
    value = graph.add_input("x", TensorType(dtype, shape), range)
    for op in ops:
        name = graph.fresh(op.name)
        keys: dict[str, str] = {}
        for role, parameter in op.parameters([graph.type(value)]).items():
            keys[role] = f"{name}.{role}"
            graph.weights[keys[role]] = Seeded(keys[role], parameter)
            if role in weights:
                graph.weights[keys[role]] = np.broadcast_to(weights[role], parameter.shape).astype(value_dtype(dtype))
        value = graph.add(op, [value], name=name, weights=keys)
    graph.results["y"] = value
    return graph


def value_dtype(name: str) -> np.dtype[Any]:
    """The NumPy dtype of a weight."""
    return TensorType(name, ()).numpy


def formula_of(ops: tuple[Op, ...]) -> Expr:
    """The first elementwise op's formula: where its constants are, data should be."""
    return next((op.formula() for op in ops if isinstance(op, Elementwise)), X)


def adversarial(shape: tuple[int, ...], domain: Interval, formula: Expr, seed: int, dtype: str = "f32") -> Iterator[Array]:
    """Data of laws.md section 4 within a range: negative, ties, mixed zeros, one huge value, denormals, the largest numbers,
    neighbours of constants and turning points, and random."""
    rng = np.random.default_rng(seed)
    of = precision(dtype)
    grid = samples(formula, domain, of)
    turns = np.array([-1.278465, -1.192432, -0.751792, -0.752462, -0.751155, -1.5, 0.0])
    near = np.concatenate([np.nextafter(turns, s).astype(of.numpy) for s in (-9, 9)])
    near = near[(near >= domain.lo) & (near <= domain.hi)]

    def inside(values: Array) -> Array:
        return np.clip(values, domain.lo, domain.hi).astype(of.numpy)

    normal = rng.standard_normal(shape)
    yield inside(normal * 3)
    yield inside(-np.abs(normal))
    yield inside(np.full(shape, 0.7))
    yield inside(np.where(normal > 0, 0.0, -0.0))
    yield inside(np.where(rng.random(shape) < 0.05, 1e30, normal))
    yield inside(normal * 20 * of.tiny)
    yield inside(np.where(normal > 0, of.max, -of.max))
    yield rng.choice(grid, shape)
    start = int(rng.integers(0, max(1, len(grid) - 40)))
    yield rng.choice(grid[start : start + 40], shape)
    if len(near):
        yield rng.choice(near, shape)


def bits(array: Array) -> Array:
    """The bit patterns, with one zero."""
    canonical = array + np.zeros((), array.dtype)
    return canonical.view(f"u{array.dtype.itemsize}")


def difference(before: Array, after: Array) -> float:
    """The largest absolute difference; infinite where a NaN or an infinity is not matched."""
    with np.errstate(invalid="ignore"):
        gap = np.abs(before.astype(np.float64) - after.astype(np.float64))
    gap = np.where(before == after, 0.0, gap)
    return float(np.max(np.where(np.isnan(gap), np.inf, gap), initial=0.0))


def compare(graph: Graph, done: Optimized, feeds: Iterator[Array]) -> None:
    """Assert that the placed network answers as the network as written: to the bit, or within the certificate's bound.

    Data that break the contract (not finite at a site) are left out.
    """
    inexact = [d.certificate for d in done.decisions if d.verdict == "moved" and d.certificate and d.certificate.float_class == "U"]
    for data in feeds:
        if not keeps_contract(graph, done, data):
            continue
        before, after = (evaluate(g, {"x": data})["y"] for g in (graph, done.graph))
        if inexact:
            assert len(inexact) == 1 and inexact[0].bound is not None
            assert difference(before, after) <= inexact[0].bound
        else:
            assert np.array_equal(bits(before), bits(after)), (data, before, after)


def keeps_contract(graph: Graph, done: Optimized, data: Array) -> bool:
    """Whether every value that a moved region reads is finite in the network as written."""
    reads: dict[str, Value] = {}
    for decision in done.decisions:
        names = decision.site.region if decision.verdict == "moved" else ()
        reads |= {v.layer: v for name in names for v in graph.data(name) if v.layer not in names}
    inner = {name: v for name, v in reads.items() if name not in graph.inputs}
    if not inner:
        return True
    seen = graph.copy()
    seen.results = inner
    with np.errstate(all="ignore"):
        return all(bool(np.isfinite(v.astype(np.float64)).all()) for v in evaluate(seen, {"x": data}).values())
