"""The wheel holds what the tree holds, and works in an environment of its own, away from the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parent.parent
ROOMS = {"cnnir": "cnnir", **{room: f"cnnir/{room}" for room in ("frontends", "passes", "backends", "grammar")}}
IMPORT_ALL = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        print(importlib.import_module(name).__file__)
    except ModuleNotFoundError as error:  # an optional library; a module of ours must be there
        assert not (error.name or "").startswith("cnnir"), error
"""
SCRIPTS = "Scripts" if os.name == "nt" else "bin"

pytestmark = pytest.mark.skipif(not (TREE / "cnnir").is_dir(), reason="the tests lie away from the tree: there is nothing to build")


def run(*command: str | Path, cwd: Path) -> str:
    """A command's output; its failure is the test's, with all that it said."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "VIRTUAL_ENV"))}
    done = subprocess.run(command, cwd=cwd, env=clean, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(map(str, command))}\n{done.stdout}", pytrace=False)
    return done.stdout


def tree_files() -> set[str]:
    """Every file of the rooms, under the name it is installed by."""
    return {
        (Path(installed) / path.relative_to(TREE / folder)).as_posix()
        for folder, installed in ROOMS.items()
        for path in (TREE / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def environment(folder: Path) -> Path:
    """A fresh virtual environment's Python."""
    venv.create(folder, with_pip=True)
    return folder / SCRIPTS / "python"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, so that nothing left by an earlier build can slip in."""
    copy, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for folder in ROOMS:
        shutil.copytree(TREE / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(TREE / name, copy)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, copy, cwd=copy)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_the_tree(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    metadata = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    assert names - metadata == tree_files()
    assert {Path(name).name for name in metadata} >= {"LICENSE", "NOTICE", "METADATA", "entry_points.txt"}


def test_the_wheel_works_away_from_the_tree(wheel: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "environment")
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    # The dependencies come from here; a path that a .pth adds has its own .pth files, the editable cnnir among them, ignored.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    modules = sorted(name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in tree_files() if name.endswith(".py"))
    files = run(python, "-W", "error", "-c", IMPORT_ALL, *modules, cwd=tmp_path).splitlines()
    assert len(files) > 50
    assert all(Path(file).is_relative_to(site) for file in files)
    assert "compile" in run(python.with_name("cnnc"), "--help", cwd=tmp_path)


@pytest.mark.wheel
def test_the_suite_passes_against_the_wheel(wheel: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "environment")
    print(f"installing {wheel.name} and its tests' needs in a fresh environment", flush=True)
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", f"{wheel}[dev,cuda,onnx,peers]", cwd=tmp_path)
    away = tmp_path / "away"
    for folder in ("tests", "examples", "docs"):
        shutil.copytree(TREE / folder, away / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TREE / "pyproject.toml", away)
    print(run(python.with_name("pytest"), "-q", "-n", "auto", "--maxprocesses", "4", cwd=away), flush=True)
