"""Several outputs, absent inputs, opaque nodes and symbolic sizes in the language."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnnir
from cnnir.diagnostics import CnnirError
from cnnir.ir.graph import Value
from cnnir.ir.text import dumps
from cnnir.ops.opaque import Opaque
from cnnir.types import TensorType


def codes(text: str, shapes: Any = None) -> list[str]:
    with pytest.raises(CnnirError) as caught:
        cnnir.parse(text, shapes=shapes)
    return [d.code for d in caught.value.diagnostics]


def test_every_output_has_its_name() -> None:
    graph = cnnir.parse("network n(x: f32[1, 4, 2, 2]) { p, q = x -> split([1, 3])\n return q, p }")
    assert graph.results == {"q": Value("split1", 1), "p": Value("split1", 0)}
    x = np.arange(16, dtype=np.float32).reshape(1, 4, 2, 2)
    found = cnnir.evaluate(graph, {"x": x})
    assert found["p"].tolist() == x[:, :1].tolist() and found["q"].tolist() == x[:, 1:].tolist()


def test_a_block_may_end_in_a_layer_of_several_outputs() -> None:
    graph = cnnir.parse("block b(n) = relu -> split(n)\nnetwork n(x: f32[1, 4]) { p, q = x -> b(2)\n add(p, q) }")
    assert graph.outputs == {"output": TensorType("f32", (1, 2))}
    assert list(cnnir.parse("network n(x: f32[1, 4]) { p, q = x -> split(2) }").results) == ["p", "q"]


def test_laws_hold_behind_any_output() -> None:
    graph = cnnir.parse("network n(x: f32[1, 8, 4, 4]) { p, q = x -> split(2)\n y = q -> relu -> maxpool(2)\n return y, p }")
    moved = cnnir.optimize(graph, place="always")
    assert [d.verdict for d in moved.decisions] == ["moved"]
    x = np.random.default_rng(0).standard_normal((1, 8, 4, 4)).astype(np.float32)
    before, after = cnnir.evaluate(graph, {"x": x}), cnnir.evaluate(moved.graph, {"x": x})
    assert {n: a.tobytes() for n, a in before.items()} == {n: a.tobytes() for n, a in after.items()}


def test_absent_inputs_are_written_none() -> None:
    text = "network n(x: f32[5, 2, 3], h: f32[1, 2, 4]) { a, b, c = lstm(x, none, h, 4)\n return a, c }"
    graph = cnnir.parse(text)
    assert graph.operands("lstm1") == [Value("x"), None, Value("h")]
    assert "lstm(x, none, h, 4)" in dumps(graph) or "lstm(none, h, 4)" in dumps(graph)
    ends = cnnir.parse("network n(x: f32[5, 2, 3]) { a, b = gru(x, none, none, 4)\n a }")
    assert ends == cnnir.parse("network n(x: f32[5, 2, 3]) { a, b = x -> gru(4)\n a }")


OPAQUE = """network n(x: f32[1, 4, 8, 8] in [0, 1], none: i64[2]) {
    a, b = onnx.Foo{x, none, "none", outputs=[f32[1, 4, 8, 8], i64[3]], alpha=0.5, "outputs"=[1, -2.0], s="a\\n", bytes=base64("AAEC"), t=u8[2]}
    r = a -> relu -> onnx.Bar{outputs=f32[1, 4, 8, 8]} -> relu -> maxpool(2)
    return r, b
}"""


def test_opaque_nodes_keep_what_they_say() -> None:
    graph = cnnir.parse(OPAQUE)
    op = graph["onnx.Foo1"].op
    assert isinstance(op, Opaque)
    assert dict(op.payload) == {
        "alpha": 0.5, "outputs": (1, -2.0), "s": "a\n", "bytes": b"\0\1\2", "t": TensorType("u8", (2,)),
    }  # fmt: skip
    assert op.absent == (1,) and graph.operands("onnx.Foo1") == [Value("x"), None, Value("none")]
    assert cnnir.parse(dumps(graph)) == graph


def test_opaque_nodes_are_told_apart_by_every_part() -> None:
    graph = cnnir.parse(OPAQUE)
    for old, new in (("onnx.Foo", "onnx.Fob"), ("0.5", "0.25"), ("AAEC", "AAED"), ("i64[3]", "i64[4]"), ("{x, none, ", "{x, ")):
        assert cnnir.parse(OPAQUE.replace(old, new)) != graph


def test_nothing_moves_past_an_opaque_node_and_one_diagnostic_refuses_its_code() -> None:
    graph = cnnir.parse(OPAQUE.replace("-> relu -> maxpool", "-> maxpool"))
    assert not any(d.verdict == "moved" for d in cnnir.optimize(graph, place="always").decisions)
    for refused in (lambda: cnnir.compile(graph), lambda: cnnir.compile(graph, "cuda")):
        with pytest.raises(CnnirError) as caught:
            refused()
        (found,) = caught.value.diagnostics
        assert found.code == "C0512" and "`onnx.Foo1`" in found.message and "`onnx.Bar1`" in found.message
    with pytest.raises(CnnirError) as caught:
        cnnir.evaluate(graph, {"x": np.zeros((1, 4, 8, 8), np.float32), "none": np.zeros(2, np.int64)})
    assert [d.code for d in caught.value.diagnostics] == ["C0604"]


SYMBOLIC = "network n(x: f32[N, 3, H, W], y: f32[N, 2]) { z = x -> conv(4, 3) -> reshape(N, -1)\n return z, y }"


def test_symbols_are_bound_by_shapes() -> None:
    graph = cnnir.parse(SYMBOLIC, shapes={"x": (2, 3, 8, 6)})
    assert graph.inputs == {"x": TensorType("f32", (2, 3, 8, 6)), "y": TensorType("f32", (2, 2))}
    assert graph.outputs["z"] == TensorType("f32", (2, 96))


def test_symbols_that_nothing_binds_are_named_together() -> None:
    with pytest.raises(CnnirError) as caught:
        cnnir.parse(SYMBOLIC)
    (found,) = caught.value.diagnostics
    assert found.code == "C0222" and all(f"`{s}`" in found.message for s in "NHW") and len(found.labels) == 3
    assert found.help and "--shape x=N,3,H,W" in found.help


@pytest.mark.parametrize(
    "shapes", [{"x": (2, 4, 8, 6)}, {"x": (2, 3, 8)}, {"x": (2, 3, 8, 6), "y": (1, 2)}, {"x": (2, 3, 8, 6), "z": (1,)}]
)
def test_shapes_that_do_not_fit_are_refused(shapes: Any) -> None:
    assert "C0223" in codes(SYMBOLIC, shapes)
    assert codes(SYMBOLIC, {"x": (0, 3, 8, 6)})[0] == "C0210"
