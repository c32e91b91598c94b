"""`cnnc fmt`: files, streams, exit codes."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from cnnir.cli import run_command

UNTIDY, TIDY = "network n(x:f32[1,8]){x->relu}\n", "network n(x: f32[1, 8]) { x -> relu }\n"


def test_files_are_formatted_in_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, bad = tmp_path / "a.cnn", tmp_path / "bad.cnn"
    path.write_text(UNTIDY)
    bad.write_text("network {")
    assert run_command(["fmt", str(path), "--check", "--diff"]) == 1
    shown = capsys.readouterr()
    assert f"-{UNTIDY}+{TIDY}" in shown.out and "would change" in shown.err
    assert path.read_text() == UNTIDY
    assert run_command(["fmt", str(bad), str(path)]) == 1, "a bad file does not keep the others from their form"
    assert "C0104" in capsys.readouterr().err
    assert (path.read_text(), bad.read_text()) == (TIDY, "network {")
    assert run_command(["fmt", str(path), "--check"]) == 0
    assert run_command(["fmt", str(tmp_path / "none.cnn")]) == 2


def test_a_stream_is_formatted_to_a_stream(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(UNTIDY.encode())))
    assert run_command(["fmt", "-"]) == 0
    assert capsys.readouterr().out == TIDY
