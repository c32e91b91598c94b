"""ncnn on the CPU in f32; pnnx, of the same release, converts ONNX for it. Both run in an environment of their own."""

from __future__ import annotations

import importlib
import subprocess
import tempfile
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np

from .session import Array, NotConverted, Runtime, Session

HALVES = (
    "use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_packed", "use_bf16_storage",
    "use_int8_packed", "use_int8_storage", "use_int8_arithmetic", "use_vulkan_compute",
)  # fmt: skip
"""What would make it compute in less than f32, or elsewhere."""


class _Session:
    def __init__(self, model: Path, feeds: Mapping[str, Array], threads: int) -> None:
        runtime: Any = importlib.import_module("ncnn")  # by its name: for a type checker `ncnn` is this file

        self._net: Any = runtime.Net()
        self._net.opt.num_threads = threads
        for option in HALVES:
            setattr(self._net.opt, option, False)
        with tempfile.TemporaryDirectory(prefix="cnnir-ncnn-") as folder:
            _convert(model, Path(folder))
            for load, name in ((self._net.load_param, "net.param"), (self._net.load_model, "net.bin")):
                if load(str(Path(folder) / name)):
                    raise NotConverted(f"ncnn cannot load what pnnx wrote ({name})")
        inputs = list(self._net.input_names())
        if len(inputs) != len(feeds):
            raise NotConverted(f"pnnx kept {len(inputs)} of {len(feeds)} inputs")
        # Cloned: a Mat of a NumPy array is a view of it, without ncnn's alignment.
        arrays = (np.ascontiguousarray(array) for array in feeds.values())
        self._inputs = {f"in{n}": runtime.Mat(array, batch_index=0).clone() for n, array in enumerate(arrays)}
        self._names = [f"out{n}" for n in range(len(self._net.output_names()))]
        self._outputs: list[Any] = []

    def run(self) -> None:
        with self._net.create_extractor() as extractor:
            for name, value in self._inputs.items():
                extractor.input(name, value)
            answers = [extractor.extract(name) for name in self._names]
        if any(failed for failed, _ in answers):
            raise RuntimeError("ncnn could not compute an output")
        self._outputs = [value for _, value in answers]

    def outputs(self) -> Mapping[str, Array]:
        return {name: np.array(value.numpy(batch_index=0)) for name, value in zip(self._names, self._outputs, strict=True)}


def _convert(model: Path, folder: Path) -> None:
    """Write `net.param` and `net.bin`; raises NotConverted with what pnnx said of operators that ncnn lacks."""
    # The program is called without its package, which would import PyTorch.
    program = Path(str(distribution("pnnx").locate_file("pnnx"))) / "pnnx"
    places = [f"{key}={folder / name}" for key, name in (("ncnnparam", "net.param"), ("ncnnbin", "net.bin"), ("ncnnpy", "net.py"))]
    others = [f"{key}={folder / key}" for key in ("pnnxparam", "pnnxbin", "pnnxpy", "pnnxonnx")]
    # It writes beside the model too.
    link = folder / "model.onnx"
    link.symlink_to(model.resolve())
    done = subprocess.run(
        [str(program), str(link), "fp16=0", *places, *others], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    unknown = [line for line in lines if line.startswith(("unknown", "unsupported", "ignore ", "unhandled"))]
    if done.returncode or not (folder / "net.param").is_file():
        raise NotConverted(f"pnnx ended with exit code {done.returncode}: {(unknown or lines or ['it said nothing'])[-1]}")
    foreign = _foreign((folder / "net.param").read_text("utf-8"))
    if foreign:
        raise NotConverted(f"ncnn has no {', '.join(foreign)}")


def _foreign(param: str) -> list[str]:
    """The operators that pnnx left in its own names or in ONNX's, which are no layers of ncnn."""
    kinds = (line.split()[0] for line in param.splitlines()[2:] if line.split())
    return sorted({kind for kind in kinds if "." in kind or "::" in kind})


def _open(model: Path, feeds: Mapping[str, Array], threads: int) -> Session:
    return _Session(model, feeds, threads)


RUNTIMES = (Runtime("ncnn", "ncnn", _open, requires=("ncnn==1.0.20261020", "pnnx==20261020", "numpy>=2")),)
