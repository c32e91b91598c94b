"""The light networks of the ONNX zoo, moved and written back: the same answers, and no byte changed of what stayed in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

import cnnir  # noqa: E402
from cnnir.backends.onnx_export import export  # noqa: E402
from cnnir.cli import run_command  # noqa: E402
from cnnir.testing import light  # noqa: E402

Array = np.ndarray[Any, Any]
LIGHT = light.folder()
FAST = ("squeezenet", "shufflenet")
SLOW = ("bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "vgg19", "zfnet512")
NETWORKS = [*FAST, *(pytest.param(name, marks=pytest.mark.zoo) for name in SLOW)]


def answers(path: Path) -> list[Array]:
    """By onnxruntime, node by node: what it fuses it rounds otherwise, and it fuses other things after a move."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(1)
    return session.run(None, {i.name: rng.standard_normal(i.shape).astype("f") for i in session.get_inputs()})


@pytest.mark.parametrize("name", NETWORKS)
def test_as_shipped(name: str) -> None:
    """Weights that nodes make, IR version 3, tensors that are inputs, too: nothing of it changes."""
    path = LIGHT / f"light_{name}.onnx"
    assert export(cnnir.load(path)).SerializeToString() == onnx.load(path).SerializeToString()


@pytest.mark.parametrize("name", NETWORKS)
def test_moved(name: str, tmp_path: Path) -> None:
    before, after = tmp_path / "before.onnx", tmp_path / "after.onnx"
    onnx.save(light.filled(LIGHT / f"light_{name}.onnx"), before)
    assert run_command(["opt", str(before), "--place", "always", "-o", str(after)]) == 0
    source, written = onnx.load(before), onnx.load(after)
    onnx.checker.check_model(written, full_check=True)

    done = cnnir.optimize(cnnir.load(before), place="always")
    moved = {layer.name for layer in done.graph.layers() if layer.origin.made_by}
    assert moved
    touched = {node.SerializeToString() for node in source.graph.node if moved & set(node.output)}
    still = {node.SerializeToString() for node in written.graph.node}
    assert {node.SerializeToString() for node in source.graph.node} - touched <= still
    assert [t.SerializeToString() for t in written.graph.initializer][: len(source.graph.initializer)] == [
        t.SerializeToString() for t in source.graph.initializer
    ]
    for mine, theirs in zip(answers(before), answers(after), strict=True):
        assert (mine + 0).tobytes() == (theirs + 0).tobytes()  # -0 and +0 count as one
