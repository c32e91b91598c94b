"""The NumPy reference: every layer by its own declared meaning. Plain, and the oracle for everything else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cnnir.ir.graph import Graph, Value
from cnnir.ops.tensor import Input

Array = np.ndarray[Any, Any]


def evaluate(graph: Graph, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Output name -> array. Values are dropped after their last use."""
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
