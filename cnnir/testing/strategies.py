"""Random networks for hypothesis: branches, pools, activations of every kind, 1 to 3 spatial axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import strategies as st

from cnnir.diagnostics import OpError
from cnnir.ir.graph import Graph, Value
from cnnir.ir.weights import Seeded
from cnnir.ops.activation import UserActivation
from cnnir.ops.arithmetic import Add, Binary, Maximum, Mul, Sub
from cnnir.ops.base import Op
from cnnir.ops.convolution import Conv
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.piecewise import Clip, Leaky
from cnnir.ops.pooling import AdaptiveAvgPool, AvgPool, GlobalMaxPool, MaxPool, MinPool
from cnnir.ops.registry import OPS
from cnnir.ops.tensor import Concat, Lrn, Softmax
from cnnir.scalar.expr import Const, Expr, X, apply
from cnnir.scalar.primitives import PRIMITIVES
from cnnir.types import TensorType

FINITE = st.floats(allow_nan=False, width=64)
UNARY = [c for c in OPS.values() if issubclass(c, Elementwise) and not issubclass(c, Binary | Clip)]
NAMES = st.text(min_size=1, max_size=8).filter(lambda s: not any(0xD800 <= ord(c) < 0xE000 for c in s))
SIZES = {1: (9,), 2: (8, 8), 3: (4, 5, 4)}
"""Number of spatial axes -> their sizes in a random network."""


def expressions(max_leaves: int = 12) -> st.SearchStrategy[Expr]:
    """Bodies of activations over every primitive."""
    leaf = st.one_of(st.just(X), st.builds(Const, st.floats(allow_nan=False)))

    def node(children: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        made = [st.tuples(*[children] * p.arity).map(lambda args, n=n: apply(n, *args)) for n, p in PRIMITIVES.items()]
        return st.one_of(made)

    return st.recursive(leaf, node, max_leaves=max_leaves)


def pools(axes: int = 2) -> st.SearchStrategy[Op]:
    """Sliding, adaptive and global pools over so many spatial axes."""
    each = st.tuples(*[st.integers(2, 3)] * axes)
    pad = st.tuples(*[st.integers(0, 1)] * (2 * axes))
    flat, one = (0,) * (2 * axes), (1,) * axes
    return st.one_of(
        st.builds(MaxPool, each, each, pad, st.sampled_from([one, (2, *one[1:])]), st.booleans(), st.sampled_from([-math.inf, 0.0])),
        st.builds(MinPool, each, each, st.just(flat), st.just(one)),
        st.builds(AvgPool, each, each, pad, st.just(one), st.booleans(), st.booleans()),
        st.builds(AdaptiveAvgPool, each),
        st.just(GlobalMaxPool()),
    )


def convolutions(axes: int = 2) -> st.SearchStrategy[Op]:
    """Plain, pointwise, without bias, grouped, strided; for inputs of 4 channels the last is depthwise."""
    one, none = (1,) * axes, (0,) * (2 * axes)
    strided = Conv(4, (3, *one[1:]), (2, *one[1:]), (1, *none[1:]), one, 2)
    same = (1,) * (2 * axes)
    return st.sampled_from(
        [
            Conv(4, (3,) * axes, one, same, one),
            Conv(6, one, one, none, one, bias=False),
            strided,
            Conv(4, (3,) * axes, one, same, one, groups=4),
        ]
    )


def operations(axes: int = 2) -> st.SearchStrategy[Op]:
    """Ops of one input."""
    binary = st.one_of([st.builds(c, FINITE, st.booleans()) for c in (Add, Sub, Mul, Maximum)])
    unary = st.sampled_from(UNARY).map(lambda c: c())
    clips = st.builds(Clip, st.floats(-9, 0), st.floats(0, 9))
    user = st.builds(UserActivation, NAMES, expressions())
    mixing = st.one_of(st.builds(Lrn, st.integers(1, 5)), st.just(Softmax()))
    return st.one_of(unary, st.builds(Leaky, FINITE), clips, user, binary, pools(axes), convolutions(axes), mixing)


def attach(graph: Graph, op: Op, inputs: Sequence[Value], key: str | None = None) -> Value:
    """Add a layer with seeded weights, under its own name or under `key`."""
    name = graph.fresh(op.name)
    parameters = op.parameters([graph.type(v) for v in inputs])
    weights = {role: f"{key or name}{'/' if key else '.'}{role}" for role in parameters}
    for role, parameter in parameters.items():
        if weights[role] in graph.weights and graph.weights.source(weights[role]) != Seeded(weights[role], parameter):
            weights[role] += f"/{name}"
        graph.weights[weights[role]] = Seeded(weights[role], parameter)
    return graph.add(op, inputs, name=name, weights=weights)


@st.composite
def graphs(draw: st.DrawFn, axes: Sequence[int] = (2,), most: int = 8) -> Graph:
    """Networks of up to `most` layers, with one or two inputs, values used several times or never, one to three outputs."""
    graph = Graph(draw(NAMES))
    count = draw(st.sampled_from(axes))
    ranges = st.sampled_from([None, (0.0, 1.0), (-1e-7, 3e38)])
    inputs = draw(st.sampled_from([["x"], ["in", "a b"], ["relu", "x/0:1"]]))
    values = [graph.add_input(n, TensorType("f32", (1, 4, *SIZES[count])), draw(ranges)) for n in inputs]
    for _ in range(draw(st.integers(0, most))):
        value = draw(st.sampled_from(values))
        alike = [v for v in values if graph.type(v) == graph.type(value)]
        kind = draw(st.integers(0, 5))
        try:
            if kind == 0:
                op = draw(st.sampled_from([Add(), Sub()]))
                values.append(attach(graph, op, [value, draw(st.sampled_from(alike))]))
            elif kind == 1:
                values.append(attach(graph, Concat(), [value, value, *alike[:2]]))
            else:
                values.append(attach(graph, draw(operations(count)), [value], draw(st.sampled_from([None, None, "conv2", "k\n\u202e"]))))
        except OpError:
            pass  # it does not fit here
    kept = draw(st.lists(st.sampled_from(values), min_size=1, max_size=3))
    single = draw(st.sampled_from(["output", "x", "y", "return"]))
    graph.results = {single: kept[0]} if len(kept) == 1 else {f"o{i}": v for i, v in enumerate(kept)}
    return graph
