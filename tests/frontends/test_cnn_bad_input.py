"""Hostile and mistaken texts: each ends in diagnostics, quickly, and never in anything else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnir.diagnostics import CnnirError, Diagnostic
from cnnir.frontends import cnn
from cnnir.render import render


def network(body: str, before: str = "") -> str:
    return f"{before}\nnetwork n(x: f32[1, 8, 9, 9]) {{\n{body}\n}}"


def problems(text: str) -> list[Diagnostic]:
    with pytest.raises(CnnirError) as caught:
        cnn.parse(text)
    assert caught.value.exit_code == 1
    render(caught.value.diagnostics)
    return list(caught.value.diagnostics)


def doubling(n: int) -> str:
    return "block b0 = relu -> relu\n" + "".join(f"block b{i + 1} = b{i} -> b{i}\n" for i in range(n))


HOSTILE = {
    "a chain of a million layers": (network("x" + " -> relu" * 1_000_000), "C0105"),
    "a hundred thousand brackets": (network("x -> " + "[" * 100_000 + "relu" + "]" * 100_000), "C0105"),
    "unclosed brackets": (network("x -> " + "[" * 900), "C0104"),
    "a billion repetitions": (network("x -> [relu]*1000000000"), "C0105"),
    "a name of a megabyte": (network("x -> " + "a" * 1_000_000), "C0105"),
    "a quoted name of a megabyte": (network('x -> conv(8, 3, name="' + "a" * 1_000_000 + '")'), "C0105"),
    "a number beyond float64": (network("x -> leaky(1e999)"), "C0106"),
    "a product beyond float64": (network("x -> leaky(1e300*1e300)"), "C0106"),
    "a product beyond int64": (network("x -> conv(9000000000*9000000000, 3)"), "C0106"),
    "a hundred thousand digits": (network("x -> leaky(" + "1" * 100_000 + ")"), "C0106"),
    "division by zero": (network("x -> leaky(1/0)"), "C0106"),
    "not a number": (network("x -> leaky(nan + 1)"), "C0106"),
    "NUL": (network("x -> \0relu"), "C0102"),
    "text direction": (network("x -> relu # \u202e"), "C0102"),
    "a look-alike name": (network("x -> r\u0435lu"), "C0102"),
    "an escape that is none": (network(r'"\q" = x -> relu'), "C0102"),
    "an escape beyond Unicode": (network(r'"\u{110000}" = x -> relu'), "C0102"),
    "an unterminated string": (network('x -> conv(8, 3, weight="abc)'), "C0103"),
    "a stray sign": (network("x -> relu @ 3"), "C0101"),
    "a deep expression": (network("x -> f", "activation f(x) = " + "+".join("x" * 5000)), "C0105"),
    "a hundred thousand signs": (network("x -> f", "activation f(x) = " + "-" * 100_000 + "x"), "C0105"),
    "an expression that doubles": (
        network("x -> f9", "activation f0(x) = x*x\n" + "".join(f"activation f{i + 1}(x) = f{i}(x)*f{i}(x)\n" for i in range(60))),
        "C0105",
    ),
    "deep calls": (network("x -> f", "activation f(x) = " + "exp(" * 900 + "x" + ")" * 900), "C0105"),
    "windows beyond memory": (network("x -> adaptive_avgpool(2000000000)"), "C0210"),
    "pads beyond memory": (network("x -> maxpool(2000000000, pad=2000000000)"), "C0210"),
    "channels beyond memory": (network("x -> conv(9000000000000000000, 3)"), "C0210"),
    "a type beyond int64": ("network n(x: f32[2147483647, 2147483647, 2147483647]) { x }", "C0210"),
    "blocks nested beyond the cap": (
        network("x -> b3000", "block b0 = relu\n" + "".join(f"block b{i + 1} = b{i}\n" for i in range(3000))),
        "C0105",
    ),
    "nothing": ("", "C0307"),
    "a web page": ("<!DOCTYPE html>\n<html></html>", "C0101"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_texts_end_in_one_diagnostic_quickly(what: str) -> None:
    text, code = HOSTILE[what]
    begin = time.process_time()
    found = problems(text)
    assert [d.code for d in found] == [code]
    assert time.process_time() - begin < 10


WRITTEN_OUT = {
    "blocks that double": network("x -> b40", doubling(40)),
    "repetitions of repetitions": network("x -> [[[relu]*999]*999]*999"),
    "repetitions of nothing": network("x -> [[[b]*999]*999]*999", "block b() { in }"),
    "sizes that differ": network(
        "x -> b39(1)",
        "block b0(n) = [relu]*n\n" + "".join(f"block b{i + 1}(n) = b{i}(n*2) -> b{i}(n*2 + 1)\n" for i in range(39)),
    ),
    "statements without arrows": network("\n".join(f"a{i} = relu(x)" for i in range(2001))),
}


@pytest.mark.parametrize("what", ["blocks that double", "repetitions of repetitions", "repetitions of nothing", "sizes that differ"])
def test_what_explodes_is_counted_and_never_built(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At full size. That no layer is added, and no step gone through, says more than a clock."""
    import cnnir.frontends.cnn.elaborate as elaborate

    def build(*_: object) -> None:
        raise AssertionError("building has begun")

    monkeypatch.setattr(elaborate.Elaborator, "_statement", build)
    assert {d.code for d in problems(WRITTEN_OUT[what])} == {"C0105"}


