"""Every code is documented, and its documentation is true."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from cnnir.codes import CODES
from cnnir.diagnostics import CnnirError
from cnnir.frontends import cnn
from cnnir.ir.verify import verify

SHOWN = [code for code, entry in CODES.items() if entry.example]


@pytest.mark.parametrize("code", SHOWN)
def test_the_example_fails_with_its_code_alone(code: str) -> None:
    with pytest.raises(CnnirError) as caught:
        cnn.parse(CODES[code].example)
    assert {d.code for d in caught.value.diagnostics} == {code}
    assert all(d.labels for d in caught.value.diagnostics)


@pytest.mark.parametrize("code", SHOWN)
def test_the_mended_example_passes(code: str) -> None:
    verify(cnn.parse(CODES[code].mend))


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


def test_every_language_code_has_an_example_unless_no_text_can_show_it() -> None:
    without = {code for code in CODES if code < "C04" and code not in SHOWN}
    assert without == {"C0107", "C0223", "C0301", "C0302"}
