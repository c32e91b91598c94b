"""A digest of a network's structure and weights: iterative, and blind to the names of layers."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any, cast

from cnnir.ops.base import Op
from cnnir.ops.tensor import Input
from cnnir.scalar.expr import Expr
from cnnir.scalar.fingerprint import fingerprint as expression_fingerprint

from .graph import Graph, Layer
from .weights import Seeded, Weights


def fingerprint(graph: Graph) -> str:
    """Equal networks have equal fingerprints, in every process and on every machine; layers may be named differently.

    Weights that are drawn count by their key, others by their bytes: numbers held in memory that equal the ones a key would
    draw are another fingerprint. Layers that no output depends on do not count.
    """
    ops: dict[Op, str] = {}
    keys: dict[str, str] = {}
    known: dict[str, str] = {}
    needed = graph.live()
    for layer in graph.layers():
        if layer.name in needed:
            known[layer.name] = _layer(graph, layer, known, ops, keys)
    results = [(name, known[v.layer], v.slot) for name, v in graph.results.items()]
    inputs = [(name, str(type), [canonical(r) for r in graph.ranges[name] or ()]) for name, type in graph.inputs.items()]
    return _digest(inputs, results, len(known))


def _layer(graph: Graph, layer: Layer, known: dict[str, str], ops: dict[Op, str], keys: dict[str, str]) -> str:
    if layer.op not in ops:
        fields = [f.name for f in dataclasses.fields(layer.op) if f.compare]
        ops[layer.op] = _digest(layer.op.name, [(name, canonical(getattr(layer.op, name))) for name in fields])
    for _, key in layer.weights:
        if key not in keys:
            keys[key] = _weight(graph.weights, key)
    operands = [None if v is None else (known[v.layer], v.slot) for v in graph.operands(layer.name)]
    named = layer.name if isinstance(layer.op, Input) else ""
    return _digest(ops[layer.op], named, list(map(str, layer.outputs)), operands, sorted((role, keys[key]) for role, key in layer.weights))


def canonical(value: Any) -> Any:
    """What `==` does not tell apart is written alike: 0.0 and -0.0, 1 and 1.0."""
    if isinstance(value, Expr):
        return expression_fingerprint(value, canonical)
    if isinstance(value, int | float):
        return str(int(value)) if value == value and abs(value) != float("inf") and value == int(value) else repr(value)
    return [canonical(v) for v in cast("tuple[Any, ...]", value)] if isinstance(value, tuple) else str(value)


def _weight(weights: Weights, key: str) -> str:
    source = weights.source(key)
    if isinstance(source, Seeded):
        return _digest(source.key, repr(source.parameter))
    array = weights[key]
    return _digest(str(array.dtype), list(array.shape), hashlib.sha256(array.tobytes()).hexdigest())


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
