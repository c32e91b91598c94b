"""`cnnc inspect`: every format, with names that mean something to it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cnnir.cli import run_command

NASTY = r"""
network "n\"]} # x"("in\\": f32[1, 2, 4, 4] in [0, 1]) {
    y = "in\\" -> conv(3, 1, name="a\"b\\", weight="k[red]") -> relu(name="<b>&[bold]|#quot;`")
    y -> bias(name="line\nend") -> add(y, name="\u{202e}")
}
"""


def show(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> str:
    path = tmp_path / "nasty.cnn"
    path.write_text(NASTY)
    assert run_command(["inspect", str(path), "--format", form]) == 0
    return capsys.readouterr().out


def test_json_holds_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(show(tmp_path, capsys, "json"))
    assert document["schema"] == "cnnir.inspect/1" and document["name"] == 'n"]} # x'
    assert document["inputs"] == {"in\\": {"type": "f32[1, 2, 4, 4]", "range": [0.0, 1.0]}}
    source, conv, relu, bias, total = document["layers"]
    assert (source["op"], conv["name"], conv["inputs"], conv["written"]) == ("input", 'a"b\\', ["in\\"], "conv(3, 1)")
    assert conv["weights"]["weight"] == {"key": "k[red]", "shape": [3, 2, 1, 1]}
    assert conv["location"].endswith("nasty.cnn:3:19") and relu["parameters"] == 0 and bias["parameters"] == 3
    assert sorted(total["inputs"]) == sorted([relu["name"], bias["name"]])
    assert document["outputs"] == {"output": total["name"]}


def test_dot_strings_end_where_they_should(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = show(tmp_path, capsys, "dot").splitlines()
    string = r'"(?:[^"\\]|\\.)*"'
    assert re.fullmatch(rf"digraph {string} {{", lines[0])
    nodes = [line for line in lines if "label" in line]
    assert len(nodes) == 5 and all(re.fullmatch(rf"  n\d \[label={string}\]", line) for line in nodes)
    assert nodes[1] == r'  n1 [label="a\"b\\\nf32[1, 3, 4, 4]"]'
    assert sum("->" in line for line in lines) == 5 and lines[-1] == "}"


def test_mermaid_labels_hold_nothing_that_mermaid_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = show(tmp_path, capsys, "mermaid").splitlines()
    assert lines[0] == "flowchart TD" and len(lines) == 2 + 5 + 5
    for line in lines[2:7]:
        assert re.fullmatch(r'  n\d\["([\w .,:/\-]|#\d+;)*<br/>([\w .,:/\-]|#\d+;)*"\]', line), line
    assert "#60;b#62;" in lines[4]


def test_the_table_takes_names_for_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = show(tmp_path, capsys, "table")
    assert "<b>&[bold]|#quot;`" in text and "\u202e" not in text and "5 layers, 12 parameters" in text
