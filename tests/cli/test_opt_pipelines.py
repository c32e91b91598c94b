"""`cnnc opt -p`: textual pipelines and what can be seen of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import cnnir
from cnnir.cli import run_command

NET = """\
network n(x: f32[1, 3, 8, 8]) {
    dead = x -> conv(2, 1)
    x -> conv(4, 3) -> dropout -> relu -> maxpool(2) -> flatten -> flatten -> fc(5)
}
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "n.cnn").write_text(NET)
    return str(tmp_path / "n.cnn")


def test_a_pipeline_runs_prints_times_and_dumps(path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    passes = "canonicalize, place{place=always, exactness=ulp}, dce"
    assert run_command(["opt", "-p", passes, "--print-ir-after", path, "--time-passes", "--dump", str(tmp_path / "d")]) == 0
    shown = capsys.readouterr()
    assert "maxpool(2) -> relu -> flatten -> fc(5)" in shown.out
    assert "dead" not in shown.out
    heads = [line for line in shown.err.splitlines() if line.startswith("# ")]
    assert heads == ["# 01 after canonicalize", "# 02 after place", "# 03 after dce"]
    assert "share" in shown.err
    files = sorted(p.name for p in (tmp_path / "d").iterdir())
    assert files == ["00-input.cnn", "01-canonicalize.cnn", "02-place.cnn", "03-dce.cnn"]
    assert cnnir.load(tmp_path / "d" / "03-dce.cnn") == cnnir.parse(shown.out)
    assert cnnir.load(tmp_path / "d" / "00-input.cnn") == cnnir.load(path)


def test_one_pass_may_be_watched_and_json_tells_the_times(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["opt", path, "-p", "dce,canonicalize", "--print-ir-after=dce", "--json"]) == 0
    shown = capsys.readouterr()
    assert shown.err.startswith("# 01 after dce") and "after canonicalize" not in shown.err
    assert [p["pass"] for p in json.loads(shown.out)["passes"]] == ["dce", "canonicalize"]


def test_a_step_that_decides_says_what(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["opt", path, "-p", "canonicalize,place{place=always},dce", "--remarks", "--json"]) == 0
    shown = capsys.readouterr()
    assert "moved" in shown.err and "relu1 -> maxpool1" in shown.err
    document = json.loads(shown.out)
    assert [d["verdict"] for d in document["decisions"]] == ["moved"] and len(document["passes"]) == 3


@pytest.mark.parametrize(
    ("text", "code", "help"),
    [
        ("plase", "C0510", "did you mean `place`?"),
        ("dce,vectorise", "C0510", "passes are `absorb`"),
        ("place{palce=auto}", "C0511", "did you mean `place`?"),
        ("place{place=allways}", "C0511", "did you mean `always`?"),
        ("place{place=3}", "C0511", "it is one of `auto`"),
        ("place{place=auto,place=auto}", "C0511", "first given here"),
        ("dce{x=1}", "C0511", "it has no options"),
        ("dce,,dce", "C0101", "expected a name"),
        ("place{model=1}", "C0511", "its options are `place`, `exactness`"),
        ("place{price=1}", "C0511", "no option `price`"),
        ("", "C0101", "the text ends too early"),
    ],
)
def test_a_bad_pipeline_is_refused_before_anything_runs(
    text: str, code: str, help: str, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["opt", path, "-p", text]) == 2
    shown = capsys.readouterr()
    assert f"error[{code}]" in shown.err and help in shown.err and "<pipeline>:1:" in shown.err
    assert shown.out == ""


def test_options_that_do_not_go_together_are_wrong_usage(path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["opt", path, "--time-passes"]) == 2
    assert run_command(["opt", path, "-p", "dce", "--place", "always"]) == 2
    assert run_command(["opt", path, "-p", "dce", "--print-ir-after=place"]) == 2
    assert "no such pass in the pipeline" in capsys.readouterr().err
    assert run_command(["opt", path, "-p", "dce", "--dump", path]) == 2
