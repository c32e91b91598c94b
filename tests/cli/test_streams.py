"""Processes that are interrupted, and standard streams that are closed, full or left: the exit code tells the truth."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TEXT = "network n(x: f32[1, 8]) { x -> relu }\n"
CLI = "import sys\nfrom cnnir.cli import main\nmain(sys.argv[1:])"


def run(
    *arguments: object, before: Callable[[], object] | None = None, stdout: int = subprocess.PIPE, code: str = CLI,
    input: bytes | None = None, env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:  # fmt: skip
    """A process of `cnnc`; `before` is called in it before Python starts."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, preexec_fn=before, check=False, input=input, env=env)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "n.cnn"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize("verb", ["check", "opt", "inspect"])
def test_a_reader_that_leaves_is_no_failure(verb: str, model: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = run(verb, model, stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("verb", ["check", "opt", "inspect"])
def test_output_that_cannot_be_written_is_told_in_one_line(verb: str, model: Path, tmp_path: Path) -> None:
    with (tmp_path / "full").open("wb") as full:  # a file that may not grow: a disk without space
        limited = run(verb, model, stdout=full.fileno(), before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
    closed = run(verb, model, before=lambda: os.close(1))
    for done in (limited, closed):
        assert done.returncode == 2
        assert done.stderr.startswith(b"error[C0501]: cannot write `standard output`") and done.stderr.count(b"\n") == 1


def test_the_exit_code_survives_a_closed_stderr(model: Path, tmp_path: Path) -> None:
    assert run("check", tmp_path / "missing.cnn", before=lambda: os.close(2)).returncode == 2
    assert run("check", model, "--nonsense", before=lambda: os.close(2)).returncode == 2
    assert run("check", model, before=lambda: os.close(0)).returncode == 0
    assert run("check", "-", before=lambda: os.close(0)).returncode == 1  # no network in no text


def test_standard_input_is_read_as_files_are() -> None:
    assert json.loads(run("check", "-", "--json", input=TEXT.encode()).stdout)["schema"] == "cnnir.check/1"
    done = run("check", "-", "--json", input=b"network \xff")
    assert done.returncode == 1 and b"error[C0107]" in done.stderr
    assert json.loads(done.stdout)["diagnostics"][0]["labels"][0]["file"] == "<stdin>"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_during_a_build_leaves_nothing(number: int, code: int, model: Path, tmp_path: Path) -> None:
    """The linker's place is taken by what sends the signal, and turns the exception into another, as C++ frames may."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    build = f"""
import os, signal
signal.signal({int(number)}, signal.default_int_handler if {int(number)} == signal.SIGINT else signal.SIG_DFL)  # nohup ignores some
import cnnir.backends.tvm.compile as compiler
def export(*_):
    assert os.listdir({str(scratch)!r})
    try:
        os.kill(os.getpid(), {int(number)})
    except BaseException as error:
        raise RuntimeError("something else") from error
compiler.export = export
{CLI}"""
    done = run("compile", model, "-o", tmp_path / "n.cnnpkg", code=build, env={**os.environ, "TMPDIR": str(scratch)})
    assert (done.returncode, done.stderr) == (code, b"interrupted\n")
    assert list(scratch.iterdir()) == [] and not (tmp_path / "n.cnnpkg").exists()
