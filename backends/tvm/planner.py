"""Graph -> Plan: partition into regions, then each region to kernel calls, by template where there is one."""

from __future__ import annotations

from cnnir.diagnostics import CnnirError, Diagnostic, Label
from cnnir.ir.graph import Graph, Value
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.opaque import Opaque
from cnnir.ops.tensor import Input

from . import blocked_regions
from .algorithm import Choose
from .context import Context
from .kernels.blocked import blocked_shape
from .kernels.layout import pack_kernel, unpack_kernel
from .parts import reads
from .plain import has_rule
from .plain_regions import plan_plain
from .plan import Buffer, Convert, Layout, Plan, Values
from .regions import Fusion, Kernels, partition


def plan(graph: Graph, kind: str, lanes: int, fusion: Fusion, choose: Choose) -> Plan:
    """The kernel calls of a network for a target kind (`llvm` or `cuda`) with vectors of `lanes` floats.

    `choose` picks the algorithm of a convolution, which is asked on `llvm` alone.

    On `cuda` every region is plain and pools stay kernels of their own: dlight schedules one reduction a kernel.
    """
    _require_rules(graph)
    result = Plan()
    context = Context(graph, kind, lanes, result, Values({}), choose)
    context.values = Values(_conversions(context))
    templates = kind == "llvm"
    for name, t in graph.inputs.items():
        buffer = Buffer(f"x{len(result.inputs)}", t.shape, str(t.numpy))
        result.inputs[name] = buffer
        context.values.put(Value(name), "plain", buffer)
    kernels = Kernels(
        takes_steps=lambda layer: not (templates and blocked_regions.has_template(graph, layer)) or blocked_regions.takes_steps(layer),
        takes_pool=lambda anchor, pool: templates and blocked_regions.takes_pool(context, anchor, pool),
        reads=reads,
    )
    for region in partition(graph, fusion, kernels):
        if templates and blocked_regions.has_template(graph, graph[region.anchor]):
            blocked_regions.plan_blocked(context, region)
        else:
            plan_plain(context, region)
    for name, value in graph.results.items():
        result.outputs[name] = context.operand(value, "plain")
    return result


def _require_rules(graph: Graph) -> None:
    """Raise CnnirError with one diagnostic that names every layer that no kernel can be made of."""
    strange = [layer for layer in graph.layers() if not (isinstance(layer.op, Elementwise | Input) or has_rule(layer.op))]
    stored = [layer for layer in graph.layers() if any(t.dtype.startswith("f8") for t in layer.outputs)]
    found = [*strange, *(layer for layer in stored if layer not in strange)]
    if not found:
        return
    spans = [(layer, layer.origin.span) for layer in found[:20]]
    labels = [Label(span, f"`{layer.name}`", primary=i == 0) for i, (layer, span) in enumerate(spans) if span is not None]
    listing = ", ".join(f"`{layer.name}`" for layer in found)
    reasons = dict.fromkeys(f"`{layer.op.kind}`: {layer.op.reason}" for layer in found if isinstance(layer.op, Opaque) and layer.op.reason)
    count = f"{len(found)} layer{'s' * (len(found) > 1)}"
    raise CnnirError(
        Diagnostic(
            "C0512",
            f"{count} cannot be compiled: {listing}",
            tuple(labels),
            tuple(reasons)[:20],
            "`cnnir.evaluate` runs what has a meaning",
        )
    )


def _conversions(context: Context) -> dict[tuple[Layout, Layout], Convert]:
    lanes = context.lanes

    def to_blocked(value: Value, source: Buffer) -> Buffer:
        N, C, H, W = context.graph.type(value).shape
        shape = (N, C, H, W)
        return context.call(("pack", shape, lanes), lambda n: pack_kernel(shape, n, lanes), [source], blocked_shape(shape, lanes))

    def to_plain(value: Value, source: Buffer) -> Buffer:
        N, C, H, W = context.graph.type(value).shape
        shape = (N, C, H, W)
        return context.call(("unpack", shape, lanes), lambda n: unpack_kernel(shape, n, lanes), [source], shape)

    return {("plain", "blocked"): to_blocked, ("blocked", "plain"): to_plain}
