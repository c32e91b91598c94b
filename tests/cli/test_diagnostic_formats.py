"""`--format`: the same diagnostics for people, programs and pull requests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnnir.cli import run_command


@pytest.fixture
def bad(tmp_path: Path) -> str:
    path = tmp_path / "bad.cnn"
    path.write_text("network n(x: f32[1, 8, 4, 4]) {\n    y = x -> reluu\n    x -> conv(8, 3, kernel=3)\n}\n")
    return str(path)


@pytest.mark.parametrize("arguments", [["--format", "json", "check"], ["check", "--format", "json"], ["--format", "json", "inspect"]])
def test_json_is_one_document_with_every_problem(arguments: list[str], bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command([*arguments, bad]) == 1
    shown = capsys.readouterr()
    document = json.loads(shown.err)
    assert shown.out == "" and document["schema"] == "cnnir.diagnostics/1"
    unknown, twice = document["diagnostics"]
    assert (unknown["code"], unknown["help"]) == ("C0211", "did you mean `relu`?")
    assert [(label["text"], label["primary"]) for label in twice["labels"]] == [("", True), ("first given here", False)]


def test_github_gets_a_line_for_each(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["check", bad, "--format", "github"]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("::error title=C0211,file=") and ",line=2,col=14::" in first
    assert "%0A" in second and "first given here" in second


def test_text_is_the_usual_form_and_others_are_wrong_usage(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["check", bad]) == 1
    assert "error[C0211]" in capsys.readouterr().err
    assert run_command(["--format", "xml", "check", bad]) == 2


def test_shared_weights_of_two_shapes_point_at_both_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "w.cnn"
    path.write_text('network n(x: f32[1, 8, 4, 4]) {\n    x -> conv(8, 3, weight="k") -> conv(4, 1, weight="k")\n}\n')
    assert run_command(["check", str(path)]) == 1
    assert "this is [8, 8, 3, 3]" in capsys.readouterr().err


def test_a_law_is_explained_with_a_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["explain", "down"]) == 0
    text = capsys.readouterr().out
    assert "For example:" in text and "fade -> maxpool(2)" in text and "minpool(2) -> fade" in text
    assert run_command(["explain", "C0511", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["language"] == "pipeline"


def test_a_code_is_explained_with_what_its_example_is(capsys: pytest.CaptureFixture[str]) -> None:
    for code, kind in (
        ("C0203", "a `.cnn` file"),
        ("C0302", "a model in ONNX's own text"),
        ("C0502", "a shell session in an empty folder"),
    ):
        assert run_command(["explain", code]) == 0
        text = capsys.readouterr().out
        assert f"\n\nFails, {kind}:\n\n    " in text and "\n\nMended:\n\n    " in text
