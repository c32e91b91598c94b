"""What the language means, one rule of the grammar at a time."""

from __future__ import annotations

import time
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from lark import Lark

from cnnir.backends.reference import evaluate
from cnnir.diagnostics import CnnirError, Source
from cnnir.frontends import cnn
from cnnir.frontends.cnn.formatting.tokens import significant
from cnnir.frontends.cnn.lines import LineRule
from cnnir.frontends.lexer import TerminalLexer
from cnnir.ir.graph import Graph
from cnnir.ir.verify import verify
from cnnir.ops.activation import UserActivation
from cnnir.ops.arithmetic import Add, Sub
from cnnir.ops.base import Op
from cnnir.ops.convolution import Conv
from cnnir.ops.piecewise import HardSigmoid, Leaky
from cnnir.ops.pooling import AdaptiveAvgPool, AvgPool, MaxPool
from cnnir.ops.smooth import Gelu
from cnnir.scalar.expr import Apply, Const, X, apply
from cnnir.types import TensorType


def network(body: str, before: str = "", type: str = "f32[1, 8, 9, 9]") -> Graph:
    graph = cnn.parse(f"{before}\nnetwork n(x: {type}) {{ {body} }}")
    verify(graph)
    return graph


def ops(graph: Graph) -> list[str]:
    return [layer.name for layer in graph.layers() if layer.op.name != "input"]


def op(body: str, type: str = "f32[1, 8, 9, 9]") -> Op:
    graph = network(body, type=type)
    return graph[graph.results["output"].layer].op


def body_of(text: str) -> object:
    found = network("x -> f", f"activation f(x) = {text}")["f1"].op
    assert isinstance(found, UserActivation)
    return found.body


# -- lines and chains


@pytest.mark.parametrize("end", ["\n", "\r\n", ";", " ; \n", "\n\n# a comment\n"])
def test_statements_end_at_newlines_and_semicolons(end: str) -> None:
    assert ops(network(f"a = x -> relu{end}a -> abs")) == ["relu1", "abs1"]


@pytest.mark.parametrize("text", ["x\n -> relu\n\n # why\n -> abs", "\nx -> relu -> abs\n", "x -> relu -> abs;", "x->relu->abs"])
def test_lines_that_begin_with_an_arrow_go_on(text: str) -> None:
    assert ops(network(text)) == ["relu1", "abs1"]


def test_newlines_inside_brackets_are_blanks() -> None:
    assert op("x -> conv(\n 8,\n # kernel\n 3,\n pad=[1,\n 1]\n)") == Conv(8, (3, 3), pad=(1, 1, 1, 1))


def test_blank_lines_cost_nothing() -> None:
    """One token for all of them; five million took ten seconds."""
    begin = time.process_time()
    assert ops(network("x" + "\n \n" * 1_000_000 + "-> relu" + "\n" * 3_000_000)) == ["relu1"]
    assert time.process_time() - begin < 3


def test_a_byte_order_mark_is_dropped() -> None:
    assert len(cnn.parse("\ufeffnetwork n(x: f32[1]) { x -> relu }")) == 2


def test_repetition() -> None:
    assert ops(network("x -> [relu -> abs]*2 -> [sign]")) == ["relu1", "abs1", "relu2", "abs2", "sign1"]
    assert ops(network("x -> [relu]*0 -> abs")) == ["abs1"]
    assert ops(network("x -> [[relu]*2 -> abs]*(1 + 1)")) == ["relu1", "relu2", "abs1", "relu3", "relu4", "abs2"]


# -- values and outputs


def test_names_branches_and_merges() -> None:
    graph = network("a = x -> relu; b = x -> abs\n concat(a, b, x -> sign) -> add(concat(b, b, b))")
    assert ops(graph) == ["relu1", "abs1", "sign1", "concat1", "concat2", "add1"]
    assert graph.outputs == {"output": TensorType("f32", (1, 24, 9, 9))}


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("y = x -> relu", ["y"]),
        ("x -> relu", ["output"]),
        ("y = x -> relu; y", ["y"]),
        ("return x -> relu", ["output"]),
        ("y = x -> relu; return y, x, z = y -> abs", ["y", "x", "z"]),
        ("return x -> relu, x -> abs", ["output1", "output2"]),
        ('"any/name:0" = x -> relu', ["any/name:0"]),
        ('"in" = x -> relu\n "in"', ["in"]),
        (r'"\u{e9}\"\\" = x -> relu', ['é"\\']),
    ],
)
def test_outputs_and_their_names(body: str, names: list[str]) -> None:
    assert list(network(body).outputs) == names


def test_several_networks_in_a_file() -> None:
    text = "network a(x: f32[1]) { x -> relu }\nnetwork b(y: f32[2]) { y -> abs }"
    assert cnn.parse(text).name == "b"
    assert cnn.parse(text, network="a").inputs == {"x": TensorType("f32", (1,))}
    with pytest.raises(CnnirError, match="C0307") as caught:
        cnn.parse(text, network="c")
    assert caught.value.exit_code == 2


