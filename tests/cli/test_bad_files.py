"""Files that are wrong, whole, through the command line: one diagnostic, exit code 1, nothing written. Full sizes run with `make scale`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from cnnir.cli import run_command

VERBS = (["check"], ["fmt"], ["find", "ACT*"])


def network(body: str, before: str = "", type: str = "f32[1, 8, 9, 9]") -> str:
    return f"{before}\nnetwork n(x: {type}) {{\n{body}\n}}\n"


def diamonds(n: int) -> str:
    return "v0 = x\n" + "".join(f"a{i} = v{i} -> relu\nv{i + 1} = add(v{i}, a{i})\n" for i in range(n)) + f"return v{n}"


def wrong(n: int) -> dict[str, str | bytes]:
    """What ends in one diagnostic from every verb; `n` is the size, from 1,000 to a million."""
    return {
        "a chain": network("x" + " -> relu" * (n * 2)) if n > 100_000 else network("x -> [relu]*200001"),
        "a long name": network("x -> " + "a" * n),
        "a long number": network("x -> leaky(0." + "1" * n + ")"),
        "an unterminated name": network('x -> conv(8, 3, name="' + "a" * n),
        "two marks of byte order": b"\xef\xbb\xbf\xef\xbb\xbf" + network("x").encode(),
        "NUL": "\0" * n,
        "bytes that are no UTF-8": b"network n(x: f32[1]) { x -> \xff }",
        "UTF-16": network("x").encode("utf-16"),
        "text direction": network("x -> \u202erelu"),
        "a look-alike": network("x -> r\u0435lu"),
        "repetitions of repetitions": network("x -> [[relu]*1000000000]*1000000000"),
        "brackets": network("x -> " + "[" * n + "relu" + "]" * n),
        "calls": network("relu(" * n + "x" + ")" * n),
        "commas": network("x -> leaky(" + "," * n + ")"),
        "rank": f"network n(x: f32[{'1, ' * n}1]) {{ x }}",
        "no statement": network(";" * n),
        "blank lines": "\n" * n,
        "signs of a comment": "#" * n,
        "sizes without numbers": f"network n({', '.join(f'x{i}: f32[N{i}]' for i in range(n // 100))}) {{ x0 }}",
        "a stranger at the end": network("x" + " -> [relu]*10" * (n // 100) + " -> foo"),
    }


def legal(n: int) -> dict[str, str | bytes]:
    """What every verb accepts."""
    return {
        "line ends": network("x -> relu").replace("\n", "\r\n"),
        "a mark of byte order": b"\xef\xbb\xbf" + network("x -> relu").encode(),
        "minus zero": network("x -> leaky(-0.0)"),
        "diamonds": network(diamonds(n // 10)),
        "a wide join": network(f"concat({', '.join(['x'] * n)})", type="f32[1, 1, 2, 2]"),
        "outputs": network("\n".join(f"a{i} = x -> relu" for i in range(n)) + "\nreturn " + ", ".join(f"a{i}" for i in range(n))),
        "dead layers": network("\n".join(f"a{i} = x -> relu" for i in range(n)) + "\nx -> abs"),
        "activations": network(
            "x" + "".join(f" -> f{i}" for i in range(n // 10)),
            "".join(f"activation f{i}(x) = max(x, {i})\n" for i in range(n // 10)),
        ),
    }


SMALL_WRONG, SMALL_LEGAL = wrong(1_500), legal(500)


@pytest.mark.parametrize("what", SMALL_WRONG)
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_a_wrong_file_is_one_diagnostic(what: str, verb: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = SMALL_WRONG[what]
    (tmp_path / "n.cnn").write_bytes(text if isinstance(text, bytes) else text.encode())
    code = run_command([*verb, str(tmp_path / "n.cnn")])
    said = capsys.readouterr()
    assert code == 1 or verb == ["fmt"]  # which looks at the grammar alone
    assert said.err.count("error[") == code and len(said.err) < 3000
    assert [path.name for path in tmp_path.iterdir()] == ["n.cnn"]


@pytest.mark.parametrize("what", SMALL_LEGAL)
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_an_odd_file_is_accepted(what: str, verb: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = SMALL_LEGAL[what]
    (tmp_path / "n.cnn").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert run_command([*verb, str(tmp_path / "n.cnn")]) == 0, capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["n.cnn"]


def run(verb: list[str], path: Path) -> tuple[int, str, float, float]:
    """Exit code, stderr, CPU seconds and megabytes of a process of its own."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-c", "from cnnir.cli import main; main()", *verb, str(path)], stdout=subprocess.DEVNULL, stderr=said
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        return process.returncode, said.read().decode(), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


@pytest.mark.scale
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_wrong_files_of_full_size_end_soon(verb: list[str], tmp_path: Path) -> None:
    for what, text in wrong(1_000_000).items():
        (tmp_path / "n.cnn").write_bytes(text if isinstance(text, bytes) else text.encode())
        code, said, seconds, megabytes = run(verb, tmp_path / "n.cnn")
        assert code == 1 or verb == ["fmt"], what
        assert said.count("error[") <= 1 and "Traceback" not in said, what
        assert seconds < 10 and megabytes < 1000, (what, seconds, megabytes)
        assert [path.name for path in tmp_path.iterdir()] == ["n.cnn"], what


@pytest.mark.scale
def test_legal_files_of_full_size_are_checked(tmp_path: Path) -> None:
    for what, text in legal(100_000).items():
        (tmp_path / "n.cnn").write_bytes(text if isinstance(text, bytes) else text.encode())
        code, said, seconds, megabytes = run(["check"], tmp_path / "n.cnn")
        assert code == 0 and seconds < 40 and megabytes < 1000, (what, said[:500], seconds, megabytes)
