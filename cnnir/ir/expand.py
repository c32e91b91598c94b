"""Layers written out as the layers that their ops say they are made of, for a backend that has no rule for them."""

from __future__ import annotations

from collections.abc import Callable, Collection

from cnnir.ops.base import Op

from .graph import Graph, Layer, Value


def expanded(graph: Graph, wanted: Callable[[Op], bool], but: Collection[str] = ()) -> Graph:
    """The network with every layer whose op is `wanted` written out, and what that gives too; the graph itself if there is none.

    Layers named in `but` stay what they are.
    """
    pending = [layer.name for layer in graph.layers() if layer.name not in but and wanted(layer.op)]
    if not pending:
        return graph
    result = graph.copy()
    while pending:
        pending += _write_out(result, result[pending.pop()], wanted)
    return result


def _write_out(graph: Graph, layer: Layer, wanted: Callable[[Op], bool]) -> list[str]:
    """Put other layers in the place of one, if its op has any; gives those that are to be written out in turn."""
    keys, added = dict(layer.weights), list[str]()

    def emit(op: Op, *values: Value, **weights: str) -> Value:
        own = {role: keys[of] for role, of in weights.items()}
        value = graph.add(op, list(values), name=graph.fresh(f"{layer.name}/{op.name}"), weights=own, origin=layer.origin)
        added.append(value.layer)
        return value

    data = graph.data(layer.name)
    outputs = layer.op.expand(emit, data, [graph.type(v) for v in data])
    if outputs is None:
        return []
    for old, new in zip(graph.values(layer.name), outputs, strict=True):
        graph.replace_uses(old, new)
    graph.remove(layer.name)
    return [name for name in added if wanted(graph[name].op)]
