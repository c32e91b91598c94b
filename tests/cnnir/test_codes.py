"""Every code is documented, and its documentation is true."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import sysconfig
import warnings
from pathlib import Path
from typing import Any

import pytest
from onnx.parser import parse_model

from cnnir.backends.tvm.cuda_toolchain import find_toolchain
from cnnir.codes import CODES
from cnnir.diagnostics import CnnirError, CnnirWarning, Diagnostic
from cnnir.frontends import caffe, cnn, onnx, pipeline
from cnnir.ir.verify import verify
from cnnir.passes.laws import LAWS
from cnnir.pipeline import Deciding, make, make_all

quiet = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # PyTorch's own


def cases(mended: bool) -> list[Any]:
    """Every code with its text; those that need PyTorch run where it is installed (`make test-torch`)."""
    texts = {code: entry.mend if mended else entry.example for code, entry in CODES.items()}
    torch = {code for code, text in texts.items() if ("import torch" in text or "to_torch" in text) and "without/torch.py" not in text}
    return [pytest.param(code, text, id=code, marks=pytest.mark.torch if code in torch else ()) for code, text in texts.items()]


def skip_without_its_tools(session: str) -> None:
    """Leave out a session of a shell on a machine that lacks what it is about; PyTorch has a marker."""
    if "run n.cnn --target cuda" in session and find_toolchain() is None:
        pytest.skip("no CUDA tool-chain")
    if "LD_PRELOAD" in session and sys.platform != "linux":
        pytest.skip("no LD_PRELOAD")
    if "--for onnxruntime" in session:
        pytest.importorskip("onnxruntime")


def printed(session: str, folder: Path) -> list[Diagnostic]:
    """The diagnostics that a session of a shell prints; it ends well where none of them is an error."""
    skip_without_its_tools(session)
    path = os.pathsep.join((sysconfig.get_path("scripts"), os.environ["PATH"]))
    done = subprocess.run(
        ["sh", "-e", "-c", session], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False, timeout=300
    )
    found = re.findall(r"(error|warning)\[(C\d{4})\]: (.*)", done.stdout + done.stderr)
    assert any(severity == "error" for severity, _, _ in found) == bool(done.returncode), done.stdout + done.stderr
    return [Diagnostic(code, message, severity=severity) for severity, code, message in found]


def read(language: str, text: str, folder: Path) -> None:
    """What a user does with a text of the language, in an empty folder."""
    if language == "pipeline":
        make_all(pipeline.parse(text))
    elif language == "onnx":
        verify(onnx.parse(parse_model(text).SerializeToString()))
    elif language == "prototxt":
        verify(caffe.parse(text))
    elif language == "python":
        exec(text, {"__name__": "example"})
    else:
        verify(cnn.parse(text, folder=folder))


def said(language: str, text: str, folder: Path) -> list[Diagnostic]:
    """The diagnostics that a text earns, those of errors and those of warnings."""
    if language == "shell":
        return printed(text, folder)
    errors: tuple[Diagnostic, ...] = ()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CnnirWarning)
        try:
            read(language, text, folder)
        except CnnirError as error:
            errors = error.diagnostics
    return [*errors, *(w.message.diagnostic for w in caught if isinstance(w.message, CnnirWarning))]


@quiet
@pytest.mark.parametrize(("code", "text"), cases(mended=False))
def test_the_example_fails_with_its_code_alone(code: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    language = CODES[code].language
    found = said(language, text, tmp_path)
    assert {d.code for d in found} == {code}
    assert language in ("python", "shell") or all(d.labels for d in found)  # a program's files may be wrong as a whole


@quiet
@pytest.mark.parametrize(("code", "text"), cases(mended=True))
def test_the_mended_example_passes(code: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert said(CODES[code].language, text, tmp_path) == []


def test_every_code_in_the_sources_is_documented() -> None:
    import cnnir.backends
    import cnnir.frontends
    import cnnir.passes

    folders = [Path(inspect.getfile(m)).parent for m in (cnnir, cnnir.frontends, cnnir.passes, cnnir.backends)]
    used = {
        c
        for f in folders
        for p in f.rglob("*.py")
        if p.name not in ("codes.py", "codes_python.py", "codes_shell.py")
        for c in re.findall(r'"(C0\d{3})"', p.read_text(encoding="utf-8"))
    }
    assert used - CODES.keys() == set()
    assert CODES.keys() - used == set(), "documented, used nowhere"


def test_every_code_has_an_example_and_its_mend() -> None:
    assert {code for code, entry in CODES.items() if not entry.example or not entry.mend} == set()


@pytest.mark.parametrize("law", LAWS)
def test_the_example_of_a_law_moves_by_that_law(law: str) -> None:
    graph, one = cnn.parse(LAWS[law].example), LAWS[law]
    deciding = make("place", place="always", exactness=one.terms.exactness) if one.placed else make(law)
    assert isinstance(deciding, Deciding)
    decision = deciding.decide(graph).decisions[0]
    assert (decision.law, decision.verdict) == (law, "moved")
