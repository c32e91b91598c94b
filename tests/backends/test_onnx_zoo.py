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

Array = np.ndarray[Any, Any]
LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
FAST = ("squeezenet", "shufflenet")
SLOW = ("bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "vgg19", "zfnet512")
NETWORKS = [*FAST, *(pytest.param(name, marks=pytest.mark.zoo) for name in SLOW)]


def filled(name: str) -> Any:
    """The network with weights drawn for it: as shipped, nodes fill them with one number."""
    model = onnx.load(LIGHT / f"light_{name}.onnx")
    graph, rng = model.graph, np.random.default_rng(0)
    shapes = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    filling = [node for node in graph.node if node.op_type == "ConstantOfShape" and node.input[0] in shapes]
    for node in filling:
        shape = tuple(int(n) for n in shapes[node.input[0]])
        values = rng.standard_normal(shape).astype("f")
        values = (
            values * np.float32(np.sqrt(2 / np.prod(shape[1:]))) if len(shape) > 1 else np.abs(values) * np.float32(0.5) + np.float32(0.5)
        )
        graph.node.remove(node)
        graph.initializer.append(onnx.numpy_helper.from_array(values, node.output[0]))
    model.ir_version = 8  # in which a tensor need not be an input
    gone = {node.input[0] for node in filling}
    for field in (graph.input, graph.initializer):
        kept = [entry for entry in field if entry.name not in gone]
        del field[:]
        field.extend(kept)
    return model


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
    onnx.save(filled(name), before)
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
