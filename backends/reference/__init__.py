"""The NumPy reference: every layer by its own declared meaning. Plain, and the oracle for everything else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cnnir.diagnostics import CnnirError, Diagnostic, Label
from cnnir.ir.graph import Graph, Value
from cnnir.ops.opaque import Opaque
from cnnir.ops.tensor import Input

Array = np.ndarray[Any, Any]


def evaluate(graph: Graph, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Output name -> array. Values are dropped after their last use. Raises CnnirError where nodes are opaque, naming them all."""
    _refuse_opaque(graph)
    values: dict[Value, Array] = {}
    left = {v: len(graph.uses(v)) for layer in graph.layers() for v in graph.values(layer.name)}
    for layer in graph.layers():
        if isinstance(layer.op, Input):
            values[Value(layer.name)] = np.asarray(feeds[layer.name], layer.type.numpy)
            continue
        operands = graph.data(layer.name)
        with np.errstate(all="ignore"):  # infinities and NaN are values like others
            arrays = layer.op.evaluate([values[v] for v in operands], graph.parameters(layer.name))
        for slot, array in enumerate(arrays):
            values[Value(layer.name, slot)] = array
        for value in operands:
            left[value] -= 1
            if left[value] == 0 and not graph.is_output(value):
                values.pop(value, None)
    return {name: values[value] for name, value in graph.results.items()}


def _refuse_opaque(graph: Graph) -> None:
    found = [(layer, layer.op) for layer in graph.layers() if isinstance(layer.op, Opaque)]
    if not found:
        return
    spans = [(op.kind, layer.origin.span) for layer, op in found[:20]]
    labels = tuple(Label(span, f"`{kind}`", primary=i == 0) for i, (kind, span) in enumerate(spans) if span is not None)
    listing = ", ".join(f"`{layer.name}` ({op.kind})" for layer, op in found)
    reasons = dict.fromkeys(f"`{op.kind}`: {op.reason}" for _, op in found if op.reason)
    raise CnnirError(Diagnostic("C0604", f"nothing is known of {len(found)} layers: {listing}", labels, tuple(reasons)[:20]))
