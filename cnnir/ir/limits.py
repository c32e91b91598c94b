"""Networks that no machine, or not this one, can hold: refused with numbers before anything is allocated."""

from __future__ import annotations

import math

from cnnir.diagnostics import CnnirError, Diagnostic, Label
from cnnir.memory import memory

from .graph import Graph, Layer

MAX_ELEMENTS = 2**31 - 1
"""Elements of one tensor: kernels count them in 32 bits."""


def refuse_too_large(graph: Graph, available: int | None = None) -> None:
    """Raise CnnirError at the layer with a tensor or weight that is too large, or where all of them together are.

    The weights are counted once and the tensors at the layer where most are needed: a lower bound of what a run takes.
    """
    for layer in graph.layers():
        _check_layer(graph, layer)
    keys = {key: layer for layer in graph.layers() for _, key in layer.weights}
    weights = sum(math.prod(graph.weights.shape(k)) * graph.weights.dtype(k).itemsize for k in keys)
    at, tensors = _largest(graph)
    available = memory() if available is None else available
    if at is not None and weights + tensors > available:
        numbers = f"{_size(weights)} of weights, and {_size(tensors)} of tensors here; this machine has {_size(available)}"
        raise _refusal("C0513", "the network is too large for this machine's memory", at, numbers)


def _check_layer(graph: Graph, layer: Layer) -> None:
    for t in layer.outputs:
        if t.elements > MAX_ELEMENTS:
            raise _refusal(
                "C0514", "a tensor is too large to compile", layer, f"{t} has {t.elements:,} of at most {MAX_ELEMENTS:,} elements"
            )
    for role, key in layer.weights:
        shape = graph.weights.shape(key)
        if math.prod(shape) > MAX_ELEMENTS:
            numbers = f"its {role} {list(shape)} has {math.prod(shape):,} of at most {MAX_ELEMENTS:,} elements"
            raise _refusal("C0514", "a weight is too large to compile", layer, numbers)


def _largest(graph: Graph) -> tuple[Layer | None, int]:
    """The layer whose inputs and outputs take most memory together, and how much."""
    sizes = [(sum(graph.type(v).bytes for v in set(graph.data(n.name))) + sum(t.bytes for t in n.outputs), n) for n in graph.layers()]
    size, layer = max(sizes, key=lambda each: each[0], default=(0, None))
    return layer, size


def _refusal(code: str, message: str, layer: Layer, numbers: str) -> CnnirError:
    labels = (Label(layer.origin.span),) if layer.origin.span else ()
    return CnnirError(Diagnostic(code, f"{message}: `{layer.name}`", labels, (numbers,)))


def _size(count: int) -> str:
    return f"{count / 2**30:,.2f} GiB"