def test_input_types_and_ranges() -> None:
    graph = cnn.parse("network n(a: f16[1, 2*3] in [-1/2, 1e3], b: i8[], c: f32[1] in [0, 3e38],) { return a, b, c }")
    assert graph.inputs == {"a": TensorType("f16", (1, 6)), "b": TensorType("i8", ()), "c": TensorType("f32", (1,))}
    assert graph["a"].op.attributes()["range"] == (-0.5, 1000.0)
    assert graph["c"].op.attributes()["range"] == (0.0, 3e38)


# -- arguments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("conv(4, 3)", Conv(4, (3, 3))),
        ("conv(4, 3, 2)", Conv(4, (3, 3), (2, 2))),
        ("conv(kernel=3, out=4)", Conv(4, (3, 3))),
        ("conv(2*2, [3, 1], pad=[1, 0], bias=off)", Conv(4, (3, 1), pad=(1, 0, 1, 0), bias=False)),
        ("conv(4, 3, pad=[1, 2, 0, 1], bias=true,)", Conv(4, (3, 3), pad=(1, 2, 0, 1))),
        ("conv(4, 3, pad=same)", Conv(4, (3, 3), pad=(1, 1, 1, 1))),
        ("conv(4, 3, stride=2, pad=same, dilation=2)", Conv(4, (3, 3), (2, 2), (2, 2, 2, 2), (2, 2))),
        ("conv(4, 2, pad=same)", Conv(4, (2, 2), pad=(0, 0, 1, 1))),
        ("conv(8, 3, groups=4)", Conv(8, (3, 3), groups=4)),
        ("depthwise(3, pad=1)", Conv(8, (3, 3), pad=(1, 1, 1, 1), groups=8)),
        ("depthwise(3, multiplier=2, bias=off)", Conv(16, (3, 3), groups=8, bias=False)),
        ("maxpool(3)", MaxPool((3, 3), (3, 3))),
        ("maxpool([2, 3])", MaxPool((2, 3), (2, 3))),
        ("maxpool(3, stride=2, ceil=on)", MaxPool((3, 3), (2, 2), ceil=True)),
        ("avgpool(2, count_include_pad=on)", AvgPool((2, 2), (2, 2), count_include_pad=True)),
        ("adaptive_avgpool([3, 2])", AdaptiveAvgPool((3, 2))),
        ("leaky(-1/4)", Leaky(-0.25)),
        ("leaky(a=--1)", Leaky(1.0)),
        ("hardsigmoid(1/6, b=(1 + 2)/6)", HardSigmoid(1 / 6, 0.5)),
        ("gelu(form=tanh)", Gelu("tanh")),
        ("add(3)", Add(3.0)),
    ],
)
def test_arguments_fill_the_fields_of_the_op(text: str, expected: Op) -> None:
    assert op(f"x -> {text}") == expected


def test_one_number_stands_for_every_spatial_axis_of_any_rank() -> None:
    assert op("x -> conv(4, 3)", "f32[1, 2, 9]") == Conv(4, (3,), (1,), (0, 0), (1,))
    assert op("x -> maxpool(2, pad=1)", "f32[1, 2, 9, 9, 9]") == MaxPool((2,) * 3, (2,) * 3, (1,) * 6, (1,) * 3)


def test_constants_on_either_side() -> None:
    assert (op("x -> sub(1)"), op("sub(x, 1)"), op("sub(1, x)")) == (Sub(1.0), Sub(1.0), Sub(1.0, reverse=True))
    graph = network("y = x -> relu; y -> sub(x)")
    assert [v.layer for v in graph.data("sub1")] == ["relu1", "x"]


# -- blocks, names and weights


def test_blocks_take_sizes_and_name_their_layers() -> None:
    before = "block stage(n, c) = [conv(c/2, 3, pad=1) -> relu]*n -> conv(c, 1)\nblock twice = stage(1, 4) -> stage(c=2, n=2)"
    names = ops(network("x -> twice -> stage(1, 8) -> conv(3, 1)", before))
    assert names == [
        "twice1/stage1/conv1", "twice1/stage1/relu1", "twice1/stage1/conv2",
        "twice1/stage2/conv1", "twice1/stage2/relu1", "twice1/stage2/conv2", "twice1/stage2/relu2", "twice1/stage2/conv3",
        "stage1/conv1", "stage1/relu1", "stage1/conv2", "conv1",
    ]  # fmt: skip


def test_blocks_with_a_body_have_values_of_their_own() -> None:
    before = "block residual(c) {\n y = in -> conv(c, 3, pad=1)\n add(in, y)\n}"
    graph = network("y = x -> residual(8) -> residual(8)", before)
    assert [v.layer for v in graph.data("residual2/add1")] == ["residual1/add1", "residual2/conv1"]


def test_weight_keys_are_paths_and_can_be_chosen_and_shared() -> None:
    graph = network('x -> conv(8, 1, name="a/b") -> conv(8, 1, weight="a/b.weight", bias="k") -> conv(8, 1)')
    assert [dict(graph[n].weights) for n in ops(graph)] == [
        {"weight": "a/b.weight", "bias": "a/b.bias"},
        {"weight": "a/b.weight", "bias": "k"},
        {"weight": "conv2.weight", "bias": "conv2.bias"},
    ]
    assert not graph.weights.drawn


