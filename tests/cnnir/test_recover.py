"""Blocks are found in networks that have none, and read back as what they stand for."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cnnir
from cnnir.frontends.cnn.formatting import format_text
from cnnir.ir.graph import Graph, Value
from cnnir.ir.weights import Seeded
from cnnir.ops.tensor import Input


def imported(graph: Graph, prefix: str = "vgg0") -> Graph:
    """The network as an importer would make it: names and keys of another framework, no word of blocks."""
    found, names, ordinals = Graph(graph.name), dict[str, str](), dict[str, int]()
    for layer in graph.layers():
        if isinstance(layer.op, Input):
            names[layer.name] = found.add_input(layer.name, layer.op.type, layer.op.range).layer
            continue
        ordinals[layer.op.name] = number = ordinals.get(layer.op.name, -1) + 1
        stem = f"{prefix}_{layer.op.name}{number}"
        inputs = [None if v is None else Value(names[v.layer], v.slot) for v in graph.operands(layer.name)]
        parameters = layer.op.parameters([found.type(v) for v in inputs if v is not None])
        for role, parameter in parameters.items():
            found.weights[f"{stem}_{role}"] = Seeded(f"{stem}_{role}", parameter)
        keys = {role: f"{stem}_{role}" for role in parameters}
        names[layer.name] = found.add(layer.op, inputs, name=f"{stem}_fwd", weights=keys).layer
    found.results = {name: Value(names[v.layer], v.slot) for name, v in graph.results.items()}
    return found


def parts(text: str) -> tuple[str, list[str]]:
    """A text without its listed names, and those."""
    body, _, listed = text.partition("\nweights ")
    return body, listed.splitlines()[1:-1]


def body_of(text: str) -> str:
    """The network of a text, its lines joined."""
    return " ".join(text[text.rindex("network ") :].split())


@pytest.mark.parametrize("net", ["vgg16", "vgg19"])
def test_an_imported_vgg_reads_like_the_example(net: str, examples: Path) -> None:
    graph = imported(cnnir.load(examples / f"{net}.cnn"))
    text = cnnir.dumps(graph)
    body, listed = parts(text)
    assert body_of(body) == body_of((examples / f"{net}.cnn").read_text())
    assert body.splitlines()[0] == "block stage(n, out) = [conv(out, 3, pad=1) -> relu]*n -> maxpool(2)"
    assert listed[0] == "    vgg0_conv0_fwd: vgg0_conv0_weight, vgg0_conv0_bias"
    assert len(listed) == sum(bool(layer.weights) for layer in graph.layers())
    again = cnnir.parse(text)
    assert again == graph
    kept = {layer.name: layer.weights for layer in again.layers() if layer.weights}
    assert kept == {layer.name: layer.weights for layer in graph.layers() if layer.weights}
    assert cnnir.dumps(again) == text


def test_the_examples_keep_their_blocks(examples: Path) -> None:
    for net, block in (
        ("vgg16", "block stage(n, out) = [conv(out, 3, pad=1) -> relu]*n -> maxpool(2)"),
        ("residual", "block residual(out) {"),
        ("alexnet", "block normalised(out, kernel, stride, pad, groups) ="),
    ):
        text = cnnir.dumps(cnnir.load(examples / f"{net}.cnn"))
        assert block in text
        assert "name=" not in text and "weights" not in text


def test_reordering_keeps_the_blocks(examples: Path) -> None:
    text = cnnir.dumps(cnnir.optimize(cnnir.load(examples / "vgg16.cnn"), place="always").graph)
    assert "block stage(n, out) = [conv(out, 3, pad=1) -> relu]*n -> conv(out, 3, pad=1) -> maxpool(2) -> relu" in text
    assert "image -> stage(1, 64) -> stage(1, 128) -> stage(2, 256) -> stage(2, 512) -> stage(2, 512)" in text
    assert "weights" not in text


FIRES = "\n".join(
    f"s{i} = v{i} -> conv({s}, 1) -> relu\na{i} = s{i} -> conv({4 * s}, 1) -> relu\n"
    f"b{i} = s{i} -> conv({4 * s}, 3, pad=1) -> relu\nv{i + 1} = concat(a{i}, b{i}){' -> maxpool(3, stride=2)' if i % 2 else ''}"
    for i, s in enumerate([16, 16, 32, 48, 64])
)
SQUEEZE = f"network squeeze(v0: f32[1, 64, 55, 55]) {{\n{FIRES}\nv5 -> conv(10, 1)\n}}"


BRANCHES = """block branches(out) {
    a = in -> conv(out, 1) -> relu
    b = a -> conv(4*out, 1) -> relu
    c = a -> conv(4*out, 3, pad=1) -> relu
    concat(b, c)
}

