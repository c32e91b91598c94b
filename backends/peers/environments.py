"""Environments of their own for runtimes whose packages cannot live beside ours.

MNN's tools ask for another protobuf than onnx does. Such a runtime's worker needs its package, NumPy and this folder's files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from cnnir import caches
from cnnir.diagnostics import CnnirError, Diagnostic

from .session import Runtime

VARIABLE = "CNNIR_PEERS"
"""The environment variable that names another folder for the environments."""
BOOTSTRAP = """
import importlib, sys, types
package = types.ModuleType("peers")
package.__path__ = [sys.argv.pop(1)]
sys.modules["peers"] = package
sys.exit(importlib.import_module("peers.worker").main())
"""
"""Runs the worker out of its folder, where cnnir is not installed; `-I` keeps our `ncnn.py` from hiding the package ncnn."""


def folder(runtime: Runtime) -> Path:
    """Where a runtime's environment is, or would be: in the user's cache, or where CNNIR_PEERS says."""
    return Path(os.environ.get(VARIABLE) or caches.folder("peers")) / runtime.name


def installed(runtime: Runtime) -> bool:
    """Whether the environment is there, whole and with the packages that are asked for today."""
    mark = folder(runtime) / ".installed"
    return mark.is_file() and mark.read_text("utf-8").split("\n") == list(runtime.requires)


def python(runtime: Runtime) -> Path:
    """The environment's Python."""
    return _scripts(folder(runtime)) / ("python.exe" if os.name == "nt" else "python")


def worker(runtime: Runtime) -> list[str]:
    """The command that starts a worker in the runtime's environment, without the worker's own arguments."""
    return [str(python(runtime)), "-I", "-c", BOOTSTRAP, str(Path(__file__).parent)]


def variables(runtime: Runtime) -> dict[str, str]:
    """The environment variables of the worker. Should a library call `pip`, that is the environment's, and finds no index:
    one of MNN's modules installs a package for its log when it is imported."""
    scripts = str(_scripts(folder(runtime)))
    return {
        **os.environ,
        "PATH": os.pathsep.join((scripts, os.environ.get("PATH", ""))),
        "PIP_NO_INDEX": "1",
        "PIP_REQUIRE_VIRTUALENV": "1",
    }


def install(runtime: Runtime) -> None:
    """Make the environment, which takes a minute and a network; one that is there already is made anew.

    Raises CnnirError (exit code 3), with pip's last words, where it cannot be made; nothing is left of it then.
    """
    place = folder(runtime)
    shutil.rmtree(place, ignore_errors=True)
    pip = [str(python(runtime)), "-I", "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", *runtime.requires]
    for command in ([sys.executable, "-m", "venv", str(place)], pip):
        try:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, stdin=subprocess.DEVNULL
            )
        except OSError as error:
            done = subprocess.CompletedProcess(command, 1, str(error))
        if done.returncode:
            shutil.rmtree(place, ignore_errors=True)
            raise CnnirError(_refused(runtime, done.stdout), exit_code=3)
    (place / ".installed").write_text("\n".join(runtime.requires), "utf-8")


def missing(runtime: Runtime) -> Diagnostic:
    """Says that the environment is not there, and how to get it."""
    help = f"`cnnc bench NET --against {runtime.name}` makes it"
    return Diagnostic("C0711", f"`{runtime.name}` has no environment in `{folder(runtime)}`", help=help)


def _refused(runtime: Runtime, said: str) -> Diagnostic:
    lines = said.strip().splitlines() or ["it said nothing"]
    help = f"pip install --no-deps {' '.join(runtime.requires)}, in a fresh environment, shows all of it"
    message = f"`{runtime.name}` could not be installed in an environment of its own: {lines[-1]}"
    return Diagnostic("C0711", message, help=help, notes=tuple(lines[-6:-1]))


def _scripts(place: Path) -> Path:
    return place / ("Scripts" if os.name == "nt" else "bin")
