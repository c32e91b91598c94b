"""The law of the printer: parsing what it prints gives an equal network."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save as serialize

from cnnir.diagnostics import CnnirError
from cnnir.frontends import cnn
from cnnir.ir.graph import Graph
from cnnir.ir.spelling import expression, number
from cnnir.ir.text import dumps, save, spell
from cnnir.ops.activation import UserActivation
from cnnir.ops.arithmetic import Sub
from cnnir.ops.convolution import Conv, Dense
from cnnir.ops.piecewise import Clip, Leaky
from cnnir.ops.pooling import MaxPool
from cnnir.ops.tensor import Flatten
from cnnir.scalar.expr import Const, Expr, X
from cnnir.testing import expressions
from cnnir.types import TensorType


@settings(max_examples=300, deadline=None)
@given(expressions())
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


def test_ten_thousand_activations_stay_linear() -> None:
    """As many names, and as many with the name of another one: each search for a free one once took them all."""
    graph = Graph("n")
    value = graph.add_input("x", TensorType("f32", (1, 2)))
    for i in range(10_000):
        value = graph.add(UserActivation(f"f{i}" if i % 2 else "g", X + i), [value])
    graph.results["output"] = value
    begin = time.process_time()
    text = dumps(graph)
    assert time.process_time() - begin < 10
    assert cnn.parse(text) == graph and "activation g_5000(x)" in text


def test_activations_of_one_body_are_equal_whatever_their_names() -> None:
    first, second = UserActivation("f", X * X), UserActivation("g", X * X)
    assert first == second and hash(first) == hash(second)


def test_activations_that_differ_in_the_sign_of_a_zero_are_two() -> None:
    text = "activation f(x) = x + 0\nactivation g(x) = x + -0.0\n\nnetwork n(x: f32[1, 2]) {\n    x -> f -> g\n}\n"
    assert dumps(cnn.parse(text)) == text.replace("x + -0.0", "x + (-0.0)") or dumps(cnn.parse(text)) == text
    assert Const(0.0) != Const(-0.0)


def test_infinity_is_a_number_beside_a_value_of_that_name() -> None:
    """`clip(0, inf)` was a clip of two tensors, because a layer was called `inf`."""
    for body in ('"inf" = x -> relu; y = x -> clip(0, inf); return "inf", y', "inf = x -> relu; y = x -> clip(-inf, 1); return inf, y"):
        graph = cnn.parse(f"network n(x: f32[1, 2]) {{ {body} }}")
        assert [layer.op.name for layer in graph.layers()] == ["input", "relu", "clip"]
        assert cnn.parse(dumps(graph)) == graph
