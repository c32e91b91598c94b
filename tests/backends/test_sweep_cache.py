"""Sweeps on disk: found again under the same formula, dtype, target and versions, and under no other."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnir.backends.tvm.sweep import environment
from cnnir.backends.tvm.sweep.cache import Cache, entries, keep
from cnnir.backends.tvm.sweep.environment import Environment
from cnnir.backends.tvm.sweep.measure import sweep
from cnnir.backends.tvm.sweep.record import as_record, from_record
from cnnir.backends.tvm.targets import TargetSpec, parse_target
from cnnir.diagnostics import CnnirWarning
from cnnir.facts.evidence import Swept
from cnnir.facts.interval import Interval
from cnnir.facts.lattice import DOWN, UNKNOWN, UP, valley
from cnnir.scalar.expr import X, apply

LLVM = TargetSpec("llvm")
ALL = Interval(-65504.0, 65504.0)
SIGMOID = 1 / (1 + apply("exp", -X))


def files(cache: Path) -> list[Path]:
    return sorted((cache / "sweeps").iterdir())


def kept(lo: float = -math.inf, hi: float = math.inf) -> Swept:
    found = sweep(SIGMOID, UP, "f16", LLVM, lo, hi)
    keep(SIGMOID, found)
    return found


def test_what_was_kept_is_found_by_an_equal_formula(cache: Path) -> None:
    assert Cache(LLVM).lookup(SIGMOID, "f16", UP, ALL) is None, "nothing was swept yet"
    found = kept()
    assert Cache(LLVM).lookup(1 / (1 + apply("exp", -X)), "f16", UP, ALL) == found
    assert Cache(parse_target(found.target)).lookup(SIGMOID, "f16", UP, ALL) == found, "`llvm` is this CPU"
    assert [(e.formula, e.swept) for e in entries()] == [("1 / (1 + exp(-x))", found)]
    assert len(files(cache)) == 1


def test_nothing_else_is_found() -> None:
    kept()
    here = Cache(LLVM)
    assert here.lookup(1 / (1.5 + apply("exp", -X)), "f16", UP, ALL) is None, "another number"
    assert here.lookup(1 / (1 + apply("exp", X)), "f16", UP, ALL) is None, "another structure"
    assert here.lookup(SIGMOID, "bf16", UP, ALL) is None
    assert Cache(TargetSpec("llvm", "x86-64-v3")).lookup(SIGMOID, "f16", UP, ALL) is None
    assert Cache(TargetSpec("cuda")).lookup(SIGMOID, "f16", UP, ALL) is None


@pytest.mark.parametrize("name", ["llvm", "tvm", "kernels", "libm", "cpu"])
def test_another_version_has_swept_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept()
    real = Environment.remembered(LLVM)
    assert real is not None
    other = replace(real, versions=tuple((n, v + "x" if n == name else v) for n, v in real.versions))
    monkeypatch.setattr(Environment, "remembered", lambda _spec: other)
    assert Cache(LLVM).lookup(SIGMOID, "f16", UP, ALL) is None


def test_formulas_without_a_library_do_not_depend_on_one() -> None:
    found = Environment("llvm", (("tvm", "1"), ("libm", "2"), ("cpu", "3")))
    assert found.versions_of(X * X) == (("tvm", "1"),)
    assert found.versions_of(apply("log", X)) == found.versions


def test_a_change_to_a_kernel_source_is_another_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = Path(environment.__file__).parent.parent
    for path in (*folder.glob("*.py"), *folder.glob("kernels/*.py")):
        copy = tmp_path / path.relative_to(folder)
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(path.read_text())
    before = environment._sources()
    environment._sources.cache_clear()
    monkeypatch.setattr(environment, "_ROOM", tmp_path)
    try:
        assert environment._sources() == before
        environment._sources.cache_clear()
        with (tmp_path / "kernels" / "vector_math.py").open("a") as file:
            file.write("# another polynomial")
        assert environment._sources() != before
    finally:
        environment._sources.cache_clear()


def test_a_sweep_for_another_direction_is_not_found() -> None:
    keep(SIGMOID, sweep(SIGMOID, DOWN, "f16", LLVM))
    assert Cache(LLVM).lookup(SIGMOID, "f16", UP, ALL) is None
    loose = sweep(SIGMOID, valley(), "f16", LLVM)
    keep(SIGMOID, loose)
    assert Cache(LLVM).lookup(SIGMOID, "f16", UP, ALL) == loose, "UP would be a valley: it could be refuted so"
    assert Cache(LLVM).lookup(SIGMOID, "f16", UNKNOWN, ALL) == loose, "the clean one"
    found = kept()
    assert Cache(LLVM).lookup(SIGMOID, "f16", UP, ALL) == found


def test_the_least_range_that_covers_is_found_and_a_clean_one_first() -> None:
    wide, narrow = kept(), kept(0, 8)
    here = Cache(LLVM)
    assert here.lookup(SIGMOID, "f16", UP, Interval(1.0, 2.0)) == narrow
    assert here.lookup(SIGMOID, "f16", UP, Interval(-1.0, 2.0)) == wide
    keep(SIGMOID, replace(narrow, lo=0.5, violations=1, first=(1.0, 1.5), last=1.5, bound=0.5, inputs=10))
    assert Cache(LLVM).lookup(SIGMOID, "f16", UP, Interval(1.0, 2.0)) == narrow


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[1]", b"{}", b'{"formula": "x", "swept": {}}', b'{"formula": "x", "swept": []}', b"\xff\xfe", b"[" * 100_000],
    ids=lambda content: content[:12].decode("latin-1"),
)
def test_a_damaged_file_is_ignored_with_a_warning(content: bytes, cache: Path) -> None:
    kept()
    (path,) = files(cache)
    path.write_bytes(content)
    with pytest.warns(CnnirWarning, match="C0516"):
        assert Cache(LLVM).lookup(SIGMOID, "f16", UP, ALL) is None
    found = kept()
    assert Cache(LLVM).lookup(SIGMOID, "f16", UP, ALL) == found, "a new sweep takes its place"


@pytest.mark.parametrize(
    ("field", "value"),
    [("range", ["nan", "0x1p0"]), ("range", ["0x1p0"]), ("violations", 3), ("inputs", -1), ("first", ["0x1p0"]), ("bound", "nan"), ("versions", "x")],
)  # fmt: skip
def test_a_record_that_contradicts_itself_is_damaged(field: str, value: object, cache: Path) -> None:
    kept()
    (path,) = files(cache)
    document = json.loads(path.read_text())
    document["swept"][field] = value
    path.write_text(json.dumps(document))
    with pytest.warns(CnnirWarning, match="C0516"):
        assert Cache(LLVM).lookup(SIGMOID, "f16", UP, ALL) is None


def test_a_damaged_note_means_nothing_was_swept(cache: Path) -> None:
    kept()
    (note,) = (cache / "hosts").iterdir()
    note.write_text("{")
    assert Cache(LLVM).lookup(SIGMOID, "f16", UP, ALL) is None


@pytest.mark.parametrize("kind", ["a file", "not ours"])
def test_a_cache_that_cannot_be_written_is_a_warning(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "taken"
    place.write_text("")
    monkeypatch.setenv("CNNIR_CACHE", str(place if kind == "a file" else "/proc/nowhere"))
    with pytest.warns(CnnirWarning, match="C0517"):
        kept()
    assert Cache(LLVM).lookup(SIGMOID, "f16", UP, ALL) is None and entries() == []


anything = st.floats(allow_nan=False)
pairs = st.none() | st.tuples(anything, anything)


@given(anything, st.floats(0), pairs, pairs, st.integers(1, 1 << 32))
def test_a_record_reads_back_equal(
    lo: float, bound: float, first: tuple[float, float] | None, nan: tuple[float, float] | None, n: int
) -> None:
    agree = first is None
    bad = int(first is not None or nan is not None)
    last = first and first[1]
    found = Swept(valley(-1, 2), "f32", "llvm", lo, math.inf, n, bad, first, last, bound, nan, agree or first is not None, (("a", "b"),))
    assert from_record(json.loads(json.dumps(as_record(found)))) == found


def test_asking_what_was_swept_imports_no_compiler(cache: Path) -> None:
    kept()
    script = """
import sys
from cnnir.api import evidence
from cnnir.facts.interval import Interval
from cnnir.facts.lattice import UP
from cnnir.scalar.expr import X, apply
found = evidence().lookup(1 / (1 + apply("exp", -X)), "f16", UP, Interval(-1, 1))
assert found is not None and "tvm" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], env={**os.environ, "CNNIR_CACHE": str(cache)}, check=True)


def test_warnings_are_silent_where_all_is_well() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept()
        assert Cache(LLVM).lookup(SIGMOID, "f16", UP, ALL)
