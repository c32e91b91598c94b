"""The law of the printer: parsing what it prints gives an equal network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save as serialize

from cnnir.backends.reference import evaluate
from cnnir.diagnostics import CnnirError, OpError
from cnnir.frontends import cnn
from cnnir.ir.graph import Graph, Value
from cnnir.ir.spelling import expression, number
from cnnir.ir.text import dumps, save, spell
from cnnir.ir.verify import verify
from cnnir.ir.weights import Seeded
from cnnir.ops.activation import UserActivation
from cnnir.ops.arithmetic import Add, Binary, Maximum, Mul, Sub
from cnnir.ops.base import Op
from cnnir.ops.constant import Constant
from cnnir.ops.convert import Affine, Cast
from cnnir.ops.convolution import Conv, Dense
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.logic import Logic, Where
from cnnir.ops.opaque import Opaque
from cnnir.ops.piecewise import Clip, Leaky
from cnnir.ops.pooling import AdaptiveAvgPool, AvgPool, GlobalMaxPool, MaxPool, MinPool
from cnnir.ops.registry import OPS
from cnnir.ops.tensor import Concat, Flatten, Lrn, Softmax
from cnnir.scalar.expr import Const, Expr, X, apply
from cnnir.scalar.primitives import PRIMITIVES
from cnnir.types import TensorType

from .structures import structures, types

finite = st.floats(allow_nan=False, width=64)
UNARY = [c for c in OPS.values() if issubclass(c, Elementwise) and not issubclass(c, Binary | Clip | Cast | Affine | Logic | Where)]
names = st.text(min_size=1, max_size=8).filter(lambda s: not any(0xD800 <= ord(c) < 0xE000 for c in s))


def exprs() -> st.SearchStrategy[Expr]:
    leaf = st.one_of(st.just(X), st.builds(Const, st.floats(allow_nan=False)))

    def node(children: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        made = [st.tuples(*[children] * p.arity).map(lambda args, n=n: apply(n, *args)) for n, p in PRIMITIVES.items()]
        return st.one_of(made)

    return st.recursive(leaf, node, max_leaves=12)


def pools() -> st.SearchStrategy[Op]:
    pad = st.sampled_from([(0, 0, 0, 0), (1, 1, 1, 1), (1, 0, 1, 0), (0, 1, 1, 0)])
    one = st.sampled_from([(2, 2), (3, 2), (2, 3), (3, 3)])
    return st.one_of(
        st.builds(MaxPool, one, one, pad, st.sampled_from([(1, 1), (2, 1)]), st.booleans()),
        st.builds(MinPool, one, one),
        st.builds(AvgPool, one, one, pad, st.just((1, 1)), st.booleans(), st.booleans()),
        st.builds(AdaptiveAvgPool, one),
        st.just(GlobalMaxPool()),
    )


def steps() -> st.SearchStrategy[Op]:
    binary = st.builds(lambda c, k, r: c(k, r), st.sampled_from([Add, Sub, Mul, Maximum]), finite, st.booleans())
    return st.one_of(
        st.sampled_from(UNARY).map(lambda c: c()),
        st.builds(Leaky, finite), st.builds(Clip, st.floats(-9, 0), st.floats(0, 9)), st.builds(Lrn, st.integers(1, 5)),
        st.builds(UserActivation, names, exprs()), binary, pools(),
        st.sampled_from([Conv(4, (3, 3), pad=(1, 1, 1, 1)), Conv(6, (1, 1), bias=False), Conv(4, (3, 1), (2, 1), (1, 0, 1, 1), (1, 1), 2)]),
        st.just("depthwise"), st.just(Softmax()),
    )  # fmt: skip


def attach(graph: Graph, op: Op, inputs: list[Value | None], key: str | None) -> Value:
    """Add a layer with seeded weights, under its own name or under `key`."""
    name = graph.fresh(op.name)
    given = [graph.type(v) for v in inputs if v is not None]
    op.infer(given)
    parameters = op.parameters(given)
    weights = {role: f"{key or name}{'/' if key else '.'}{role}" for role in parameters}
    for role, parameter in parameters.items():
        if weights[role] in graph.weights and graph.weights.source(weights[role]) != Seeded(weights[role], parameter):
            weights[role] += f"/{name}"
        graph.weights[weights[role]] = Seeded(weights[role], parameter)
    return graph.add(op, inputs, name=name, weights=weights)


@st.composite
def structured(draw: Any) -> Graph:
    """Graphs of every rank and dtype, with several outputs, absent inputs and opaque nodes."""
    graph = Graph(draw(names))
    shapes = st.sampled_from([(1, 4, 8, 8), (2, 4, 6), (1, 4, 3, 4, 5), (3, 2, 4), (4,), ()])
    values = [graph.add_input(n, draw(st.one_of(types(), st.builds(TensorType, st.just("f32"), shapes)))) for n in draw(names_of_inputs)]
    for _ in range(draw(st.integers(1, 8))):
        op, given = draw(structures()), [draw(st.sampled_from(values))]
        if isinstance(op, Opaque):
            given = draw(st.lists(st.one_of(st.none(), st.sampled_from(values)), max_size=4))
        try:
            made = attach(graph, op, [] if isinstance(op, Constant) else given, draw(st.sampled_from([None, None, "conv2"])))
            values += graph.values(made.layer)
        except OpError:
            continue
    kept = draw(st.lists(st.sampled_from(values), min_size=1, max_size=3))
    graph.results = {f"o{i}": v for i, v in enumerate(kept)}
    return graph


names_of_inputs = st.sampled_from([["x"], ["in", "a b"], ["relu", "x/0:1"], ["none", "f32"]])


@st.composite
def graphs(draw: Any) -> Graph:
    graph = Graph(draw(names))
    values = [
        graph.add_input(n, TensorType("f32", (1, 4, 8, 8)), draw(st.sampled_from([None, (0.0, 1.0), (-1e-7, 3e38)])))
        for n in draw(st.sampled_from([["x"], ["in", "a b"], ["relu", "x/0:1"]]))
    ]
    for _ in range(draw(st.integers(0, 8))):
        value = values[draw(st.integers(0, len(values) - 1))]
        kind = draw(st.integers(0, 5))
        try:
            if kind == 0:
                other = draw(st.sampled_from([v for v in values if graph.type(v) == graph.type(value)]))
                values.append(attach(graph, draw(st.sampled_from([Add(), Sub()])), [value, other], None))
            elif kind == 1:
                values.append(attach(graph, Concat(), [value, value, *(v for v in values[:2] if graph.type(v) == graph.type(value))], None))
            else:
                op = draw(steps())
                op = (
                    Conv(graph.type(value).channels, (3, 3), pad=(1, 1, 1, 1), groups=graph.type(value).channels)
                    if op == "depthwise"
                    else op
                )
                values.append(attach(graph, op, [value], draw(st.sampled_from([None, None, "conv2", "k\n\u202e"]))))
        except Exception as error:
            if type(error).__name__ != "OpError":
                raise
    kept = draw(st.lists(st.sampled_from(values), min_size=1, max_size=3))
    single = draw(st.sampled_from(["output", "x", "y", "return"]))
    graph.results = {single: kept[0]} if len(kept) == 1 else {f"o{i}": v for i, v in enumerate(kept)}
    return graph


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
)
@given(graphs())
def test_parsing_what_is_printed_gives_the_same_network(graph: Graph) -> None:
    text = dumps(graph)
    again = cnn.parse(text)
    assert again == graph, text
    assert again.name == graph.name
    assert dumps(again) == dumps(cnn.parse(dumps(again)))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(structured())
def test_every_structure_reads_back_equal(graph: Graph) -> None:
    text = dumps(graph)
    again = cnn.parse(text)
    assert again == graph, text
    assert dumps(again) == dumps(cnn.parse(dumps(again)))
    verify(again)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(structured())
def test_every_structure_evaluates_to_what_it_is_typed_as(graph: Graph) -> None:
    if any(isinstance(layer.op, Opaque) for layer in graph.layers()):
        return
    rng = np.random.default_rng(0)
    feeds = {n: np.asarray(rng.integers(0, 3, t.shape)).astype(t.numpy) for n, t in graph.inputs.items()}
    found, again = evaluate(graph, feeds), evaluate(cnn.parse(dumps(graph)), feeds)
    for name, t in graph.outputs.items():
        assert (found[name].shape, found[name].dtype) == (t.shape, t.numpy)
        assert found[name].tobytes() == again[name].tobytes()


@settings(max_examples=300, deadline=None)
@given(exprs())
def test_expressions_read_back_equal(body: Expr) -> None:
    graph = cnn.parse(f"activation f(x) = {expression(body)}\nnetwork n(x: f32[1, 2]) {{ x -> f }}")
    op = graph[graph.results["output"].layer].op
    assert isinstance(op, UserActivation)
    assert repr(op.body) == repr(body)  # repr tells 0.0 from -0.0


@given(st.floats(allow_nan=False))
def test_numbers_read_back_to_the_last_bit(value: float) -> None:
    op = cnn.parse(f"network n(x: f32[1, 2]) {{ x -> leaky({number(value)}) }}")["leaky1"].op
    assert isinstance(op, Leaky)
    assert repr(op.a) == repr(float(value))


@pytest.mark.parametrize("path", sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.cnn")), ids=lambda p: p.stem)
def test_examples_survive_the_round_trip(path: Path) -> None:
    graph = cnn.load(path)
    again = cnn.parse(dumps(graph))
    assert again == graph
    assert not graph.weights.drawn and not again.weights.drawn  # printing and comparing draw nothing


def test_attributes_at_their_defaults_are_not_written() -> None:
    data = TensorType("f32", (1, 8, 9, 9))
    assert spell(Conv(4, (3, 3)), data) == "conv(4, 3)"
    assert spell(Conv(4, (3, 1), (2, 2), (1, 0, 1, 0), bias=False), data) == "conv(4, [3, 1], stride=2, pad=[1, 0], bias=off)"
    assert spell(Conv(8, (3, 3), pad=(1, 1, 1, 1), groups=8), data) == "depthwise(3, pad=1)"
    assert spell(Conv(16, (3, 3), groups=8), data) == "depthwise(3, multiplier=2)"
    assert spell(MaxPool((2, 2), (2, 2))) == "maxpool(2)"
    assert spell(MaxPool((3, 3), (2, 2), (0, 0, 1, 1), ceil=True)) == "maxpool(3, stride=2, pad=[0, 0, 1, 1], ceil=on)"
    assert spell(Clip(0.0, 6.0)) == "clip(0, 6)"
    assert spell(Sub(1.0, True)) == "sub(1, x)"
    assert spell(Dense(10)) == "fc(10)" and spell(Flatten()) == "flatten"


def test_the_text_reads_like_the_language() -> None:
    text = """activation hswish(x) = x * min(max(x + 3, 0), 6) / 6