network squeeze(v0: f32[1, 64, 55, 55]) {
    v0 -> branches(16) -> branches(16) -> maxpool(3, stride=2) -> branches(32) -> branches(48)
          -> maxpool(3, stride=2) -> branches(64) -> conv(10, 1)
}
"""


def test_branches_become_blocks() -> None:
    body, _ = parts(cnnir.dumps(imported(cnnir.parse(SQUEEZE))))
    assert body == BRANCHES


def resnet(depths: list[int]) -> str:
    lines, value, count = ["v = x -> conv(8, 3, pad=1, bias=off) -> batchnorm -> relu"], "v", 0
    for stage, depth in enumerate(depths):
        for place in range(depth):
            count, c, s, shrinks = count + 1, 8 << stage, 2 if stage and not place else 1, stage > 0 and place == 0
            lines.append(
                f"y{count} = {value} -> conv({c}, 3, stride={s}, pad=1, bias=off) -> batchnorm -> relu "
                f"-> conv({c}, 3, pad=1, bias=off) -> batchnorm"
            )
            lines += [f"s{count} = {value} -> conv({c}, 1, stride=2, bias=off) -> batchnorm"] if shrinks else []
            lines.append(f"r{count} = add(y{count}, {f's{count}' if shrinks else value}) -> relu")
            value = f"r{count}"
    return "network resnet(x: f32[1, 3, 32, 32]) {\n" + "\n".join([*lines, f"{value} -> global_avgpool"]) + "\n}"


SHORTCUTS = """block unit(out, stride) = conv(out, 3, stride=stride, pad=1, bias=off) -> batchnorm -> relu
      -> conv(out, 3, pad=1, bias=off) -> batchnorm
block residual(out) = unit(out, 1) -> add(in) -> relu
block stage(out) {
    a = in -> unit(out, 2)
    b = in -> conv(out, 1, stride=2, bias=off) -> batchnorm
    add(a, b) -> relu -> residual(out)
}

