"""The command line: what each verb prints, writes and ends with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnnir.cli import run_command

SMALL = "network small(x: f32[1, 3, 8, 8] in [0, 1]) { x -> conv(4, 3, pad=1) -> relu -> maxpool(2) -> flatten -> fc(5) }\n"
MIXED = """\
activation jump(x) = x - 1.5 * floor(x)
network mixed(x: f32[1, 3, 8, 8]) {
    x -> conv(4, 3, pad=1) -> jump -> maxpool(2) -> conv(4, 3, pad=1) -> sigmoid -> maxpool(2)
}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.cnn"
    path.write_text(SMALL)
    return path


def ask(*arguments: object) -> int:
    return run_command([str(a) for a in arguments])


def test_check_proves_and_refuses_with_a_witness(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mixed.cnn"
    path.write_text(MIXED)
    assert ask("check", path) == 0
    text = capsys.readouterr().out
    assert "moved   sigmoid1 -> maxpool2" in text and "refused jump1 -> maxpool1" in text
    assert "assumed" in text, "class C says so wherever it is used"
    assert ask("check", path, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "cnnir.check/1"
    refused, moved = document["decisions"]
    assert refused["verdict"] == "refused" and refused["witness"]["before"] > refused["witness"]["after"]
    assert moved["verdict"] == "moved" and moved["certificate"]["float_class"] == "C (assumed)"
    assert moved["site"]["location"].endswith("mixed.cnn:3:85")


def test_compile_run_round_trip(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package, image, scores = tmp_path / "small.cnnpkg", tmp_path / "x.npy", tmp_path / "y.npz"
    np.save(image, np.random.default_rng(0).random((1, 3, 8, 8), np.float32))
    assert ask("compile", small, "-o", package) == 0
    assert "1 of 1 sites moved" in capsys.readouterr().err
    assert ask("run", package, "--input", image, "-o", scores) == 0
    by_package = np.load(scores)
    assert ask("run", small, "--input", f"x={image}", "-o", scores) == 0
    assert by_package.files == ["output"]
    np.testing.assert_array_equal(by_package["output"], np.load(scores)["output"])


def test_opt_writes_what_parses_back(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("opt", small, "--place", "always", "--remarks") == 0
    captured = capsys.readouterr()
    assert "conv(4, 3, pad=1) -> maxpool(2) -> relu -> flatten" in " ".join(captured.out.split())
    assert "small.cnn:1:81: relu1 -> maxpool1: moved" in captured.err
    assert ask("opt", small, "--place", "always", "-o", tmp_path / "moved.cnn") == 0
    assert ask("opt", tmp_path / "moved.cnn") == 0


def test_measure_keeps_the_faster_and_says_by_how_much(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("opt", small, "--place", "measure", "--json") == 0
    (decision,) = json.loads(capsys.readouterr().out)["decisions"]
    assert decision["verdict"] in ("moved", "kept")  # which one is the clock's to say
    assert decision["reason"].startswith("measured: moved is " + ("faster" if decision["verdict"] == "moved" else "not faster"))


def test_emit_prints_every_form(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marks = {
        ("cnn", "llvm"): "network small",
        ("relax", "llvm"): "R.call_tir",
        ("tir", "llvm"): "T.sblock",
        ("llvm-ir", "llvm"): "define ",
        ("relax", "cuda"): "R.call_tir",
        ("cuda", "cuda"): "__global__",
    }
    for (form, target), mark in marks.items():
        assert ask("compile", small, "--emit", form, "--target", target) == 0
        assert mark in capsys.readouterr().out, form
    assert ask("compile", small, "--emit", "ptx") == 2


def test_bench_prints_three_rows_and_counts(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("bench", small, "--rounds", 2, "--runs", 1, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    rows = {r["name"]: r for r in document["contestants"]}
    assert list(rows) == ["pool apart", "fused, unmoved", "fused, moved"]
    assert [r["counts"]["evaluations"] for r in rows.values()] == [256, 256, 64]
    assert rows["fused, moved"]["answer"] == "bit-identical"
    assert rows["pool apart"]["counts"]["kernels"] == rows["fused, moved"]["counts"]["kernels"] + 1
    assert ask("bench", small, "--rounds", 2, "--runs", 1) == 0
    assert "fused, moved" in capsys.readouterr().out


def test_bench_layers_prints_the_papers_table(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("bench", small, "--layers", "--rounds", 2, "--runs", 1) == 0
    text = capsys.readouterr().out
    assert "theoretical speed-up" in text and "relu1" in text and "4.0" in text


@pytest.mark.parametrize("form", ["table", "dot", "mermaid", "json"])
def test_inspect(small: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("inspect", small, "--format", form) == 0
    text = capsys.readouterr().out
    assert "conv1" in text and ("f32[1, 4, 8, 8]" in text or "f32#91;1, 4, 8, 8#93;" in text)


def test_doctor_and_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("doctor", "--json") == 0
    assert "CPU target" in json.loads(capsys.readouterr().out)["found"]
    assert ask("explain") == 0
    listing = capsys.readouterr().out
    assert "C0203" in listing and "up" in listing
    assert ask("explain", "c0203") == 0
    assert "Mended" in capsys.readouterr().out
    assert ask("explain", "up") == 0
    assert "max_W f(x) = f(max_W x)" in capsys.readouterr().out
    assert ask("explain", "C9999") == 2


def test_wrong_use_ends_with_its_exit_code_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad, good = tmp_path / "bad.cnn", tmp_path / "good.cnn"
    bad.write_text("network bad(x: f32[1, 3, 4, 4]) {\n    x -> conv(8, 5)\n}\n")
    good.write_text(SMALL)
    out = tmp_path / "out.cnnpkg"
    cases = {
        ("compile", str(bad), "-o", str(out)): 1,
        ("compile", str(good)): 2,
        ("compile", str(good), "--target", "vulkan", "-o", str(out)): 3,
        ("compile", str(good), "--target", "llvm -mcpu=nosuch", "-o", str(out)): 3,
        ("compile", str(good), "--target", "cuda", "--arch", "sm_1", "-o", str(out)): 3,
        ("compile", str(good), "--frobnicate"): 2,
        ("check", str(tmp_path / "missing.cnn")): 2,
        ("check", str(tmp_path)): 2,
        ("chek", str(good)): 2,
        ("run", str(good)): 2,
        ("run", str(good), "--input", str(bad)): 2,
        ("opt", str(good), "-o", str(tmp_path / "no" / "such" / "folder.cnn")): 2,
    }
    before = sorted(tmp_path.iterdir())
    for arguments, code in cases.items():
        assert run_command(list(arguments)) == code, arguments
        assert "Traceback" not in capsys.readouterr().err, arguments
    assert sorted(tmp_path.iterdir()) == before


def test_help_is_fast_because_it_imports_nothing_heavy() -> None:
    code = "import sys, cnnir.cli; cnnir.cli.run_command(['--help']); print(sorted(m for m in ('tvm', 'torch', 'onnx', 'networkx', 'numpy', 'lark', 'rich') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("Example:")
    assert done.stdout.splitlines()[-1] == "[]"


def test_check_imports_no_compiler_and_draws_no_weights(small: Path) -> None:
    code = f"""
import sys, cnnir, cnnir.ir.weights as weights
def refuse(self): raise AssertionError("drew " + self.key)
weights.Seeded.array = refuse
import cnnir.cli
assert cnnir.cli.run_command(["check", {str(small)!r}]) == 0
assert "tvm" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_an_internal_error_leaves_a_reproducer(
    small: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import cnnir

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(cnnir, "optimize", broken, raising=False)
    (tmp_path / "crash").mkdir()
    monkeypatch.setattr("tempfile.mkdtemp", lambda prefix: str(tmp_path / "crash"))
    assert ask("compile", small, "-o", tmp_path / "x.cnnpkg") == 70
    assert "This is a bug in cnnir" in capsys.readouterr().err
    assert (tmp_path / "crash" / "traceback.txt").read_text().endswith("RuntimeError: a bug\n")
    assert (tmp_path / "crash" / "command.txt").read_text().startswith("cnnc compile")


def test_shapes_bind_symbolic_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "symbolic.cnn"
    path.write_text("network n(x: f32[N, 3, H, H], y: f32[N, 2]) { z = x -> relu -> maxpool(2)\n return z, y }\n")
    assert ask("check", path) == 1
    said = capsys.readouterr().err
    assert said.count("C0222") == 1 and "`N`, `H`" in said and "--shape x=N,3,H,H" in said
    assert ask("check", path, "--shape", "x=2,3,8,8") == 0
    assert "f32[2, 3, 8, 8]" in capsys.readouterr().out
    assert ask("run", path, "--shape", "x=2,3,8,8", "--random", "0", "-o", tmp_path / "y.npz") == 0
    assert np.load(tmp_path / "y.npz")["z"].shape == (2, 3, 4, 4)
    assert ask("check", path, "--shape", "x=2,3,8,9") == 1
    assert ask("check", path, "--shape", "2,3") == 2