network n(x: f32[1, 4, 8, 8] in [0, 1]) {
    b = x -> conv(4, 3, pad=1) -> hswish
    a = b -> maxpool(2)
    return a, b
}
"""
    assert dumps(cnn.parse(text)) == text


def test_weights_that_are_not_drawn_go_into_a_file(tmp_path: Path) -> None:
    graph = cnn.parse("network n(x: f32[1, 4, 8, 8]) { x -> conv(2, 3) -> relu }")
    save(graph, tmp_path / "drawn.cnn")
    assert [p.name for p in tmp_path.iterdir()] == ["drawn.cnn"]
    graph.weights["conv1.weight"] = np.ones((2, 4, 3, 3), np.float32)
    save(graph, tmp_path / "held.cnn")
    again = cnn.load(tmp_path / "held.cnn")
    assert again == graph
    assert again != cnn.load(tmp_path / "drawn.cnn")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["drawn.cnn", "held.cnn", "held.safetensors"]


def test_saving_replaces_no_weights_but_its_own(tmp_path: Path) -> None:
    graph = cnn.parse("network n(x: f32[1, 4, 8, 8]) { x -> conv(2, 3) -> relu }")
    graph.weights["conv1.weight"] = np.ones((2, 4, 3, 3), np.float32)
    other = tmp_path / "held.safetensors"
    for content in (b"not even safetensors", serialize({"precious": np.ones(3, np.float32)})):
        other.write_bytes(content)
        with pytest.raises(CnnirError) as caught:
            save(graph, tmp_path / "held.cnn")
        assert (caught.value.diagnostics[0].code, caught.value.exit_code) == ("C0501", 2)
        assert other.read_bytes() == content and not (tmp_path / "held.cnn").exists()
    other.unlink()
    for value in (1, 2):  # what it wrote itself it may replace
        graph.weights["conv1.weight"] = np.full((2, 4, 3, 3), value, np.float32)
        save(graph, tmp_path / "held.cnn")
        assert cnn.load(tmp_path / "held.cnn") == graph


def test_saving_over_the_weights_a_network_is_read_from_is_safe(tmp_path: Path) -> None:
    values = {"conv1.weight": np.arange(72, dtype=np.float32).reshape(2, 4, 3, 3), "conv1.bias": np.ones(2, np.float32)}
    (tmp_path / "n.safetensors").write_bytes(serialize(values))
    (tmp_path / "n.cnn").write_text('weights "n.safetensors"\nnetwork n(x: f32[1, 4, 8, 8]) { x -> conv(2, 3) -> relu }\n')
    graph = cnn.load(tmp_path / "n.cnn")
    save(graph, tmp_path / "n.cnn")
    again = cnn.load(tmp_path / "n.cnn")
    for key, array in values.items():
        np.testing.assert_array_equal(again.weights[key], array)
        np.testing.assert_array_equal(graph.weights[key], array)
