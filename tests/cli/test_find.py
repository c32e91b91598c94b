"""`cnnc find`: the paper's regular expression over layers."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnnir
from cnnir.cli import run_command
from cnnir.diagnostics import CnnirError
from cnnir.find.search import Part, find
from cnnir.frontends import pattern

PAPER = "[[CONV -> ACT]*N -> POOL?]*M"


def chain(layers: str) -> cnnir.Graph:
    return cnnir.parse(f"activation steps(x) = floor(x)\nnetwork n(x: f32[1, 2, 8, 8]) {{ x -> {layers} }}")


def found(layers: str, text: str) -> list[list[str]]:
    return [[layer.name for layer in match.layers] for match in find(chain(layers), pattern.parse(text))]


def counts(part: Part) -> dict[str, object]:
    return {
        r.name: [counts(i) for i in r.iterations] if any(i.repetitions for i in r.iterations) else len(r.iterations)
        for r in part.repetitions
    }


def test_vgg16_is_five_groups(examples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["find", PAPER, str(examples / "vgg16.cnn"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "cnnir.find/1"
    (match,) = document["matches"]
    assert match["counts"] == {"M": 5}
    assert [i["counts"]["N"] for i in match["repetitions"][0]["iterations"]] == [2, 2, 3, 3, 3]
    assert match["layers"][0]["location"].endswith("vgg16.cnn:5:22")
    assert run_command(["find", PAPER, str(examples / "vgg16.cnn")]) == 0
    text = capsys.readouterr().out
    assert "M = 5" in text and re.findall(r"N = (\d)", text) == list("22333") and "stage5/maxpool1" in text


@pytest.mark.parametrize(
    ("layers", "text", "matches"),
    [
        ("relu -> sigmoid -> maxpool(2)", "ACT -> POOL", [["sigmoid1", "maxpool1"]]),
        ("relu -> relu -> relu", "relu -> relu", [["relu1", "relu2"]]),
        ("relu -> relu -> relu", "relu*", [["relu1", "relu2", "relu3"]]),
        ("relu -> relu -> relu", "relu*2", [["relu1", "relu2"]]),
        ("relu -> maxpool(2) -> steps", "relu | steps", [["relu1"], ["steps1"]]),
        ("relu -> maxpool(2) -> steps", "maxpool -> activation?", [["maxpool1", "steps1"]]),
        ("flatten -> fc(3) -> softmax", "FC -> ANY", [["fc1", "softmax1"]]),
        ("conv(2, 1) -> depthwise(1)", "depthwise", [["depthwise1"]]),
        ("dropout -> batchnorm", "ACT", []),
        ("relu", "conv?", []),
        ("relu -> relu -> maxpool(2)", "relu | relu -> relu -> maxpool", [["relu1", "relu2", "maxpool1"]]),
    ],
)
def test_matches_are_leftmost_longest_and_apart(layers: str, text: str, matches: list[list[str]]) -> None:
    assert found(layers, text) == matches


def test_a_chain_ends_where_somebody_else_reads() -> None:
    graph = cnnir.parse("network n(x: f32[1, 2, 8, 8]) {\n y = x -> conv(2, 1) -> relu\n add(y, y) -> relu -> maxpool(2)\n}")
    names = [[layer.name for layer in match.layers] for match in find(graph, pattern.parse("ANY*"))]
    assert names == [["x", "conv1", "relu1"], ["add1", "relu2", "maxpool1"]]
    assert find(graph, pattern.parse("relu -> add")) == []


def test_nested_counts_may_be_zero_and_empty_iterations_do_not_exist() -> None:
    graph = chain("maxpool(2) -> relu -> maxpool(2) -> relu -> relu")
    (match,) = find(graph, pattern.parse("[ACT*N -> POOL?]*M"))
    assert counts(match) == {"M": [{"N": 0}, {"N": 1}, {"N": 2}]}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from("rst"), min_size=1, max_size=9), st.recursive(
    st.sampled_from("rst"),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["?", "*", "{2}"])).map(lambda p: f"(?:{p[0]}){p[1]}"),
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda p: f"(?:{p[0]}|{p[1]})"),
    ),
    max_leaves=6,
))  # fmt: skip
def test_the_longest_match_is_the_one_that_brute_force_finds(letters: list[str], expression: str) -> None:
    word = {"r": "relu", "s": "sigmoid", "t": "tanh"}
    text = "".join(letters)
    spelled = expression.replace("(?:", "[").replace(")", "]").replace("{2}", "*2")
    spelled = re.sub(r"(?<=[rst\]?*2])(?=[rst\[])", " -> ", spelled)
    spelled = re.sub("[rst]", lambda m: word[m.group()], spelled)
    expected, start = [], 0
    while start < len(text):
        ends = [end for end in range(start + 1, len(text) + 1) if re.fullmatch(expression, text[start:end])]
        if ends:
            expected.append(ends[-1] - start)
        start = ends[-1] if ends else start + 1
    layers = " -> ".join(word[c] for c in letters)
    assert [len(m) for m in found(layers, spelled)] == expected


@pytest.mark.parametrize(
    ("text", "code", "column"),
    [
        ("CONV -> ", "C0101", 7), ("[CONV", "C0101", 5), ("CONV $ ACT", "C0101", 6), ("relu**", "C0101", 6), ("", "C0101", 1),
        ("relu -> maxpol", "C0211", 9), ("conv*N -> relu*N", "C0306", 16), ("relu*99999", "C0105", 6), ("[" * 60, "C0105", 51),
    ],
)  # fmt: skip
def test_a_bad_pattern_is_shown_with_a_caret(text: str, code: str, column: int, examples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["find", text, str(examples / "fire.cnn")]) == 2
    shown = capsys.readouterr().err
    assert f"error[{code}]" in shown and f"<pattern>:1:{column}\n" in shown and "^" in shown


def test_a_pattern_that_unfolds_without_end_is_refused() -> None:
    with pytest.raises(CnnirError) as caught:
        found("relu", "[[[relu*9]*9]*9]*9")
    assert caught.value.diagnostics[0].code == "C0105"


def test_no_pattern_is_slow_on_a_long_chain() -> None:
    graph = chain("[relu -> sigmoid]*5000")
    start = time.perf_counter()
    for text in ("[[ACT*]*]*A -> fc", "[relu? -> sigmoid?]*N -> tanh", "[relu | relu -> sigmoid -> relu]*", "[ACT -> ACT?]*20"):
        find(graph, pattern.parse(text))
    assert time.perf_counter() - start < 20
