"""The light networks of the ONNX zoo, which the package `onnx` brings along without their weights."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np


def folder() -> Path:
    """Where they lie, as `light_NAME.onnx`; raises ModuleNotFoundError where `onnx` is not installed."""
    onnx: Any = import_module("onnx")
    return Path(onnx.__file__).parent / "backend/test/data/light"


def filled(path: Path) -> Any:
    """The model in a file with weights drawn for it: as shipped, nodes fill them with one number."""
    onnx: Any = import_module("onnx")
    model = onnx.load(path)
    graph, rng = model.graph, np.random.default_rng(0)
    shapes = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    filling = [node for node in graph.node if node.op_type == "ConstantOfShape" and node.input[0] in shapes]
    for node in filling:
        shape = tuple(int(n) for n in shapes[node.input[0]])
        values = rng.standard_normal(shape).astype(np.float32)
        scale = np.float32(np.sqrt(2 / np.prod(shape[1:])))
        values = values * scale if len(shape) > 1 else np.abs(values) * np.float32(0.5) + np.float32(0.5)
        graph.node.remove(node)
        graph.initializer.append(onnx.numpy_helper.from_array(values, node.output[0]))
    model.ir_version = 8  # in which a tensor need not be an input
    gone = {node.input[0] for node in filling}
    for field in (graph.input, graph.initializer):
        kept = [entry for entry in field if entry.name not in gone]
        del field[:]
        field.extend(kept)
    return model
