"""Every code is documented, and its documentation is true."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from onnx.parser import parse_model

from cnnir.codes import CODES
from cnnir.diagnostics import CnnirError
from cnnir.frontends import cnn, onnx, pipeline
from cnnir.ir.verify import verify
from cnnir.passes.laws import LAWS
from cnnir.pipeline import Deciding, make, make_all

SHOWN = [code for code, entry in CODES.items() if entry.example]


def read(code: str, text: str, folder: Path) -> None:
    """What a user does with a text of the code's language, in an empty folder."""
    if CODES[code].language == "pipeline":
        make_all(pipeline.parse(text))
    elif CODES[code].language == "onnx":
        verify(onnx.parse(parse_model(text).SerializeToString()))
    else:
        verify(cnn.parse(text, folder=folder))


@pytest.mark.parametrize("code", SHOWN)
def test_the_example_fails_with_its_code_alone(code: str, tmp_path: Path) -> None:
    with pytest.raises(CnnirError) as caught:
        read(code, CODES[code].example, tmp_path)
    assert {d.code for d in caught.value.diagnostics} == {code}
    assert all(d.labels for d in caught.value.diagnostics)


@pytest.mark.parametrize("code", SHOWN)
def test_the_mended_example_passes(code: str, tmp_path: Path) -> None:
    read(code, CODES[code].mend, tmp_path)


def test_every_code_in_the_sources_is_documented() -> None:
    import cnnir.backends
    import cnnir.frontends
    import cnnir.passes

    folders = [Path(inspect.getfile(m)).parent for m in (cnnir, cnnir.frontends, cnnir.passes, cnnir.backends)]
    used = {
        c
        for f in folders
        for p in f.rglob("*.py")
        if p.name != "codes.py"
        for c in re.findall(r'"(C0\d{3})"', p.read_text(encoding="utf-8"))
    }
    assert used - CODES.keys() == set()
    assert CODES.keys() - used == set(), "documented, used nowhere"


NO_TEXT_SHOWS = {
    "C0107",  # bytes that are no text
    "C0223",  # opaque layers are refused by compilers, not by the language
    "C0301", "C0302",  # only a faulty pass makes them
    "C0403", "C0404",  # a weights file that is wrong in itself
    "C0801", "C0802",  # a file that is no model
}  # fmt: skip


def test_every_language_code_has_an_example_unless_no_text_can_show_it() -> None:
    language = {code for code in CODES if code < "C05" or code in ("C0510", "C0511") or "C08" < code < "C084"}
    assert {code for code in language if code not in SHOWN} == NO_TEXT_SHOWS


@pytest.mark.parametrize("law", LAWS)
def test_the_example_of_a_law_moves_by_that_law(law: str) -> None:
    graph, one = cnn.parse(LAWS[law].example), LAWS[law]
    deciding = make("place", place="always", exactness=one.terms.exactness) if one.placed else make(law)
    assert isinstance(deciding, Deciding)
    decision = deciding.decide(graph).decisions[0]
    assert (decision.law, decision.verdict) == (law, "moved")