network resnet(x: f32[1, 3, 32, 32]) {
    x -> conv(8, 3, pad=1, bias=off) -> batchnorm -> relu -> residual(8) -> residual(8) -> stage(16)
          -> stage(32) -> global_avgpool
}
"""


def test_blocks_use_blocks() -> None:
    graph = imported(cnnir.parse(resnet([2, 2, 2])))
    text = cnnir.dumps(graph)
    assert parts(text)[0] == SHORTCUTS
    assert cnnir.parse(text) == graph


def changed(one: Graph, two: Graph) -> int:
    before, after = (cnnir.dumps(graph).splitlines() for graph in (one, two))
    return sum(line[0] in "+-" for line in difflib.ndiff(before, after))


def test_a_layer_that_differs_changes_few_lines() -> None:
    one = cnnir.parse(resnet([3, 4, 6]))
    text = resnet([3, 4, 6])
    place = text.index("y9")
    two = cnnir.parse(text[:place] + text[place:].replace("-> relu", "-> tanh", 1))
    assert changed(imported(one), imported(two)) <= 10  # of 60: names and keys stay


def test_a_small_network_stays_as_it_is() -> None:
    text = """network n(x: f32[1, 4, 8, 8]) {
    x -> conv(4, 3, pad=1) -> relu -> maxpool(2) -> conv(8, 3, pad=1) -> relu -> maxpool(2)
}
"""
    assert cnnir.dumps(cnnir.parse(text)) == text
    assert "block" not in cnnir.dumps(imported(cnnir.parse(text)))


def test_what_reads_several_values_begins_no_repetition() -> None:
    """Found by a random network: `concat` of one value may follow an arrow, `concat` of four may not."""
    graph = cnnir.parse("network n(x: f32[1, 2, 2, 2]) { concat(x, x, x, x) -> [concat]*4 }")
    assert cnnir.parse(cnnir.dumps(graph)) == graph and "concat(x, x, x, x) -> " in cnnir.dumps(graph)


def test_one_foreign_weight_is_named_where_it_is_used() -> None:
    text = """network n(x: f32[1, 4, 8, 8]) {
    x -> conv(4, 3, pad=1) -> relu -> conv(4, 3, pad=1, weight="shared", bias="conv3.bias") -> conv(4, 1)
}
"""
    assert cnnir.dumps(cnnir.parse(text)) == text


@st.composite
def repetitive(draw: st.DrawFn) -> str:
    """Networks made of a few kinds of pieces, many times over, with numbers of their own."""
    kinds = draw(
        st.lists(
            st.sampled_from(
                [
                    "{v} -> [conv({c}, 3, pad=1) -> relu]*{n}",
                    "{v} -> conv({c}, {k}, pad={k}, bias=off) -> batchnorm -> leaky({a})",
                    "{v} -> depthwise(3, stride={n}, pad=1) -> relu6 -> conv({c}, 1)",
                    "p{i} = {v} -> conv(4, 3, pad=1) -> sigmoid -> conv(4, 1)\nadd({v}, p{i}) -> relu",
                    "p{i} = {v} -> conv({c}, 1) -> tanh\nq{i} = {v} -> conv(4, 3, pad=1)\nconcat(q{i}, p{i}) -> conv(4, 1)",
                    "p{i}, q{i} = {v} -> split(2)\nr{i} = q{i} -> conv(2, 1) -> relu\nconcat(p{i}, r{i}) -> mul({a})",
                    "{v} -> maxpool({k}, stride=1, pad={k}, dilation=3) -> sub({a}, x)",
                    "sub({a}, {v}) -> add({a}) -> conv(4, 1)",
                ]
            ),
            min_size=1,
            max_size=3,
        )
    )
    lines, value = list[str](), "x"
    for i in range(draw(st.integers(2, 10))):
        text = draw(st.sampled_from(kinds)).replace("-> sub({a}, x)", "-> sub({a})")
        numbers = {"c": draw(st.sampled_from([2, 4, 8])), "n": draw(st.integers(1, 3)), "k": draw(st.integers(1, 2))}
        *before, last = text.format(v=value, i=i, a=draw(st.sampled_from([0.5, -1.0, 1e-7])), **numbers).split("\n")
        lines += [*before, f"v{i} = {last} -> conv(4, {numbers['k']}, pad=1)"]
        value = f"v{i}"
        if draw(st.integers(0, 5)) == 0:
            lines.append(f"o{i} = {value} -> relu")
    kept = draw(st.sampled_from([value, f"{value}, v0", f"a = {value}, b = {value}"]))
    return f"network n(x: f32[1, 4, 12, 12]) {{\n{chr(10).join(lines)}\nreturn {kept}\n}}"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(repetitive(), st.booleans())
def test_repetitive_networks_read_back_equal(source: str, foreign: bool) -> None:
    graph = cnnir.parse(source)
    graph = imported(graph) if foreign else graph
    text = cnnir.dumps(graph)
    again = cnnir.parse(text)
    assert again == graph, text
    assert cnnir.dumps(again) == cnnir.dumps(cnnir.parse(cnnir.dumps(again)))
    tidy = format_text(text)
    assert format_text(tidy) == tidy and cnnir.parse(tidy) == graph
    keys = [sorted(key for layer in g.layers() for _, key in layer.weights) for g in (again, graph)]
    live = set(keys[0])
    assert live <= set(keys[1])
