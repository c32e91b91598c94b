"""MNN on the CPU in f32; its wheel brings the converter from ONNX. It runs in an environment of its own."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .session import Array, NotConverted, Runtime, Session


class _Session:
    def __init__(self, model: Path, feeds: Mapping[str, Array], threads: int) -> None:
        import MNN  # pyright: ignore[reportMissingImports]  # in its own environment alone

        self._mnn: Any = MNN
        with tempfile.TemporaryDirectory(prefix="cnnir-mnn-") as folder:
            path = Path(folder) / "net.mnn"
            _convert(model, path)
            self._interpreter = self._mnn.Interpreter(str(path))
        # "high" is f32 throughout; "low" may take halves.
        self._session = self._interpreter.createSession({"backend": "CPU", "precision": "high", "numThread": threads})
        known = self._interpreter.getSessionInputAll(self._session)
        if set(known) != set(feeds):
            raise NotConverted(f"the inputs are {', '.join(known)}, not {', '.join(feeds)}")
        self._held = {name: np.ascontiguousarray(array) for name, array in feeds.items()}
        self._inputs = [(known[name], self._host(array)) for name, array in self._held.items()]
        for tensor, host in self._inputs:
            tensor.copyFrom(host)
        self._interpreter.runSession(self._session)
        found = self._interpreter.getSessionOutputAll(self._session)
        self._outputs = {name: (tensor, self._host(np.zeros(tensor.getShape(), np.float32))) for name, tensor in found.items()}

    def run(self) -> None:
        for tensor, host in self._inputs:
            tensor.copyFrom(host)
        self._interpreter.runSession(self._session)
        for tensor, host in self._outputs.values():
            tensor.copyToHostTensor(host)

    def outputs(self) -> Mapping[str, Array]:
        return {name: np.array(host.getNumpyData()).reshape(tensor.getShape()) for name, (tensor, host) in self._outputs.items()}

    def _host(self, array: Array) -> Any:
        """A tensor of MNN in ONNX's order of axes."""
        if array.dtype != np.float32:
            raise NotConverted(f"only f32 is raced, not {array.dtype}")
        return self._mnn.Tensor(array.shape, self._mnn.Halide_Type_Float, array, self._mnn.Tensor_DimensionType_Caffe)


def _convert(model: Path, path: Path) -> None:
    """Write the network for MNN; raises NotConverted with what its converter said."""
    # The converter itself: importing MNN.tools runs pip, and sends a report of every conversion to its makers.
    import _tools as converter  # pyright: ignore[reportMissingImports]  # in its own environment alone

    said = path.with_suffix(".said")
    with _written_to(said):
        converter.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", str(model), "--MNNModel", str(path), "--bizCode", "cnnir"])
    lines = [line.strip() for line in said.read_text("utf-8", "replace").splitlines() if line.strip()]
    if not path.is_file() or not path.stat().st_size:
        wrong = [line for line in lines if "not support" in line.lower() or "error" in line.lower() or "failed" in line.lower()]
        raise NotConverted((wrong or lines or ["the converter said nothing"])[0])


@contextlib.contextmanager
def _written_to(path: Path) -> Generator[None, None, None]:
    """Into the file whatever goes to standard output and error, of C++ too."""
    saved = [os.dup(1), os.dup(2)]
    with path.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
        try:
            yield
        finally:
            for stream, old in zip((1, 2), saved, strict=True):
                os.dup2(old, stream)
                os.close(old)


def _open(model: Path, feeds: Mapping[str, Array], threads: int) -> Session:
    return _Session(model, feeds, threads)


RUNTIMES = (Runtime("mnn", "MNN", _open, requires=("MNN==3.6.1", "numpy>=2")),)
