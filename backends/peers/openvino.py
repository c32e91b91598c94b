"""OpenVINO on the CPU in f32; it would choose bf16 where the CPU has it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .names import output_names
from .session import Array, Runtime, Session


class _Session:
    def __init__(self, model: Path, feeds: Mapping[str, Array], threads: int) -> None:
        import openvino

        runtime: Any = openvino
        compiled = runtime.Core().compile_model(
            str(model),
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "NUM_STREAMS": "1",
                "INFERENCE_NUM_THREADS": str(threads),
                "INFERENCE_PRECISION_HINT": "f32",
                "ENABLE_HYPER_THREADING": "YES",  # `threads` counts hardware threads; otherwise it may use half of them
            },
        )
        precision = compiled.get_property("INFERENCE_PRECISION_HINT")
        if precision != runtime.Type.f32:
            raise RuntimeError(f"OpenVINO runs in {precision}, not in f32")
        self._request = compiled.create_infer_request()
        self._held = {name: np.ascontiguousarray(array) for name, array in feeds.items()}
        for name, array in self._held.items():
            self._request.set_tensor(name, runtime.Tensor(array, shared_memory=True))
        # A tensor can have several names and the model's own is among them.
        self._ports = dict(zip(output_names(model), compiled.outputs, strict=True))

    def run(self) -> None:
        self._request.infer()

    def outputs(self) -> Mapping[str, Array]:
        return {name: np.array(self._request.get_tensor(port).data) for name, port in self._ports.items()}


def _open(model: Path, feeds: Mapping[str, Array], threads: int) -> Session:
    return _Session(model, feeds, threads)


RUNTIMES = (Runtime("openvino", "openvino", _open),)
