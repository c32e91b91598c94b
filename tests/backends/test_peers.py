"""Other runtimes in processes of their own: they agree with the reference, and fail in words."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")

from cnnir.backends import reference
from cnnir.backends.agree import compare
from cnnir.backends.onnx_export import save
from cnnir.backends.peers import start_peers
from cnnir.backends.peers.arrays import read_arrays, write_arrays
from cnnir.backends.peers.peer import Peer
from cnnir.backends.peers.registry import RUNTIMES, variants
from cnnir.diagnostics import CnnirError
from cnnir.ir.graph import Graph
from cnnir.ops.convolution import Conv
from cnnir.ops.piecewise import Relu
from cnnir.ops.pooling import AvgPool, MaxPool
from cnnir.ops.smooth import LogSigmoid, Silu
from cnnir.types import TensorType

RNG = np.random.default_rng(20261123)
FEEDS = {"an image": RNG.standard_normal((1, 3, 16, 16)).astype(np.float32)}


def network() -> Graph:
    graph = Graph("tiny")
    graph.weights["w"] = np.random.default_rng(7).standard_normal((8, 3, 3, 3)).astype(np.float32)
    x = graph.add_input("an image", TensorType("f32", (1, 3, 16, 16)))
    conv = graph.add(Conv(8, (3, 3), bias=False), [x], weights={"weight": "w"})
    graph.results["pool/ed"] = graph.add(MaxPool((3, 3), (2, 2), ceil=True), [graph.add(Silu(), [conv])])
    graph.results["relu"] = graph.add(Relu(), [conv])
    graph.results["file"] = graph.add(AvgPool((2, 2), (2, 2)), [graph.add(LogSigmoid(), [conv])])
    return graph


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("peers") / "net.onnx"
    save(network(), path)
    return path


@pytest.mark.parametrize("name", [name for name, runtime in RUNTIMES.items() if not runtime.requires])
def test_peers_agree_with_the_reference(name: str, model: Path):
    pytest.importorskip(RUNTIMES[name].package)
    graph = network()
    expected = reference.evaluate(graph, FEEDS)
    with Peer(name, model, FEEDS, threads=1) as peer:
        outputs = peer.outputs()
        assert list(outputs) == list(expected)
        assert compare(outputs, expected, 2e-6)  # 27 products in f32; bf16 would be 1e-2 away
        times = peer.run(3)
        assert len(times) == 3 and all(t > 0 for t in times)
        assert peer.version[0].isdigit()
    peer.close()
    with pytest.raises(CnnirError, match="closed"):
        peer.run(1)


def test_peers_are_started_together_under_the_names_of_the_network():
    pytest.importorskip("onnxruntime")
    graph = network()
    graph.results = {"an image": graph.results["relu"]}  # ONNX calls this one otherwise
    with ExitStack() as stack:
        peers = start_peers(stack, graph, FEEDS, ["onnxruntime"], None)
        assert [p.name for p in peers] == ["onnxruntime", "onnxruntime-spinning"]
        for peer in peers:
            assert compare(reference.evaluate(graph, FEEDS), peer.outputs(), 2e-6)


def test_arrays_keep_names_and_order(tmp_path: Path):
    arrays = {"file": np.arange(3), "a/b\n": np.ones((2, 2), np.float32), "": np.float64(3)}
    write_arrays(tmp_path / "a.npz", arrays)
    found = read_arrays(tmp_path / "a.npz")
    assert list(found) == list(arrays) and all((found[n] == arrays[n]).all() for n in arrays)


def test_a_missing_runtime_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, model: Path):
    monkeypatch.setattr("cnnir.backends.peers.peer.find_spec", lambda _name: None)
    with pytest.raises(CnnirError) as caught:
        Peer("openvino", model, FEEDS, 1)
    assert caught.value.exit_code == 3
    assert caught.value.diagnostics[0].help == "pip install 'cnnir[peers]'"


def test_unknown_names_and_variants():
    with pytest.raises(CnnirError) as caught:
        Peer("tensorflow", Path("x.onnx"), {}, 1)
    assert caught.value.exit_code == 2
    assert variants("onnxruntime") == ["onnxruntime", "onnxruntime-spinning"]
    assert variants("openvino") == ["openvino"] and variants("onnxruntime-spinning") == ["onnxruntime-spinning"]


def test_a_model_that_cannot_run_is_reported(tmp_path: Path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "broken.onnx").write_bytes(b"this is no model")
    with pytest.raises(CnnirError, match="C0712"):
        Peer("onnxruntime", tmp_path / "broken.onnx", FEEDS, 1)