@pytest.mark.parametrize("what", WRITTEN_OUT)
def test_what_grows_when_written_out_ends_at_the_cap(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the caps a hundredth of what they are, to keep the test short."""
    import cnnir.frontends.cnn.elaborate as elaborate
    import cnnir.frontends.cnn.layers as layers

    monkeypatch.setattr(layers, "MAX_LAYERS", layers.MAX_LAYERS // 100)
    monkeypatch.setattr(elaborate, "MAX_STEPS", elaborate.MAX_STEPS // 100)
    assert {d.code for d in problems(WRITTEN_OUT[what])} == {"C0105"}


def test_deep_nesting_within_the_cap_is_fine() -> None:
    assert len(cnn.parse(network("x -> " + "[" * 990 + "relu" + "]" * 990))) == 2
    assert len(cnn.parse(network("x -> conv(" + "(" * 990 + "8" + ")" * 990 + ", 1)"))) == 2
    assert len(cnn.parse(network("relu(" * 990 + "x" + ")" * 990))) == 991
    blocks = "block b0 = relu\n" + "".join(f"block b{i + 1} = b{i}\n" for i in range(999))
    assert len(cnn.parse(network("x -> b999", blocks))) == 2


MISTAKES = [
    ("x -> reluu", "C0211", "reluu", "did you mean `relu`?"),
    ("first = x -> relu\nfrist -> abs", "C0305", "frist", "did you mean `first`?"),
    ("x -> conv(8, 3, pda=1)", "C0212", "pda=1", "did you mean `pad`?"),
    ('x -> conv(8, 3, wieght="k")', "C0212", 'wieght="k"', "did you mean `weight`?"),
    ('x -> relu(weight="k")', "C0212", 'weight="k"', "it has none"),
    ("x -> conv(8)", "C0213", "conv(8)", "write `conv(out, kernel)`"),
    ("x -> conv(8.5, 3)", "C0214", "8.5", None),
    ("x -> conv(8, [3, 3, 3])", "C0214", "[3, 3, 3]", None),
    ("x -> conv(8, 3, bias=maybe)", "C0214", "bias=maybe", None),
    ("x -> gelu(form=tan)", "C0214", "form=tan", "did you mean `tanh`?"),
    ("x -> relu(3)", "C0215", "3", None),
    ("x -> conv(8, 3, out=8)", "C0216", "out=8", None),
    ("x -> maxpool(0)", "C0206", "maxpool(0)", None),
    ("x -> maxpool(2, stride=0)", "C0206", "maxpool(2, stride=0)", None),
    ("x -> conv(8, 3, pad=-1)", "C0206", "conv(8, 3, pad=-1)", "crop with `slice` instead"),
    ("x -> conv(8, 0, pad=same)", "C0206", "pad=same", None),
    ("x -> clip(1, 0)", "C0206", "clip(1, 0)", None),
    ("x -> fc(3)", "C0202", "fc(3)", "put `flatten` in front of it"),
    ("relu", "C0305", "relu", "write `x -> relu`"),
    ("relu()", "C0201", "relu()", "write `x -> relu()`"),
    ("add(1, 2)", "C0201", "add(1, 2)", "write `x -> add(1, 2)`"),
    ("x -> add", "C0201", "add", None),
    ("x + y", "C0305", "y", None),
    ("-y", "C0305", "y", None),
    ("1 + 2 * 3", "C0214", "1 + 2 * 3", None),
    ("x + (x -> maxpool(2))", "C0204", "x + (x -> maxpool(2)", None),
    ("x + 1 / 0", "C0106", "1 / 0", None),
    ("in -> relu", "C0305", "in", None),
    ("3 -> relu", "C0214", "3", None),
    ("a = x -> relu; a = x -> abs", "C0306", "a", None),
    ('x -> conv(8, 1, name="k") -> conv(8, 1, name="k")', "C0306", 'name="k"', None),
    ("return x, x", "C0306", "x", None),
    ("return x\nx -> relu", "C0303", "return x", None),
    ("p = x -> split(2)", "C0221", "p = x -> split(2)", "give each output its name: `a, b = ...`"),
    ("p, q = x -> relu", "C0221", "p, q = x -> relu", None),
    ("x -> split(2) -> relu", "C0221", "split(2)", "give each output its name: `a, b = ...`"),
    ("add(x, none)", "C0201", "add(x, none)", None),
    ('x -> onnx.Op{alpha=1}', "C0213", "onnx.Op{alpha=1}", "write `onnx.Op{outputs=[f32[1, 8]]}`"),
    ('x -> onnx.Op{outputs=[1]}', "C0214", "outputs=[1]", "write `outputs=[f32[1, 8], i64[1]]`"),
    ('x -> onnx.Op{outputs=f32[1], a=same}', "C0214", "a=same", 'write `"same"`'),
    ('x -> onnx.Op{outputs=f32[1], a=base64("!")}', "C0214", 'base64("!")', None),
    ("x -> resize", "C0213", "resize", "write `resize(2)`"),
    ("x -> reshape(3, 7)", "C0204", "reshape(3, 7)", None),
    ("x -> transpose(0, 0, 1, 2)", "C0209", "transpose(0, 0, 1, 2)", None),
    ("x -> slice(9, 3)", "C0206", "slice(9, 3)", None),
    ("x -> cast(f33)", "C0214", "f33", "did you mean `f32`?"),
    ("x -> conv_transpose(4, 3, pad=same)", "C0214", "pad=same", None),
    ("x -> cast(bool) -> relu", "C0205", "relu", "put `cast(f32)` in front of it"),
    ("x -> input", "C0211", "input", None),
    ("x -> [relu]*-1", "C0101", "-", None),
    ("x -> [relu]*(0-1)", "C0214", "0-1", None),
    ("x -> [relu]*1.5", "C0214", "1.5", None),
    ("x relu", "C0101", "relu", "data go along arrows: `x -> relu`"),
    ("x -> conv relu", "C0101", "relu", "data go along arrows: `conv -> relu`"),
    ("let y = x -> relu", "C0101", "y", None),
    ("retrun x", "C0101", "x", "did you mean `return`?"),
    ("x => relu", "C0101", "=>", "an arrow is written `->`"),
    ("x > relu", "C0101", ">", "an arrow is written `->`"),
    ("x \u2192 relu", "C0101", "\u2192", "an arrow is written `->`"),
    ("y == x -> relu", "C0101", "=", "a value is given its name with one `=`"),
    ("x -> [relu]**2", "C0101", "*", "write `x*x` for a square, and `[relu]*2` for a chain twice over"),
    ("x -> relu // why", "C0101", "/", "a comment begins with `#`"),
    ("conv(x, 3)", "C0213", "conv(x, 3)", "data come through `->`, and arguments are attributes: write `x -> conv(out, kernel)`"),
    ("x -> depthwise", "C0213", "depthwise", "write `depthwise(kernel)`"),
    ("x -> conv(8, 3, name=3)", "C0214", "name=3", 'write `name="3"`'),
    ("x -> conv(8, 3, weight=w)", "C0214", "weight=w", 'write `weight="w"`'),
    ("x -> depthwise(3, name=a)", "C0214", "name=a", 'write `name="a"`'),
    ("x -> conv(8, kernal=3)", "C0212", "kernal=3", "did you mean `kernel`?"),
    ('x -> gelu(form="tanh")', "C0214", 'form="tanh"', "write `form=tanh`"),
    ('x -> pad(1, mode="edge")', "C0214", 'mode="edge"', "write `mode=edge`"),
    ("x -> clip(nan, 1)", "C0106", "nan", None),
    ("x -> add(nan)", "C0106", "nan", None),
    ("x -> quantize(nan, 0)", "C0106", "nan", None),
    ("x -> quantize(0, 0)", "C0206", "quantize(0, 0)", None),
    ("x -> quantize(-1, 0)", "C0206", "quantize(-1, 0)", None),
    ("x -> quantize(1, 300)", "C0206", "quantize(1, 300)", None),
    ("x -> maxpool(2, pad=2)", "C0208", "maxpool(2, pad=2)", "use a smaller pad: less than the kernel"),
    ("x -> conv(8, 3, dilation=0)", "C0206", "conv(8, 3, dilation=0)", None),
    ("x -> conv(8, 99)", "C0203", "conv(8, 99)", "use a smaller kernel, or `pad`"),
    ("y = y -> relu", "C0305", "y", None),
    ("weights = x -> relu", "C0101", "weights", '`weights` is a word of the language; to use it as a name, quote it: `"weights"`'),
]  # fmt: skip


@pytest.mark.parametrize(("body", "code", "piece", "help"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_mistakes_are_pointed_at(body: str, code: str, piece: str, help: str | None) -> None:
    (found,) = problems(network(body))
    primary = [label.span.text for label in found.labels if label.primary]
    assert (found.code, primary, found.help) == (code, [piece], help)


ITEMS = [
    ("block b(c) = conv(c, 1)\nnetwork n(x: f32[1, 2]) { x -> b }", "C0213", "b"),
    ("block b(c) = conv(c, 1)\nnetwork n(x: f32[1, 2]) { x -> b(same) }", "C0214", "same"),
    ("block b(c) = conv(c, 1)\nnetwork n(x: f32[1, 2]) { x -> b(2, 3) }", "C0215", "3"),
    ("block b() { return in }\nnetwork n(x: f32[1, 2]) { x -> b }", "C0303", "return in"),
    ("block b(c) { c = in -> relu }\nnetwork n(x: f32[1, 2]) { x -> b(1) }", "C0306", "c"),
    ("block b = relu\nblock b = abs", "C0306", "b"),
    ("block b = relu\nnetwork n(x: f32[1, 2]) { add(x, b) }", "C0305", "b"),
    ("network n(x: f32[1]) { x }\nnetwork n(x: f32[1]) { x }", "C0306", "n"),
    ('weights "a"\nweights "b"\nnetwork n(x: f32[1]) { x }', "C0306", 'weights "b"'),
    ("activation relu(x) = x", "C0306", "relu"),
    ("activation f(x, y) = x", "C0220", "y"),
    ("activation f(x) = y", "C0305", "y"),
    ("activation f(x) = relu", "C0305", "relu"),
    ("activation f(x) = reluu(x)", "C0211", "reluu"),
    ("activation f(x) = prelu(x)", "C0219", "prelu"),
    ("activation f(x) = max(x)", "C0201", "max(x)"),
    ("activation f(x) = clip(x, 1, 0)", "C0206", "clip(x, 1, 0)"),
    ("activation f(x) = x -> relu", "C0101", "->"),
    ("activation f(x) = f(x)", "C0308", "f"),
    ("activation f(x) = 2 * max(x, g(x))\nactivation g(x) = x", "C0308", "g"),
    ("activation f(x) = x + nan", "C0106", "nan"),
    ("block b = reluu\nnetwork n(x: f32[1]) { x }", "C0211", "reluu"),
    ("block b { y = z -> relu }\nnetwork n(x: f32[1]) { x }", "C0305", "z"),
    ("block b { y = in -> relu\nreturn y }\nnetwork n(x: f32[1]) { x }", "C0303", "return y"),
    ("block b = b\nnetwork n(x: f32[1]) { x }", "C0308", "b"),
    ("block b(n) = [relu -> c(n)]*n\nblock c(n) = relu\nnetwork n(x: f32[1]) { x }", "C0308", "c(n)"),
    ("netwrok n(x: f32[1]) { x }", "C0101", "netwrok"),
    ("network n(x: f33[1]) { x }", "C0218", "f33[1]"),
    ("network n(x: f32[N]) { x }", "C0222", "N"),
    ("network n(x: f32[1, -1]) { x }", "C0210", "-1"),
    ("network n(x: f32[1], x: f32[1]) { x }", "C0306", "x"),
]


@pytest.mark.parametrize(("text", "code", "piece"), ITEMS, ids=[i[0] for i in ITEMS])
def test_wrong_definitions_are_pointed_at(text: str, code: str, piece: str) -> None:
    found = problems(text)[0]
    assert (found.code, next(label.span.text for label in found.labels if label.primary)) == (code, piece)


def test_unused_blocks_that_could_be_used_are_fine() -> None:
    blocks = """block b(n, c) = [conv(c, 3, pad=1) -> f -> onnx.Op{outputs=f32[1], a=text("b")}]*n
block d(n) { a = in -> b(n, 3); c = add(a, in); c -> relu }
"""
    assert len(cnn.parse(network("x", "activation f(x) = x*x\n" + blocks))) == 1


@pytest.mark.parametrize("word", ["netwrok", "blok", "activatoin", "wieghts"])
def test_misspelt_words_of_the_language_are_known(word: str) -> None:
    right = {"netwrok": "network", "blok": "block", "activatoin": "activation", "wieghts": "weights"}[word]
    (found,) = problems(f"{word} b\n")
    assert found.help == f"did you mean `{right}`?"


def test_the_escape_of_a_forbidden_character_is_its_own() -> None:
    for character, escape in (("\0", r"\u{0}"), ("\u202e", r"\u{202e}"), ("\ufeff", r"\u{feff}")):
        (found,) = problems(network(f"x -> relu # {character}"))
        assert found.help == f"remove it; in a quoted name, write it as the escape `{escape}`"


@pytest.mark.parametrize("layer", ["conv(3, 3)", "maxpool(2)", "avgpool(2)", "conv_transpose(3, 3)", "depthwise(3)", "global_maxpool"])
@pytest.mark.parametrize("type", ["f32[9]", "f32[1, 2]", "f32[1, 2, 3, 4, 5, 6]"])
def test_ranks_that_are_meant_are_said(type: str, layer: str) -> None:
    (found,) = problems(f"network n(x: {type}) {{ x -> {layer} }}")
    assert found.code == "C0202" and found.message.endswith("needs an input of rank 3 to 5")


def test_independent_errors_are_reported_together_and_their_echoes_are_not() -> None:
    text = network("a = x -> relux\nb = x -> conv(8, 99)\nc = add(a, b)\nc -> q\nx -> f -> r", "activation f(x) = g(x)")
    assert [d.code for d in problems(text)] == ["C0211", "C0211", "C0203"]


def test_reporting_stops_somewhere() -> None:
    assert 20 <= len(problems(network("q -> relu\n" * 5000))) <= 25


def test_the_producer_of_an_unfit_input_is_shown() -> None:
    (found,) = problems(network("a = x -> conv(3, 1)\nb = a -> relu\nconcat(x, b, axis=2)"))
    assert [(label.span.text, label.text, label.primary) for label in found.labels] == [
        ("concat(x, b, axis=2)", "", True),
        ("relu", "this is f32[1, 3, 9, 9]", False),
    ]


def test_files_that_are_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.cnn")
    for path in (tmp_path / "missing.cnn", tmp_path, tmp_path / "fifo.cnn", Path("/dev/zero"), tmp_path / ("a" * 5000)):
        with pytest.raises(CnnirError, match="C0401") as caught:
            cnn.load(path)
        assert caught.value.exit_code == 2


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "a.cnn").write_bytes(b"network n(x: f32[1]) {\n  x -> \xffrelu }")
    with pytest.raises(CnnirError, match="C0107") as caught:
        cnn.load(tmp_path / "a.cnn")
    assert caught.value.diagnostics[0].labels[0].span.location.endswith("a.cnn:2:8")


PIECES = [
    "network n(x: f32[1, 4, 8, 8]) {",
    "}",
    "\n",
    "x",
    " -> ",
    "relu",
    "conv(2, 3)",
    "[",
    "]*2",
    "(",
    ")",
    "block b = ",
    "activation f(x) = ",
    "+",
    "-",
    "3",
    "=",
    ",",
    ";",
    '"',
    "in",
    "return ",
    "#",
]


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=25).map("".join)))
def test_any_text_gives_a_network_or_diagnostics(text: str) -> None:
    shown = "a network"
    try:
        cnn.parse(text)
    except CnnirError as error:
        shown = render(error.diagnostics)
    assert shown
