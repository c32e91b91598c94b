"""Every code is documented, and its documentation is true."""

from __future__ import annotations

import inspect
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from onnx.parser import parse_model

from cnnir.codes import CODES
from cnnir.diagnostics import CnnirError, CnnirWarning, Diagnostic
from cnnir.frontends import caffe, cnn, onnx, pipeline
from cnnir.ir.verify import verify
from cnnir.passes.laws import LAWS
from cnnir.pipeline import Deciding, make, make_all

SHOWN = [code for code, entry in CODES.items() if entry.example]
quiet = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # PyTorch's own


def cases(mended: bool) -> list[Any]:
    """Every code with an example; programs that need PyTorch run where it is installed (`make test-torch`)."""
    texts = {code: CODES[code].mend if mended else CODES[code].example for code in SHOWN}
    torch = {code for code, text in texts.items() if CODES[code].language == "python" and ("import torch" in text or "to_torch" in text)}
    return [pytest.param(code, text, marks=pytest.mark.torch if code in torch else ()) for code, text in texts.items()]


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
    assert language == "python" or all(d.labels for d in found)  # a program's files may be wrong as a whole


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
        if p.name not in ("codes.py", "codes_python.py")
        for c in re.findall(r'"(C0\d{3})"', p.read_text(encoding="utf-8"))
    }
    assert used - CODES.keys() == set()
    assert CODES.keys() - used == set(), "documented, used nowhere"


NO_TEXT_SHOWS = {
    "C0301", "C0302",  # only a faulty pass makes them
    "C0502", "C0505", "C0506", "C0703", "C0711", "C0864",  # what is not installed on a machine
    "C0504", "C0515",  # a package from another machine or version
    "C0513", "C0702", "C0802",  # more than 2 GB, or than there is memory
    "C0516", "C0517", "C0518",  # sweeps and their cache, which the command line alone uses
    "C0603", "C0712",  # a bug, here or in a runtime
}  # fmt: skip


def test_every_code_has_an_example_unless_no_text_can_show_it() -> None:
    assert {code for code in CODES if code not in SHOWN} == NO_TEXT_SHOWS


@pytest.mark.parametrize("law", LAWS)
def test_the_example_of_a_law_moves_by_that_law(law: str) -> None:
    graph, one = cnn.parse(LAWS[law].example), LAWS[law]
    deciding = make("place", place="always", exactness=one.terms.exactness) if one.placed else make(law)
    assert isinstance(deciding, Deciding)
    decision = deciding.decide(graph).decisions[0]
    assert (decision.law, decision.verdict) == (law, "moved")
