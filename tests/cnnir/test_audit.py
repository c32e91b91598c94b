"""Audits: bugs that other optimizers had, right moves, and what nobody understands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import cnnir
from cnnir.auditing.report import Audit
from cnnir.cli import run_command
from cnnir.diagnostics import CnnirError
from cnnir.passes.place import place

TYPE = "f32[1, 4, 8, 8]"


def network(body: str, span: str = "", before: str = "") -> str:
    return f"{before}network n(x: {TYPE}{span}) {{\n    {body}\n}}\n"


def audit(a: str, b: str, span: str = "", before: str = "") -> Audit:
    return cnnir.audit(*(cnnir.parse(network(body, span, before)) for body in (a, b)), runs=4)


RIGHT = {
    "relu": ("x -> relu -> maxpool(2)", "x -> maxpool(2) -> relu", "up", "E"),
    "sigmoid": ("x -> sigmoid -> maxpool(2)", "x -> maxpool(2) -> sigmoid", "up", "C"),
    "the other way": ("x -> maxpool(2) -> relu", "x -> relu -> maxpool(2)", "up", "E"),
    "neg": ("x -> neg -> maxpool(3, stride=2)", "x -> minpool(3, stride=2) -> neg", "down", "E"),
    "a chain": ("x -> relu -> sigmoid -> global_maxpool", "x -> global_maxpool -> relu -> sigmoid", "up", "C"),
    "a valley": ("x -> abs -> maxpool(2)", "max(x -> maxpool(2) -> abs, x -> minpool(2) -> abs)", "valley", "E"),
    "a peak": ("x -> abs -> neg -> minpool(2)", "min(x -> maxpool(2) -> abs -> neg, x -> minpool(2) -> abs -> neg)", "valley", "E"),
    "two pools as one": ("x -> maxpool(2) -> maxpool(2)", "x -> maxpool(4)", "cascade", "E"),
    "one pool as two": ("x -> minpool(3, stride=1)", "x -> minpool(2, stride=1) -> minpool(2, stride=1)", "cascade", "E"),
    "concat, then relu": ("concat(x, x) -> relu", "concat(x -> relu, x -> relu)", "concat", "E"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_moves_are_proved(name: str) -> None:
    a, b, law, float_class = RIGHT[name]
    done = audit(a, b)
    assert [(r.verdict, r.law, r.float_class) for r in done.reorderings] == [("proved", law, float_class)], done.reorderings
    assert done.proved and done.runs.compared and done.runs.mismatch is None


WRONG = {
    "TensorFlow: reciprocal as decreasing": ("x -> reciprocal -> maxpool(2)", "x -> minpool(2) -> reciprocal", "down", ""),
    "OpenVINO GNA: abs as increasing": ("x -> abs -> maxpool(2)", "x -> maxpool(2) -> abs", "up", ""),
    "a negative slope": ("x -> leaky(-0.25) -> maxpool(2)", "x -> maxpool(2) -> leaky(-0.25)", "up", ""),
    "silu": ("x -> silu -> maxpool(2)", "x -> maxpool(2) -> silu", "up", ""),
    "relu and an average": ("x -> relu -> avgpool(2)", "x -> avgpool(2) -> relu", "affine", ""),
    "a shift and a pool that starts from 1": ("x -> add(3) -> maxpool(2, start=1)", "x -> maxpool(2, start=1) -> add(3)", "up", ""),
    "neg and the same pool": ("x -> neg -> maxpool(2)", "x -> maxpool(2) -> neg", "up", ""),
    "relu and the dual": ("x -> relu -> maxpool(2)", "x -> minpool(2) -> relu", "down", ""),
    "a bias and counted padding": (
        "x -> add(1) -> avgpool(3, stride=1, pad=1, count_include_pad=on)",
        "x -> avgpool(3, stride=1, pad=1, count_include_pad=on) -> add(1)", "affine", "",
    ),
    "a convolution and a max pool": ("x -> conv(4, 1) -> maxpool(2)", "x -> maxpool(2) -> conv(4, 1)", "pointwise", ""),
    "a peak's maximum": (
        "x -> square -> neg -> maxpool(2)", "max(x -> maxpool(2) -> square -> neg, x -> minpool(2) -> square -> neg)", "valley", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_moves_come_with_data_on_which_both_orders_were_run(name: str) -> None:
    a, b, law, span = WRONG[name]
    done = audit(a, b, span)
    (found,) = done.reorderings
    assert (found.verdict, found.law) == ("wrong", law), found
    assert found.witness is not None and found.witness.before != found.witness.after
    assert not done.proved and not done.acceptable("ulp")


def test_the_witness_is_real() -> None:
    (found,) = audit("x -> abs -> maxpool(2)", "x -> maxpool(2) -> abs").reorderings
    assert found.witness is not None
    window = np.asarray(found.witness.window)
    assert {found.witness.before, found.witness.after} == {np.abs(window).max(), abs(window.max())}


def test_prelu_slopes_of_one_sign_matter(tmp_path: Path) -> None:
    graph = cnnir.parse(network("x -> prelu -> maxpool(2)"))
    moved = cnnir.parse(network("x -> maxpool(2) -> prelu"))
    assert [r.verdict for r in cnnir.audit(graph, moved, runs=2).reorderings] == ["proved"]
    for each in (graph, moved):
        each.weights["prelu1.slope"] = np.array([0.25, 0.25, -0.25, 0.25], np.float32)
    assert [r.verdict for r in cnnir.audit(graph, moved, runs=2).reorderings] == ["wrong"]


def test_the_range_of_the_data_counts() -> None:
    a, b = "x -> reciprocal -> maxpool(2)", "x -> minpool(2) -> reciprocal"
    assert audit(a, b, " in [0.5, 2]").proved
    a, b = "x -> silu -> maxpool(2)", "x -> maxpool(2) -> silu"
    assert audit(a, b, " in [0, 4]").proved


BOUNDED = {
    "softsign": ("x -> softsign -> maxpool(2)", "x -> maxpool(2) -> softsign", "up"),
    "an affine layer and an average": ("x -> mul(0.3) -> add(1) -> avgpool(2)", "x -> avgpool(2) -> mul(0.3) -> add(1)", "affine"),
    "a convolution and an average": ("x -> conv(2, 1) -> avgpool(2)", "x -> avgpool(2) -> conv(2, 1)", "pointwise"),
    "silu as a valley": ("x -> silu -> maxpool(2)", "max(x -> maxpool(2) -> silu, x -> minpool(2) -> silu)", "valley"),
}


@pytest.mark.parametrize("name", BOUNDED)
def test_what_re_rounds_is_within_a_bound(name: str) -> None:
    a, b, law = BOUNDED[name]
    done = audit(a, b, " in [-3, 3]")
    (found,) = done.reorderings
    assert (found.verdict, found.law) == ("within a bound", law), found
    assert found.bound is not None and 0 < found.bound < 1e-4
    assert done.acceptable("ulp") and not done.acceptable("exact")


def test_several_moves_in_a_row() -> None:
    done = audit("x -> relu -> maxpool(2) -> maxpool(2)", "x -> maxpool(2) -> maxpool(2) -> relu")
    assert [r.verdict for r in done.reorderings] == ["proved", "proved"]
    a = "concat(x -> conv(2, 1) -> relu, x -> conv(3, 1) -> sigmoid) -> maxpool(2)"
    b = "concat(x -> conv(2, 1) -> maxpool(2) -> relu, x -> conv(3, 1) -> maxpool(2) -> sigmoid)"
    assert sorted(r.law for r in audit(a, b).reorderings) == ["concat", "up", "up"]


def test_what_is_not_understood_is_named() -> None:
    *_, found = audit("x -> relu -> maxpool(2)", "x -> maxpool(2) -> relu6").reorderings
    assert found.verdict == "not understood" and "relu1" in found.words and "relu6" in found.words
    (found,) = audit("x -> add(1) -> add(1)", "x -> add(2)").reorderings
    assert found.verdict == "not understood"


def test_equal_networks_by_other_names() -> None:
    done = cnnir.audit(cnnir.parse(network("a = x -> relu\n a -> maxpool(2)")), cnnir.parse(network("x -> relu -> maxpool(2)")), runs=2)
    assert done.reorderings == () and done.proved


def test_our_own_moves_are_proved() -> None:
    graph = cnnir.parse(f"network n(x: {TYPE} in [-1, 1]) {{ x -> conv(9, 1) -> scale -> relu -> maxpool(2) -> abs -> maxpool(2) }}")
    done = place(graph, "always")
    assert {d.law for d in done.decisions if d.verdict == "moved"} >= {"channel"}
    found = cnnir.audit(graph, done.graph, runs=2)
    assert found.proved, found.reorderings
    assert "channel" in {r.law for r in found.reorderings}


def test_other_inputs_are_refused() -> None:
    with pytest.raises(CnnirError, match="C0605"):
        cnnir.audit(cnnir.parse("network n(x: f32[1, 8]) { x -> relu }"), cnnir.parse("network n(x: f32[1, 9]) { x -> relu }"))


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bodies = {
        "a": "x -> relu -> maxpool(2)",
        "b": "x -> maxpool(2) -> relu",
        "c": "x -> minpool(2) -> relu",
        "d": "x -> relu -> avgpool(2)",
    }
    for name, body in bodies.items():
        (tmp_path / f"{name}.cnn").write_text(network(body))
    a, b, c = (str(tmp_path / f"{name}.cnn") for name in "abc")
    assert run_command(["audit", a, a, "--runs", "1"]) == 0
    assert "the networks are the same" in capsys.readouterr().out
    assert run_command(["audit", a, b]) == 0
    assert "proved         up: relu1 and maxpool" in capsys.readouterr().out
    assert run_command(["audit", a, c, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "cnnir.audit/1" and document["reorderings"][0]["verdict"] == "wrong"
    assert run_command(["audit", a, c]) == 1
    assert "on the window [" in capsys.readouterr().out
    assert run_command(["audit", a, str(tmp_path / "no.cnn")]) == 2
