"""onnxruntime on the CPU, with its worker threads spinning between runs and with them asleep."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .session import Array, Runtime, Session


class _Session:
    def __init__(self, model: Path, feeds: Mapping[str, Array], threads: int, spinning: bool) -> None:
        import onnxruntime as ort

        runtime: Any = ort
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spinning else "0")
        self._session = runtime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._names = [o.name for o in self._session.get_outputs()]
        self._feeds = dict(feeds)
        self._outputs: list[Array] = []

    def run(self) -> None:
        self._outputs = self._session.run(self._names, self._feeds)

    def outputs(self) -> Mapping[str, Array]:
        return dict(zip(self._names, self._outputs, strict=True))


def _spinning(model: Path, feeds: Mapping[str, Array], threads: int) -> Session:
    return _Session(model, feeds, threads, spinning=True)


def _sleeping(model: Path, feeds: Mapping[str, Array], threads: int) -> Session:
    return _Session(model, feeds, threads, spinning=False)


RUNTIMES = (Runtime("onnxruntime", "onnxruntime", _sleeping), Runtime("onnxruntime-spinning", "onnxruntime", _spinning))
"""Spinning workers answer sooner and take their cores from whoever runs next; the better figure of the two counts."""
