"""One runtime in a process of its own: `python -m cnnir.backends.peers.worker FILE NAME model.onnx inputs.npz --threads N`.

NAME is a runtime of FILE, a module beside this one. Needs no cnnir but this folder, for runtimes with environments of their own.

Answers each line of standard input with a line of JSON on standard output; the first line says that the model is loaded.

    run K               the seconds that each of K runs took
    outputs FILE.npz    writes the outputs of the last run; their names
    quit                ends, as the end of the input does
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TextIO

from .arrays import read_arrays, write_arrays
from .session import Runtime, Session


def _say(out: TextIO, message: object) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


def _private_stdout() -> TextIO:
    """Standard output for this protocol alone: what a library prints goes to standard error."""
    sys.stdout.flush()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


def _run(session: Session, count: int) -> list[float]:
    times: list[float] = []
    for _ in range(count):
        start = time.perf_counter()
        session.run()
        times.append(time.perf_counter() - start)
    return times


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def main(arguments: list[str] | None = None) -> int:
    """Load the model, then answer until told to quit; errors go to standard error, exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m cnnir.backends.peers.worker")
    parser.add_argument("file")
    parser.add_argument("name")
    parser.add_argument("model", type=Path)
    parser.add_argument("inputs", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    given = parser.parse_args(arguments)
    found: tuple[Runtime, ...] = importlib.import_module(f".{given.file}", __package__).RUNTIMES
    (runtime,) = (r for r in found if r.name == given.name)
    with _private_stdout() as out:
        session = runtime.open(given.model, read_arrays(given.inputs), given.threads)
        _say(out, {"runtime": runtime.name, "version": _version(runtime.package)})
        for line in sys.stdin:
            verb, _, rest = line.rstrip("\n").partition(" ")
            if verb == "run":
                _say(out, _run(session, int(rest)))
            elif verb == "outputs":
                outputs = session.outputs()
                write_arrays(Path(rest), outputs)
                _say(out, list(outputs))
            elif verb == "quit":
                break
    return 0


if __name__ == "__main__":
    sys.exit(main())
