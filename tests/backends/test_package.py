"""Packages: what is saved is what is loaded, without the compiler; what is damaged is refused."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cnnir
from cnnir.backends.tvm.manifest_json import seal
from cnnir.feeds import random_feeds

TEXT = "network n(x: f32[1, 3, 12, 12] in [0, 1]) { x -> conv(8, 3) -> relu -> maxpool(2) -> flatten -> fc(5) -> softmax }"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("package") / "net.cnnpkg"
    cnnir.compile(cnnir.parse(TEXT), threads=1).save(path)
    return path


def copy(package: Path, to: Path) -> Path:
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


FILES = {
    "no manifest": lambda p: (p / "manifest.json").unlink(),
    "not json": lambda p: (p / "manifest.json").write_text("<html>"),
    "a list": lambda p: (p / "manifest.json").write_text("[1]"),
    "a million brackets": lambda p: (p / "manifest.json").write_text("[" * 1_000_000),
    "not UTF-8": lambda p: (p / "manifest.json").write_bytes(b'{"schema": 2, "\xff": 1}'),
    "a manifest nobody writes": lambda p: ((p / "manifest.json").unlink(), os.mkfifo(p / "manifest.json")),
    "a flipped digit": lambda p: swap(p / "manifest.json", '"kernels": ', '"kernels": 1'),
    "no library": lambda p: library(p).unlink(),
    "changed library": lambda p: library(p).write_bytes(b"\x7fELF"),
    "short weights": lambda p: (p / "weights.bin").write_bytes(b"\0" * 64),
}


@pytest.mark.parametrize("what", FILES)
def test_damaged_files_are_found(what: str, package: Path, tmp_path: Path) -> None:
    broken = copy(package, tmp_path)
    FILES[what](broken)
    assert refused(broken) == ("C0503", 1)


ODD = [None, True, -1, 0, 1.5, "", "x", [], {}, [[]], {"x": None}, {"x": []}, {"x": {"dtype": "O", "shape": [1]}}, 10**30]
VALUES = {
    "weights": [[{"offset": -64, "dtype": "f32", "shape": [1]}], [{"offset": 0, "dtype": "f32", "shape": [10**9]}]],
    "sha256": [{"../../etc/passwd": "0"}, {"\ud800": "0"}],
    "ranges": [{"x": [1, 0]}, {"x": [0, float("nan")]}, {"x": [0, float("inf")]}, {"x": [0, 10**400]}, {"y": None}],
    "inputs": [{"x": {"dtype": "f32", "shape": [-1]}}, {"x": {"dtype": "f32", "shape": [2**31, 2**31]}}],
    "target": ["llvm -mcpu", "vulkan"],
    "threads": [10**9],
}
FITTING = {
    "name": ["", "x"],
    "versions": [{}],
    "calls": [[], [[]]],
    "cpu_features": [[]],
    "weights": [[]],
    "ranges": [{"x": None}],
}  # true of some package


def test_every_odd_value_of_a_manifest_is_found(package: Path, tmp_path: Path) -> None:
    broken = copy(package, tmp_path)
    whole = (broken / "manifest.json").read_text()
    for key in json.loads(whole):
        for value in [*ODD, *VALUES.get(key, [])]:
            if any(value == v and type(value) is type(v) for v in FITTING.get(key, [])):
                continue
            edit(broken, **{key: value})
            code, _ = refused(broken)
            assert code == ("C0515" if key == "schema" and value == 0 else "C0503"), (key, value)
            (broken / "manifest.json").write_text(whole)
    cnnir.load_program(broken)


def test_another_version_is_refused_as_such(package: Path, tmp_path: Path) -> None:
    other = copy(package, tmp_path)
    versions = json.loads((other / "manifest.json").read_text())["versions"]
    for changes in ({"schema": 999}, {"versions": {**versions, "apache-tvm-ffi": "0.0.1"}}, {"versions": {}}):
        edit(other, **{"schema": 2, "versions": versions, **changes})
        assert refused(other) == ("C0515", 3)


def test_a_package_for_another_cpu_is_refused(package: Path, tmp_path: Path) -> None:
    other = copy(package, tmp_path)
    edit(other, cpu_features=["a_feature_of_the_future"])
    assert refused(other) == ("C0504", 3)


def test_weights_are_verified_where_asked(package: Path, tmp_path: Path) -> None:
    changed = copy(package, tmp_path)
    cnnir.load_program(changed, verify=True)
    content = bytearray((changed / "weights.bin").read_bytes())
    content[0] ^= 1
    (changed / "weights.bin").write_bytes(content)
    cnnir.load_program(changed)
    with pytest.raises(cnnir.CnnirError) as caught:
        cnnir.load_program(changed, verify=True)
    assert caught.value.diagnostics[0].code == "C0503"


def test_a_library_that_is_none_or_gone_or_of_other_arguments_is_found_when_loaded(package: Path, tmp_path: Path) -> None:
    feeds = {"x": np.zeros((1, 3, 12, 12), np.float32)}
    gone, garbage, fewer = (copy(package, tmp_path / what) for what in ("gone", "garbage", "fewer"))
    library(garbage).write_bytes(b"\x7fELF, but no more")
    hashes = json.loads((garbage / "manifest.json").read_text())["sha256"]
    edit(garbage, sha256={**hashes, library(garbage).name: hashlib.sha256(library(garbage).read_bytes()).hexdigest()})
    edit(fewer, weights=json.loads((fewer / "manifest.json").read_text())["weights"][:-1])
    for broken in (gone, garbage, fewer):
        program = cnnir.load_program(broken)
        if broken == gone:
            library(broken).unlink()
        with pytest.raises(cnnir.CnnirError) as caught:
            program(feeds)
        assert caught.value.diagnostics[0].code == "C0503", broken


def test_another_model_at_the_same_path_is_another_model(tmp_path: Path) -> None:
    x = np.arange(-4, 4, dtype=np.float32).reshape(1, 8)
    meanings = {"relu": np.maximum(x, 0), "neg": -x, "abs": np.abs(x)}
    for op, expected in meanings.items():
        cnnir.compile(cnnir.parse(f"network n(x: f32[1, 8]) {{ x -> {op} }}"), threads=1).save(tmp_path / "n.cnnpkg")
        np.testing.assert_array_equal(cnnir.load_program(tmp_path / "n.cnnpkg")({"x": x})["output"], expected)
        gc.collect()


def test_an_interrupted_replacement_keeps_the_old_package(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = copy(package, tmp_path)
    program, rename, calls = cnnir.load_program(package), Path.rename, list[Path]()

    def interrupted(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) == 2:  # the old package is aside, the new one not yet in its place
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        program.save(kept)
    assert len(calls) == 3 and [p.name for p in tmp_path.iterdir()] == ["copy.cnnpkg"]
    cnnir.load_program(kept, verify=True)


def test_a_package_goes_nowhere_it_does_not_belong(package: Path, tmp_path: Path) -> None:
    program, here = cnnir.load_program(package), copy(package, tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(tmp_path.rglob("*"))
    names = ("file", "file/x", "dangling", "loop", "a" * 300, "copy.cnnpkg/inner", "copy.cnnpkg/a/b", "nul\0")
    for name in names:
        with pytest.raises(cnnir.CnnirError) as caught:
            program.save(tmp_path / name)
        assert (caught.value.diagnostics[0].code, caught.value.exit_code) == ("C0501", 2), name
    assert sorted(tmp_path.rglob("*")) == before
    program.save(tmp_path / ("a" * 255))
    cnnir.load_program(here, verify=True)


def test_a_failed_build_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cnnir.backends.tvm import compile as compiler

    def interrupted(*_: object) -> None:
        assert len(list(tmp_path.iterdir())) == 1
        raise KeyboardInterrupt

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(compiler, "export", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cnnir.compile(cnnir.parse("network n(x: f32[1, 8]) { x -> relu }"))
    assert list(tmp_path.iterdir()) == []


def test_a_number_as_input_stays_one() -> None:
    program = cnnir.compile(cnnir.parse("network n(x: f32[]) { x -> relu }"), threads=1)
    assert program({"x": np.array(-1, np.float32)})["output"].shape == ()


def refused(package: Path) -> tuple[str, int]:
    with pytest.raises(cnnir.CnnirError) as caught:
        cnnir.load_program(package)
    return caught.value.diagnostics[0].code, caught.value.exit_code


def library(package: Path) -> Path:
    (found,) = package.glob("library-*.so")
    return found


def swap(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def edit(package: Path, **changes: object) -> None:
    """Change the manifest as one who seals it again."""
    manifest = package / "manifest.json"
    content = {**json.loads(manifest.read_text()), **changes}
    if "manifest_sha256" not in changes:
        content["manifest_sha256"] = seal(content)
    manifest.write_text(json.dumps(content))
