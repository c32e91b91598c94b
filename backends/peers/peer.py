"""A runtime that runs a model in another process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from cnnir.diagnostics import CnnirError, Diagnostic

from . import environments
from .arrays import Array, read_arrays, write_arrays
from .names import output_names
from .registry import runtime


class Peer:
    """A worker process with a model loaded.

        with Peer("onnxruntime", Path("net.onnx"), {"x": array}, threads=2) as peer:
            seconds = peer.run(10)
            outputs = peer.outputs()

    Raises CnnirError: exit code 3 where the runtime is not installed, 1 where it cannot run the model.
    """

    def __init__(
        self,
        name: str,
        model: Path,
        feeds: Mapping[str, Array],
        threads: int,
        names: Sequence[str] | None = None,
        python: str = sys.executable,
    ) -> None:  # fmt: skip
        """Start the worker and load the model.

        `names` are what to call the outputs, in order, by default what the model calls them. `python` may be that of
        another environment, which has cnnir too.
        """
        self._names = names
        self.name = name
        self._runtime = runtime(name)
        if not self._runtime.requires and python == sys.executable and find_spec(self._runtime.package) is None:
            help = f"pip install '{self._runtime.install}'"
            raise CnnirError(Diagnostic("C0711", f"`{self._runtime.package}` is not installed", help=help), exit_code=3)
        own = bool(self._runtime.requires)
        if own and not environments.installed(self._runtime):
            raise CnnirError(environments.missing(self._runtime), exit_code=3)
        self._model = model
        self._folder = tempfile.TemporaryDirectory(prefix="cnnir-peer-")
        folder = Path(self._folder.name)
        write_arrays(folder / "inputs.npz", feeds)
        self._errors: IO[bytes] = (folder / "stderr").open("w+b")
        worker = environments.worker(self._runtime) if own else [python, "-m", "cnnir.backends.peers.worker"]
        worker += [self._runtime.module, name, str(model), str(folder / "inputs.npz"), "--threads", str(threads)]
        variables = environments.variables(self._runtime) if own else None
        self._process = subprocess.Popen(
            worker, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True
        )
        try:
            self.version: str = self._answer()["version"]
        except BaseException:
            self.close()
            raise

    def run(self, count: int) -> list[float]:
        """Seconds of each of `count` runs; a contestant of `race`."""
        return [float(t) for t in self._ask(f"run {count}")]

    def outputs(self) -> dict[str, Array]:
        """The outputs of the last run, in the model's order; runs once where there was none."""
        path = Path(self._folder.name) / "outputs.npz"
        self._ask("run 1")
        self._ask(f"outputs {path}")
        found = read_arrays(path)
        if self._runtime.requires and len(found) > 1:
            order = output_names(self._model)  # MNN sorts them by name; ncnn calls them by number
            found = {name: found[name] for name in order} if set(order) == set(found) else found
        return found if self._names is None else dict(zip(self._names, found.values(), strict=True))

    def close(self) -> None:
        """End the worker; a second call does nothing."""
        if self._process.poll() is None:
            try:
                self._process.communicate("quit\n", timeout=10)
            except (OSError, ValueError, subprocess.TimeoutExpired):
                self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None and not stream.closed:
                stream.close()
        self._folder.cleanup()

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _ask(self, line: str) -> Any:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError):
            raise self._failure() from None
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._failure()
        return json.loads(line)

    def _failure(self) -> CnnirError:
        """What the worker said last."""
        if self._errors.closed:
            return CnnirError(Diagnostic("C0712", f"`{self.name}` was closed"))
        self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        reason = said[-1] if said else f"it ended with exit code {self._process.returncode}"
        _, refused, words = reason.partition("NotConverted: ")
        if refused:
            return CnnirError(Diagnostic("C0712", f"`{self.name}`: not converted: {words}"))
        return CnnirError(Diagnostic("C0712", f"`{self.name}` cannot run the model: {reason}", notes=tuple(said[-6:-1])))
