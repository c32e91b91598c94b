"""Small networks and adversarial data for the tests of the laws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from cnnir.decisions import Optimized
from cnnir.ir.graph import Graph
from cnnir.ir.weights import Seeded
from cnnir.ops.base import Op
from cnnir.ops.elementwise import Elementwise
from cnnir.scalar.expr import Expr, X
from cnnir.testing import adversarial, assert_equivalent, bits
from cnnir.types import TensorType

__all__ = ["Array", "adversarial", "bits", "chain", "compare", "formula_of", "value_dtype"]

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
                graph.weights[keys[role]] = np.broadcast_to(weights[role], parameter.shape).astype(value_dtype(parameter.dtype))
        value = graph.add(op, [value], name=name, weights=keys)
    graph.results["y"] = value
    return graph


def value_dtype(name: str) -> np.dtype[Any]:
    """The NumPy dtype of a weight."""
    return TensorType(name, ()).numpy


def formula_of(ops: tuple[Op, ...]) -> Expr:
    """The first elementwise op's formula: where its constants are, data should be."""
    return next((op.formula() for op in ops if isinstance(op, Elementwise)), X)


def compare(graph: Graph, done: Optimized, feeds: Iterator[Array]) -> None:
    """Assert that the placed network answers as the network as written: to the bit, or within the certificate's bound.

    What a moved region reads must be finite: data that break the contract are left out.
    """
    moved = [d for d in done.decisions if d.verdict == "moved"]
    inexact = [d.certificate for d in moved if d.certificate and d.certificate.float_class == "U"]
    if len(inexact) > 1:
        return  # a bound at a site is no bound on what later sites make of it
    reads = {v.layer for d in moved for name in d.site.region for v in graph.data(name) if v.layer not in d.site.region}
    assert_equivalent(
        graph,
        done.graph,
        "ulp" if inexact else "exact",
        bound=inexact[0].bound if inexact else None,
        data=({"x": data} for data in feeds),
        finite=reads - graph.inputs.keys(),
    )
