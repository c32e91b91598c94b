"""cnnc tune, and compiling and running with what it found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnnir.cli import run_command

NET = "network n(a: f32[1, 32, 24], b: f32[1, 24, 32]) { matmul(a, b) }\n"


def ask(*arguments: object) -> int:
    return run_command([str(a) for a in arguments])


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "n.cnn"
    path.write_text(NET)
    return path


def test_tune_once_and_compile_with_it(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("tune", model, "--trials", 2, "--threads", 1, "-o", "records", "--json") == 0
    text = capsys.readouterr()
    document = json.loads(text.out)
    (kernel,) = document["kernels"]
    assert document["schema"] == "cnnir.tune/1" and kernel["new"] and kernel["layers"] == ["matmul1"] and kernel["trials"] <= 2
    assert not text.err, "neither TVM nor a progress bar says anything where nobody watches"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["n.cnn", "records"], "nothing else is left behind"
    assert ask("tune", model, "--trials", 2, "--threads", 1, "-o", "records") == 0
    assert "0 of 1 kernels tuned now, in 0 trials" in (said := capsys.readouterr().out) and "kept before" in said
    assert ask("compile", model, "--records", "records", "-o", "n.cnnpkg") == 0
    assert ask("run", model, "--tuned", "--random", 0) == 0
    assert "C0519" in capsys.readouterr().err, "the cache has no record"


def test_nothing_to_tune(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "n.cnn"
    path.write_text("network n(x: f32[1, 3, 8, 8]) { x -> conv(4, 3) -> relu -> maxpool(2) }\n")
    assert ask("tune", path) == 0
    assert "nothing to tune" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["tune", "n.cnn", "--target", "cuda"], 2, "C0509"), (["tune", "n.cnn", "--target", "lvm"], 3, "C0507"),
        (["tune", "n.cnn", "--target", "llvm -mcpu=nosuch"], 3, "C0507"), (["tune", "n.cnn", "--trials", "0"], 2, "--trials"),
        (["tune", "nothing.cnn"], 2, "C0401"), (["run", "n.cnn", "--records", "nowhere", "--random", "0"], 2, "C0401"),
        (["compile", "n.cnn", "--tuned", "--emit", "tir"], 2, "--emit"), (["bench", "n.cnn", "--tuned", "--layers"], 2, "--layers"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_said(model: Path, arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(*arguments) == code
    assert said in capsys.readouterr().err
