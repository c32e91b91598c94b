"""Odd options, names and input arrays: exit code 2 and a sentence, never a crash."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import click
import numpy as np
import pytest

from cnnir.cli import run_command
from cnnir.cli.arrays import read_arrays
from cnnir.cli.crash import keep
from cnnir.diagnostics import CnnirError
from cnnir.types import TensorType

INPUTS = {"x": TensorType("f32", (2, 3)), "y": TensorType("i8", (4,))}
X, Y = np.arange(6, dtype=np.float32).reshape(2, 3), np.arange(4, dtype=np.int8)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "n.cnn"
    path.write_text("network n(x: f32[2, 3]) { x -> relu }\n")
    return path


def test_what_contradicts_itself_is_wrong_use(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = [
        ("run", model, "--random", "0", "-o", "-", "--json"),
        ("run", model, "--random", "-1"),
        ("compile", model, "--emit", "tir", "--json"),
        ("compile", model, "-o", "-"),
        ("opt", model, "-o", tmp_path / "x"),
        ("check", "a" * 300),
        ("check", "a" * 300 + ".cnn"),
        ("run", "a" * 5000, "--random", "0"),
        ("run", model, "--input", "a" * 300),
    ]
    before = sorted(tmp_path.iterdir())
    for arguments in wrong:
        assert run_command([str(a) for a in arguments]) == 2, arguments
        captured = capsys.readouterr()
        assert captured.out == "" and "internal" not in captured.err
    assert sorted(tmp_path.iterdir()) == before


def test_a_rejected_model_is_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "n.cnn"
    path.write_text("network n(x: f32[2, 3]) { x -> reluu }\n")
    for verb in ("check", "inspect", "opt"):
        assert run_command([verb, str(path), "--json"]) == 1
        captured = capsys.readouterr()
        document = json.loads(captured.out)
        assert document["schema"] == "cnnir.diagnostics/1" and document["diagnostics"][0]["code"] == "C0211"
        assert "error[C0211]" in captured.err


def test_a_crash_with_odd_arguments_is_still_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["check", "a" * 5000, "nul\0", "\udc80", str(tmp_path)]
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert keep(RuntimeError("a bug"), arguments) == 70
    (folder,) = tmp_path.iterdir()
    assert {p.name for p in folder.iterdir()} == {"traceback.txt", "command.txt"}
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    assert keep(RuntimeError("a bug"), ["check"]) == 70
    assert "RuntimeError: a bug" in capsys.readouterr().err


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def archive(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in members.items():
            z.writestr(f"{name}.npy", content)
    return file.getvalue()


def test_arrays_are_read_by_name_in_either_order(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "all.npz", x=np.asfortranarray(X), y=Y, z=np.zeros(9))
    found = read_arrays(str(tmp_path / "all.npz"), INPUTS)
    np.testing.assert_array_equal(found["x"], X)
    np.testing.assert_array_equal(found["y"], Y)
    np.save(tmp_path / "y.npy", Y)
    np.testing.assert_array_equal(read_arrays(f"y={tmp_path / 'y.npy'}", INPUTS)["y"], Y)


LIE = npy(X).replace(b"(2, 3)", b"(9999999999999,)")
encrypted = bytearray(archive(x=npy(X)))
for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
    encrypted[encrypted.find(mark) + offset] |= 1
unknown = bytearray(archive(x=npy(X)))
for mark, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
    unknown[unknown.find(mark) + offset] = 99
BAD = {
    "nothing": b"",
    "text": b"network",
    "an archive cut short": archive(x=npy(X))[:-30],
    "damaged deflate": archive(x=npy(X)).replace(archive(x=npy(X))[36:60], b"\xff" * 24),
    "encrypted": bytes(encrypted),
    "an unknown method": bytes(unknown),
    "a member that is no array": archive(x=b"hello"),
    "no input": archive(z=npy(X)),
    "an array cut short": archive(x=npy(X)[:-1]),
    "a header cut short": archive(x=npy(X)[:20]),
    "a header that is no Python": archive(x=npy(X).replace(b"{'desc", b"{{{desc")),
    "pickles": archive(x=npy(np.array([None]))),
    "another dtype": archive(x=npy(X.astype(np.float64))),
    "another byte order": archive(x=npy(X.astype(">f4"))),
    "another shape": archive(x=npy(X.T)),
    "a lying header": archive(x=LIE),
    "a bomb": archive(x=npy(np.zeros((5000, 5000), np.float32))),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_arrays_end_in_a_sentence(what: str, tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(BAD[what])
    with pytest.raises((click.UsageError, CnnirError)) as caught:
        read_arrays(str(tmp_path / "bad.npz"), {"x": INPUTS["x"]})
    assert caught.value.exit_code == 2 and str(caught.value)


def test_an_unknown_input_is_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(CnnirError) as caught:
        read_arrays(f"z={tmp_path / 'missing.npy'}", INPUTS)
    assert caught.value.diagnostics[0].code == "C0601"
