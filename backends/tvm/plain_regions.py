"""Plans regions in plain layout: what no template takes, and everything on CUDA."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from tvm import te
from tvm.ir import Expr as PrimExpr

from cnnir.ir.graph import Graph, Value
from cnnir.ops.base import Op
from cnnir.ops.elementwise import Elementwise, align
from cnnir.ops.pooling import Pooling
from cnnir.scalar.expr import Apply, Expr, nodes

from . import plain_reductions, plain_shapes  # noqa: F401 - they register their rules
from .context import Context, step_keys
from .cuda_build import THREAD_PER_OUTPUT
from .kernels.function import OPAQUE
from .kernels.strict import strict
from .parts import parts
from .plain import compute, tables
from .plan import Buffer
from .regions import MOST_READS, Region, Step, anchor_step
from .scalar import build

if TYPE_CHECKING:
    from tvm.tirx import PrimFunc


def plan_plain(context: Context, region: Region) -> None:
    """Plan a region without a pool inside as one unscheduled function over plain tensors, or one for each of its outputs."""
    layer = context.graph[region.anchor]
    if len(layer.outputs) == 1:
        _plan_output(context, region, layer.op)
        return
    types = [context.graph.type(v) for v in context.graph.data(layer.name)]
    for value in context.graph.values(layer.name):
        if context.graph.uses(value) or context.graph.is_output(value):
            _plan_output(context, replace(region, output=value), layer.op.alone(value.slot, types))


def _plan_output(context: Context, region: Region, op: Op) -> None:
    """Plan a region with `op` at its anchor.

    Arguments: the anchor's data, weights and tables, then extras and coefficients of each step, then the output.
    """
    graph, layer = context.graph, context.graph[region.anchor]
    data = graph.data(layer.name)
    types = [graph.type(v) for v in data]
    if isinstance(op, Elementwise):
        steps = [anchor_step(graph, layer), *region.steps]
        operands = [context.operand(data[0], "plain")]
    else:
        steps = region.steps
        operands = [context.operand(v, "plain") for v in data]
        operands += [_weight(context, key) for _, key in layer.weights]
        operands += [context.constant("table", t.shape, str(t.dtype), lambda t=t: t) for t in tables(op, types)]
    out = graph.type(region.output)
    for step in steps:
        operands += [context.operand(v, "plain") for v in step.extras]
        operands += [_coefficient(context, name, role, out.rank) for name, role in step.coefficients]
    anchor = None if isinstance(op, Elementwise) else op
    key = ("plain", anchor, tuple((b.shape, b.dtype) for b in operands), step_keys(steps), out)

    def build_function(name: str) -> PrimFunc:
        return _function(name, graph, region, op, steps, operands, context.kind)

    buffer = context.call(key, build_function, operands, out.shape, str(out.numpy), region.layers, scheduled=False)
    context.values.put(region.output, "plain", buffer)


def _weight(context: Context, key: str) -> Buffer:
    weights = context.graph.weights
    return context.constant("weight", weights.shape(key), str(weights.dtype(key)), lambda: weights[key])


def _coefficient(context: Context, layer: str, role: str, rank: int) -> Buffer:
    """A coefficient with its axes placed for a value of `rank` axes, so that NumPy broadcasting applies."""
    t, written = context.graph[layer].type, context.written(layer)
    if role in written:
        value = align(written[role], rank)
        return context.constant("coefficient", value.shape, str(value.dtype), lambda: value)
    own = context.coefficient_rank(layer, role)
    shape = () if own == 0 or t.rank < 2 else (t.shape[1], *((1,) * (rank - 2) if own == 1 else t.shape[2:]))
    return context.constant("coefficient", shape, str(t.numpy), lambda: np.reshape(align(context.coefficient(layer, role), rank), shape))


def _function(name: str, graph: Graph, region: Region, op: Op, steps: Sequence[Step], operands: Sequence[Buffer], kind: str) -> PrimFunc:
    layer = graph[region.anchor]
    arguments = [te.placeholder(b.shape, dtype=b.dtype, name=f"argument{i}") for i, b in enumerate(operands)]
    given = iter(arguments)
    if isinstance(op, Elementwise):
        value = next(given)
    else:
        types = [graph.type(v) for v in graph.data(layer.name)]
        data = [next(given) for _ in types]
        weights = {role: next(given) for role, _ in layer.weights}
        value = compute(op, data, weights, types, [next(given) for _ in tables(op, types)])
    for step in steps:
        value = _elementwise(value, step, given, graph.type(Value(step.layers[-1])).shape, kind)
    function = te.create_prim_func([*arguments, value])
    if isinstance(op, Pooling):
        function = function.with_attr(THREAD_PER_OUTPUT, True)
    return function.with_attr("global_symbol", name).with_attr("op_pattern", OPAQUE)


def _elementwise(value: te.Tensor, step: Step, given: Iterator[te.Tensor], shape: tuple[int, ...], kind: str) -> te.Tensor:
    """One step as a compute over its output's shape, to which its operands are broadcast."""
    extras = [next(given) for _ in step.extras]
    coefficients = [next(given) for _ in step.coefficients]

    def stage(expr: Expr, values: Sequence[te.Tensor]) -> te.Tensor:
        def at(*place: PrimExpr) -> PrimExpr:
            def read(tensor: te.Tensor) -> PrimExpr:
                own = place[len(place) - len(tensor.shape) :]
                return tensor(*(0 if int(n) == 1 else p for p, n in zip(own, tensor.shape, strict=True)))

            named = {str(i): read(c) for i, c in enumerate(coefficients)}
            result = build(expr, [*map(read, values)], named, kind)
            return strict(result) if kind == "llvm" else result  # CUDA source is compiled without contraction

        return te.compute(shape, at, name="step")

    values = [value, *extras]
    for part in _parts(step.expr, values, kind):
        values.append(stage(part, values))
    return values[-1]


def _parts(expr: Expr, values: Sequence[te.Tensor], kind: str) -> list[Expr]:
    """bfloat16 stays whole: a formula too large to round at each step rounds once, at its end."""
    brief = any(str(v.dtype) == "bfloat16" for v in values) or any(isinstance(n, Apply) and n.primitive.to == "bf16" for n in nodes(expr))
    return [expr] if brief or kind != "llvm" else parts(expr, len(values), MOST_READS)
