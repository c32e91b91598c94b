"""What rewrites of sites are made of: lifting a pool over a region, and making twins of layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cnnir.diagnostics import OpError
from cnnir.ir.graph import Graph, Layer, Use, Value
from cnnir.ops.base import Op
from cnnir.ops.pooling import Pooling

from .region import Region, entries, regions_down_from
from .site import PoolSite
from .surroundings import Surroundings


def lift(around: Surroundings, site: PoolSite, pool: Pooling, law: str | None) -> None:
    """Before: data -> region -> pool -> readers. After: data -> pool -> region -> readers, layers keeping their names."""
    graph = around.graph
    pooled, result, data = Value(site.pool.name), site.region.result, site.region.data
    reads = entries(graph, site.region)
    graph.replace_uses(pooled, result)
    for use in reads:
        graph.connect(use, pooled)
    graph.connect(Use(site.pool.name, 0), data)
    graph.revise(site.pool.name, op=pool, made_by=law)
    for name in site.region.names:
        graph.revise(name, made_by=law)
    around.exchanged([site.pool.name, *site.region.names])


def sinkable(around: Surroundings, pool: Layer) -> list[Region]:
    """Regions that read the pool alone and would be well typed in front of it, from the largest to the smallest.

    A layer may not want as many elements (scales along a pooled axis), and a pool not what a region makes (truth values).
    """
    regions = regions_down_from(around.graph, Value(pool.name), around.order)
    return [region for region in regions if _well_typed(around.graph, pool, region)]


def _well_typed(graph: Graph, pool: Layer, region: Region) -> bool:
    (data,) = graph.data(pool.name)
    known = {region.data: graph.type(data)}
    try:
        for layer in region.layers:
            (known[Value(layer.name)],) = layer.op.infer([known[v] for v in graph.data(layer.name)])
        pool.op.infer([known[region.result]])
    except OpError:
        return False
    return True


def sink(around: Surroundings, pool: Layer, region: Region, op: Pooling) -> PoolSite:
    """The inverse of `lift`: data -> pool -> region -> readers becomes data -> region -> pool -> readers. Gives the site there."""
    graph = around.graph
    pooled, (data,) = Value(pool.name), graph.data(pool.name)
    reads = entries(graph, region)
    graph.replace_uses(region.result, pooled)
    for use in reads:
        graph.connect(use, data)
    graph.connect(Use(pool.name, 0), region.result)
    for name in region.names:
        graph.revise(name)
    graph.revise(pool.name, op=op)
    around.exchanged([*region.names, pool.name])
    layers = tuple(graph[name] for name in region.names)
    return PoolSite(graph, graph[pool.name], replace(region, data=data, layers=layers), around)


def swap(around: Surroundings, behind: str, front: str, law: str | None) -> None:
    """Before: x -> behind -> front -> readers. After: x -> front -> behind -> readers, for two layers of one input."""
    graph = around.graph
    data = graph.data(behind)[0]
    graph.replace_uses(Value(front), Value(behind))
    graph.connect(Use(behind, 0), Value(front))
    graph.connect(Use(front, 0), data)
    graph.revise(front, made_by=law)
    graph.revise(behind, made_by=law)
    around.exchanged([front, behind])


def added(
    around: Surroundings, op: Op, inputs: list[Value], like: Layer, law: str, weights: Mapping[str, str] | None = None, stem: str = ""
) -> Value:
    """A new layer made by `law`, that comes right after `like` and originates where it does; `stem` is what its name begins with."""
    graph = around.graph
    name = graph.fresh(stem or op.name)
    value = graph.add(op, inputs, name=name, weights=weights, origin=replace(like.origin, made_by=law))
    around.inserted(name, after=like.name)
    return value


def twin(around: Surroundings, region: Region, data: Value, law: str) -> Value:
    """A second copy of the region that reads `data`; weights are shared. Returns its result."""
    graph = around.graph
    values = {region.data: data}
    for layer in region.layers:
        inputs = [values[v] for v in graph.data(layer.name)]
        values[Value(layer.name)] = added(around, layer.op, inputs, layer, law, dict(layer.weights))
    return values[region.result]


def take_over(graph: Graph, old: Value, new: Value, but: str) -> None:
    """Everyone who reads `old` reads `new`, except the layer `but` that makes `new` of `old`."""
    kept = [use for use in graph.uses(old) if use.layer == but]
    graph.replace_uses(old, new)
    for use in kept:
        graph.connect(use, old)
