"""Files that are wrong, whole, through the command line: one diagnostic, exit code 1 or 2, nothing written."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from cnnir.cli import run_command

from .networks import net

CONV = net('name: "c" type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 }')
TEXTS: dict[str, str | bytes] = {
    "empty": "",
    "random bytes": random.Random(1).randbytes(5000),
    "HTML": "<html><head><title>404</title></head><body>Not found</body></html>",
    "cut short": CONV[:-5],
    "NUL": "\0" * 5000,
    "UTF-16": CONV.encode("utf-16"),
    "messages in messages": "layer { " * 20_000,
    "lists in lists": "a: " + "[" * 20_000,
    "a long name": "a" * 20_000 + ": 1",
    "a long number": "input_dim: " + "1" * 20_000,
    "many sizes": 'input: "x" input_shape { ' + "dim: 8 " * 5000 + "}" + net('type: "ReLU"'),
    "a cycle": net('type: "ReLU" bottom: "l2"', 'type: "ReLU"'),
    "many unknown layers": net(*(f'type: "T{i}"' for i in range(500))),
    "a template": CONV.replace("4", "cls3x"),
}
WEIGHTS: dict[str, bytes] = {
    "empty": b"",
    "random bytes": random.Random(2).randbytes(5000),
    "ones": b"\xff" * 5000,
    "tiny fields": b"\x08\x01" * 600_000,
    "of no layer": b"\xa2\x06\x03\x0a\x01d",
}


@pytest.mark.parametrize("what", TEXTS)
@pytest.mark.parametrize("verb", [["check"], ["opt"], ["find", "ACT*"]], ids=lambda verb: verb[0])
def test_a_wrong_text_is_one_diagnostic(what: str, verb: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = TEXTS[what]
    (tmp_path / "n.prototxt").write_bytes(text if isinstance(text, bytes) else text.encode())
    more = ["-o", str(tmp_path / "out.cnn")] if verb == ["opt"] else []
    assert run_command([*verb, str(tmp_path / "n.prototxt"), *more]) == 1
    said = capsys.readouterr()
    assert said.err.count("error[") == 1 and len(said.err) < 6000
    assert [path.name for path in tmp_path.iterdir()] == ["n.prototxt"]


@pytest.mark.parametrize("what", WEIGHTS)
def test_a_wrong_weights_file_is_one_diagnostic(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "n.prototxt").write_text(CONV)
    (tmp_path / "w").write_bytes(WEIGHTS[what])
    assert run_command(["compile", str(tmp_path / "n.prototxt"), "--weights", str(tmp_path / "w"), "-o", str(tmp_path / "p")]) == 1
    assert capsys.readouterr().err.count("error[") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["n.prototxt", "w"]


@pytest.mark.parametrize("place", ["n.prototxt", "n.caffemodel"])
@pytest.mark.parametrize("what", ["folder", "pipe", "device"])
def test_what_is_no_file_is_not_opened(what: str, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "n.prototxt").write_text(CONV)
    path = tmp_path / place
    path.unlink(missing_ok=True)
    {"folder": path.mkdir, "pipe": lambda: os.mkfifo(path), "device": lambda: path.symlink_to("/dev/zero")}[what]()
    assert run_command(["check", str(tmp_path / "n.prototxt")]) == 2
    assert "is not a file" in capsys.readouterr().err
