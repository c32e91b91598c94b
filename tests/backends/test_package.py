"""Packages: what is saved is what is loaded, without the compiler; what is damaged is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cnnir
from cnnir.feeds import random_feeds

TEXT = "network n(x: f32[1, 3, 12, 12] in [0, 1]) { x -> conv(8, 3) -> relu -> maxpool(2) -> flatten -> fc(5) -> softmax }"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("package") / "net.cnnpkg"
    cnnir.compile(cnnir.parse(TEXT), threads=1).save(path)
    return path


def copy(package: Path, to: Path) -> Path:
    import shutil

    return Path(shutil.copytree(package, to / "copy.cnnpkg"))


def test_a_loaded_program_answers_as_the_saved_one(package: Path) -> None:
    graph = cnnir.parse(TEXT)
    feeds = random_feeds(graph.inputs, graph.ranges)
    expected, loaded = cnnir.compile(graph, threads=1), cnnir.load_program(package)
    assert loaded.manifest == expected.manifest
    for name, array in expected(feeds).items():
        np.testing.assert_array_equal(loaded(feeds)[name], array)


def test_loading_and_running_imports_no_compiler(package: Path) -> None:
    code = f"""
import sys, numpy as np, cnnir
program = cnnir.load_program({str(package)!r})
program({{"x": np.zeros((1, 3, 12, 12), np.float32)}})
assert not {{"tvm", "networkx", "lark"}} & sys.modules.keys(), sorted(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_saving_replaces_a_package_and_nothing_else(package: Path, tmp_path: Path) -> None:
    program = cnnir.load_program(package)
    program.save(tmp_path / "a.cnnpkg")
    program.save(tmp_path / "a.cnnpkg")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.cnnpkg"]
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("mine")
    with pytest.raises(cnnir.CnnirError):
        program.save(tmp_path / "precious")
    assert (tmp_path / "precious" / "thesis.txt").read_text() == "mine"


def test_damage_is_found(package: Path, tmp_path: Path) -> None:
    damages = {
        "no manifest": lambda p: (p / "manifest.json").unlink(),
        "not json": lambda p: (p / "manifest.json").write_text("<html>"),
        "other schema": lambda p: edit(p, schema=999),
        "no library": lambda p: (p / "library.so").unlink(),
        "changed library": lambda p: (p / "library.so").write_bytes(b"\x7fELF"),
        "short weights": lambda p: (p / "weights.bin").write_bytes(b"\0" * 64),
        "lying offset": lambda p: edit(p, weights=[{"offset": -64, "shape": [1], "dtype": "float32"}]),
        "object weights": lambda p: edit(p, weights=[{"offset": 0, "shape": [1], "dtype": "O"}]),
        "escaping name": lambda p: edit(p, sha256={"../../etc/passwd": "0"}),
    }
    for what, damage in damages.items():
        folder = tmp_path / what
        folder.mkdir()
        broken = copy(package, folder)
        damage(broken)
        with pytest.raises(cnnir.CnnirError) as caught:
            cnnir.load_program(broken)
        assert caught.value.diagnostics[0].code == "C0503", what


def test_a_package_for_another_cpu_is_refused(package: Path, tmp_path: Path) -> None:
    other = copy(package, tmp_path)
    edit(other, cpu_features=["a_feature_of_the_future"])
    with pytest.raises(cnnir.CnnirError) as caught:
        cnnir.load_program(other)
    assert caught.value.exit_code == 3


def edit(package: Path, **changes: object) -> None:
    manifest = package / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **changes}))
