"""cnnc sweep, and what it changes in the proofs of the other verbs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnnir
from cnnir.cli import run_command
from cnnir.facts.precision import precision
from cnnir.passes.sweepable import primitive, sweepable

HALF = """\
network half(x: f16[1, 3, 8, 8]) {
    x -> conv(4, 3, pad=1) -> silu -> maxpool(2) -> conv(4, 3, pad=1) -> sigmoid -> maxpool(2) -> tanh -> conv(4, 1) -> relu -> maxpool(2)
}
"""
RISING = "network n(x: f16[1, 3, 8, 8] in [0, 8]) { x -> steep -> maxpool(2) }"


def ask(*arguments: object) -> int:
    return run_command([str(a) for a in arguments])


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "cnnir.sweep/1"
    return document["sweeps"]


@pytest.fixture
def half(tmp_path: Path) -> Path:
    path = tmp_path / "half.cnn"
    path.write_text(HALF)
    return path


def test_formulas_are_swept_once_and_kept(capsys: pytest.CaptureFixture[str], cache: Path) -> None:
    assert ask("sweep", "exp", "silu", "leaky(0.1)", "--dtype", "f16") == 0
    text = capsys.readouterr()
    assert "63,490 f16" in text.out and "valley at -1.27" in text.out and "cached" not in text.out
    assert "as compiled for llvm -mcpu=" in text.out and not text.err, "no progress where nobody watches"
    assert len(list((cache / "sweeps").iterdir())) == 3
    assert ask("sweep", "exp", "log", "--dtype", "f16", "--json") == 0
    exp, log = told(capsys)
    assert (exp["new"], log["new"]) == (False, True)
    assert (exp["violations"], exp["bound"], exp["first"], exp["range"]) == (0, 0.0, None, ["-inf", "inf"])
    assert (log["violations"], log["range"]) == (0, [0.0, "inf"]), "a function is swept where it is defined"
    assert ask("sweep", "exp", "--dtype", "f16", "--again", "--json") == 0
    assert told(capsys)[0]["new"]
    assert ask("sweep", "--list", "--json") == 0
    assert {s["formula"] for s in told(capsys)} == {"exp(x)", "log(x)", "x * (1 / (1 + exp(-x)))", "select(x, 0, x, 0.1 * x)"}


def test_a_formula_with_a_range_and_a_direction(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("sweep", "exp(x) / (1 + exp(x))", "--dtype", "f16", "--range", 0, 4, "--direction", "up", "--json") == 0
    (found,) = told(capsys)
    assert found["violations"] > 0 and found["first"][0] < found["first"][1] and 0 < found["bound"] < 0.01
    assert ask("sweep", "rsqrt", "--dtype", "f16", "--range", 0.5, 4, "--json") == 0
    assert told(capsys)[0]["direction"] == "down"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["rsqrt"], "C0518"), (["softmax"], "C0518"), (["prelu"], "C0518"), (["siluu"], "C0211"), (["x +"], "C0"),
        ([], "--list"), (["exp", "--list"], "--list"), (["exp", "--range", "1", "0"], "LO"),
        (["exp", "--target", "cuda"], "C0507"), (["exp", "--target", "llvm -mcpu=nosuch"], "C0507"), (["nothing.cnn"], "C0401"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_swept_is_said(arguments: list[str], code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("sweep", *arguments) in (1, 2, 3)
    assert code in capsys.readouterr().err


def test_a_model_has_its_own_ranges(half: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("sweep", half, "--direction", "up") == 2
    assert "for formulas" in capsys.readouterr().err


def test_a_model_is_swept_around_its_pools(half: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = {s.name: s for s in sweepable(cnnir.load(half))}
    assert found.keys() == {"exp", "tanh", "silu1", "sigmoid1"}, "tanh once, relu not: it is exact everywhere"
    assert all(s.dtype == "f16" for s in found.values())
    assert ask("sweep", half, "--json") == 0
    assert {s["formula"]: s["violations"] > 0 for s in told(capsys)} == {"exp": False, "tanh": False, "silu1": True, "sigmoid1": False}
    exact = half.with_name("exact.cnn")
    exact.write_text("network n(x: f32[1, 3, 8, 8]) { x -> conv(4, 3) -> relu -> maxpool(2) }")
    assert ask("sweep", exact) == 0
    assert "nothing to sweep" in capsys.readouterr().out


def test_proofs_cite_what_was_swept(half: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def judged() -> tuple[str, list[dict[str, Any]]]:
        assert ask("check", half) == 0
        text = " ".join(capsys.readouterr().out.split())
        assert ask("check", half, "--exactness", "ulp", "--json") == 0
        return text, json.loads(capsys.readouterr().out)["decisions"]

    text, (silu, sigmoid, _) = judged()
    assert "exp is monotone as compiled (assumed: not swept)" in text and "(C, assumed)" in text
    assert sigmoid["certificate"]["float_class"] == "C (assumed)"
    assert (silu["verdict"], silu["certificate"]["float_class"]) == ("moved", "U") and 0 < silu["bound"] < 0.01, "bounded, not proved"
    assert ask("sweep", "exp", "--dtype", "f16") == 0
    capsys.readouterr()
    text, (_, sigmoid, _) = judged()
    assert "exp is monotone as compiled (swept: all 63,490 float16 inputs, llvm -mcpu=" in text and ", tvm 0." in text
    assert sigmoid["certificate"]["float_class"] == "C (swept)" and "(C, swept)" in text
    assert ask("sweep", half) == 0
    capsys.readouterr()
    text, _ = judged()
    assert "sigmoid1 is non-decreasing as compiled (swept: all 63,490 float16 inputs" in text


def test_a_broken_primitive_is_not_relied_on(half: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from cnnir.backends.tvm.sweep.cache import keep
    from cnnir.backends.tvm.sweep.measure import sweep
    from cnnir.backends.tvm.targets import TargetSpec

    asked = primitive("exp", precision("f16"))
    found = sweep(asked.expr, asked.direction, "f16", TargetSpec("llvm"))
    keep(asked.expr, replace(found, violations=1, first=(1.0, 1.5), last=1.5, bound=0.1))
    net = cnnir.load(half)
    (refused,) = [d for d in cnnir.optimize(net, place="always").decisions if "sigmoid1" in d.site.region]
    assert refused.verdict == "refused" and refused.condition == "exact enough" and "class U" in refused.reason
    assert cnnir.optimize(net, place="always", target="llvm -mcpu=x86-64-v3").decisions[1].verdict == "moved", "there it was not swept"


def test_a_sweep_can_move_what_nobody_could_prove(tmp_path: Path) -> None:
    """steep never decreases, though sin does; and moved, it answers as before."""
    path = tmp_path / "steep.cnn"
    path.write_text("activation steep(x) = 2 * x - sin(x)\n" + RISING)
    net = cnnir.load(path)
    assert cnnir.optimize(net, place="always").decisions[0].verdict == "refused"
    assert ask("sweep", "2 * x - sin(x)", "--dtype", "f16", "--range", 0, 8, "--direction", "up") == 0
    done = cnnir.optimize(net, place="always")
    (decision,) = done.decisions
    assert decision.verdict == "moved" and decision.certificate is not None
    assert decision.certificate.float_class == "C (swept)" and decision.certificate.bound is None
    assert decision.certificate.assumptions[1].startswith(
        "steep1 is non-decreasing as compiled (swept: all 18,434 float16 inputs in [0, 8], "
    )
    x = np.random.default_rng(0).uniform(0, 8, (1, 3, 8, 8)).astype(np.float16)
    before, after = (next(iter(cnnir.compile(g)({"x": x}).values())) for g in (net, done.graph))
    assert np.array_equal(before, after)


def test_a_damaged_cache_is_a_warning_not_a_traceback(half: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("sweep", "exp", "--dtype", "f16") == 0
    capsys.readouterr()
    (path,) = (cache / "sweeps").iterdir()
    path.write_text("{")
    assert ask("check", half) == 0
    text = capsys.readouterr()
    assert "warning[C0516]" in text.err and "Traceback" not in text.err and "(assumed: not swept)" in text.out
    assert ask("sweep", "--list") == 0
    assert "warning[C0516]" in capsys.readouterr().err


def test_a_pipeline_is_given_what_was_swept(half: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def classes() -> list[str]:
        assert ask("opt", half, "-p", "place{exactness=ulp}", "--json") == 0
        return [d["certificate"]["float_class"] for d in json.loads(capsys.readouterr().out)["decisions"] if d["certificate"]]

    assert "C (assumed)" in classes()
    assert ask("sweep", half) == 0
    capsys.readouterr()
    assert "C (swept)" in classes() and "C (assumed)" not in classes()
