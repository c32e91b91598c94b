"""cnnc convert, and where `cnnc opt -o` writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cnnir
from cnnir.cli import run_command

TEXT = "network tiny(x: f32[1, 3, 8, 8]) { x -> conv(4, 3, pad=1) -> relu -> maxpool(2) -> flatten -> fc(3) -> softmax }\n"
PROTOTXT = """name: "tiny"
input: "x" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }
layer { name: "r" type: "ReLU" bottom: "x" top: "r" }
layer { name: "p" type: "Pooling" bottom: "r" top: "p" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("n.cnn").write_text(TEXT, "utf-8")
    return tmp_path


def answer(path: str) -> np.ndarray:
    net = cnnir.load(path)
    x = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)
    return next(iter(cnnir.evaluate(net, {"x": x}).values()))


def test_to_onnx_and_back(folder: Path) -> None:
    pytest.importorskip("onnx")
    assert run_command(["convert", "n.cnn", "-o", "n.onnx"]) == 0
    assert run_command(["convert", "n.onnx", "-o", "back.cnn"]) == 0
    assert run_command(["convert", "back.cnn", "-o", "again.onnx"]) == 0
    assert sorted(p.name for p in folder.iterdir()) == ["again.onnx", "back.cnn", "back.safetensors", "n.cnn", "n.onnx"]
    expected = answer("n.cnn")
    for path in ("n.onnx", "back.cnn", "again.onnx"):
        np.testing.assert_array_equal(answer(path), expected)
    assert cnnir.load("back.cnn") == cnnir.load("n.onnx")


def test_no_pass_runs(folder: Path) -> None:
    pytest.importorskip("onnx")
    assert run_command(["convert", "n.cnn", "-o", "n.onnx"]) == 0
    assert [layer.op.name for layer in cnnir.load("n.onnx").layers()] == ["input", "conv", "relu", "maxpool", "flatten", "fc", "softmax"]


def test_from_caffe(folder: Path) -> None:
    pytest.importorskip("onnx")
    Path("n.prototxt").write_text(PROTOTXT, "utf-8")
    assert run_command(["convert", "n.prototxt", "-o", "n.onnx"]) == 0
    np.testing.assert_array_equal(answer("n.onnx"), answer("n.prototxt"))


@pytest.mark.parametrize("verb", ["convert", "opt"])
@pytest.mark.parametrize("name", ["n.pt2", "n.prototxt", "n.safetensors", "n"])
def test_other_formats_are_refused_before_anything_is_done(folder: Path, verb: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command([verb, "there is none.onnx", "-o", name]) == 2
    said = capsys.readouterr().err
    assert ".cnn and .onnx" in said and "there is none" not in said
    assert [p.name for p in folder.iterdir()] == ["n.cnn"]


def test_what_onnx_cannot_say_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx")
    Path("odd.cnn").write_text("network n(x: i32[1, 2, 4, 4]) { x -> minpool(2) }\n", "utf-8")
    assert run_command(["convert", "odd.cnn", "-o", "odd.onnx"]) == 1
    assert "C0701" in capsys.readouterr().err and not Path("odd.onnx").exists()


def test_opt_writes_onnx(folder: Path) -> None:
    pytest.importorskip("onnx")
    assert run_command(["opt", "n.cnn", "--place", "always", "-o", "n.onnx"]) == 0
    assert [layer.op.name for layer in cnnir.load("n.onnx").layers()][1:4] == ["conv", "maxpool", "relu"]
    np.testing.assert_array_equal(answer("n.onnx"), answer("n.cnn"))