def test_weights_from_a_file(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    weight, bias = np.arange(8, dtype=np.float32).reshape(1, 8, 1, 1), np.array([3], np.float32)
    (tmp_path / "sub").mkdir()
    save_file({"w": weight, "conv1.bias": bias}, tmp_path / "sub" / "k.safetensors")
    text = 'weights "sub/k.safetensors"\nnetwork n(x: f32[1, 8, 1, 1]) { x -> conv(1, 1, weight="w") }'
    (tmp_path / "n.cnn").write_text(text)
    graph = cnn.load(tmp_path / "n.cnn")
    assert not graph.weights.drawn
    assert evaluate(graph, {"x": np.ones((1, 8, 1, 1), np.float32)})["output"].item() == 31
    for wrong, code in [("conv(1, 1)", "C0404"), ('conv(2, 1, weight="w")', "C0304")]:
        with pytest.raises(CnnirError, match=code):
            cnn.parse(text.replace('conv(1, 1, weight="w")', wrong), folder=tmp_path)


@pytest.mark.parametrize("path", ["../k.safetensors", "/etc/passwd", "C:\\\\k", "sub/../../k.safetensors", "link.safetensors", "a\\u{0}b"])
def test_weights_are_never_read_outside_the_folder(path: str, tmp_path: Path) -> None:
    (tmp_path / "k.safetensors").write_bytes(b"")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.safetensors").symlink_to(tmp_path / "k.safetensors")
    with pytest.raises(CnnirError, match="C0402"):
        cnn.parse(f'weights "{path}"\nnetwork n(x: f32[1]) {{ x -> relu }}', folder=tmp_path / "in")


def test_a_broken_weights_file_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"\xff" * 100, b"\x10" + b"\0" * 7 + b'{"a":1}         '):
        (tmp_path / "k.safetensors").write_bytes(content)
        with pytest.raises(CnnirError, match="C0403"):
            cnn.parse('weights "k.safetensors"\nnetwork n(x: f32[1]) { x -> relu }', folder=tmp_path)


# -- activations


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x", X),
        ("3", Const(3.0)),
        ("-3", Const(-3.0)),
        ("-x", -X),
        ("--x", apply("neg", -X)),
        ("neg(3)", apply("neg", 3)),
        ("1 - x*2/3 + x", 1 - X * 2 / 3 + X),
        ("x - (x - 1)", X - (X - 1)),
        ("max(x, -1)", apply("max", X, -1)),
        ("select(x, 0, x, exp(x))", apply("select", X, 0, X, apply("exp", X))),
        ("leaky(x + 1, 0.5)", apply("select", X + 1, 0, X + 1, 0.5 * (X + 1))),
        ("clip(x, lo=0, hi=inf)", apply("min", apply("max", X, 0), float("inf"))),
        ("gelu(x, form=tanh)", Gelu("tanh").formula()),
    ],
)
def test_bodies_of_activations(text: str, expected: object) -> None:
    assert body_of(text) == expected


def test_activations_use_earlier_ones() -> None:
    graph = network("x -> g", "activation f(y) = y + 1\nactivation g(x) = f(f(x)) * x")
    found = graph["g1"].op
    assert isinstance(found, UserActivation) and found.body == (X + 1 + 1) * X
    assert isinstance(found.body, Apply)
    values = np.array([-2, 0, 3], np.float32)
    assert evaluate(cnn.parse("activation g(x) = (x + 2) * x\nnetwork n(x: f32[3]) { x -> g }"), {"x": values})["output"].tolist() == [
        0,
        0,
        15,
    ]


def test_every_layer_points_at_its_text() -> None:
    graph = network("x -> conv(4,\n 3) -> relu")
    spans = [layer.origin.span for layer in graph.layers()]
    assert [s.text if s else "" for s in spans] == ["x: f32[1, 8, 9, 9]", "conv(4,\n 3)", "relu"]


def test_the_lexer_finds_what_larks_own_does(examples: Path) -> None:
    """The formatter uses that one: the two must agree on every token."""
    grammar = resources.files("cnnir.grammar").joinpath("cnn.lark").read_text(encoding="utf-8")
    lexer = TerminalLexer(Lark(grammar, parser="lalr", lexer="basic", strict=True, postlex=LineRule()).lexer_conf)
    for path in sorted(examples.glob("*.cnn")):
        source = Source(str(path), path.read_text())
        seen = LineRule().process(lexer.lex(source.text))
        assert [(str(t.type), "" if t.type == "_SEP" else str(t)) for t in seen] == significant(source)


def test_a_long_comment_is_read_in_no_time() -> None:
    begin = time.process_time()
    assert len(cnn.parse("#" * 2_000_000 + "\nnetwork n(x: f32[1]) { x -> relu }\n" + "#\n" * 20_000 + "#" * 2_000_000)) == 2
    assert time.process_time() - begin < 10
