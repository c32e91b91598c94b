"""Passes by name, verified one by one."""

from __future__ import annotations

import pytest

from cnnir import pipeline
from cnnir.diagnostics import CnnirError
from cnnir.ir.graph import Graph, Value
from cnnir.ops.piecewise import Relu
from cnnir.ops.pooling import MaxPool
from cnnir.types import TensorType


def network() -> Graph:
    """x -> relu -> maxpool."""
    graph = Graph()
    x = graph.add_input("x", TensorType("f32", (1, 1, 4, 4)))
    graph.results["y"] = graph.add(MaxPool((2, 2), (2, 2)), [graph.add(Relu(), [x])])
    return graph


def test_passes_are_made_by_name_with_options() -> None:
    done = pipeline.run(network(), [pipeline.make("place", place="always")])
    assert [layer.op.name for layer in done.layers()] == ["input", "maxpool", "relu"]
    kept = pipeline.run(network(), [pipeline.make("place", place="never")])
    assert kept == network()


def test_an_unknown_pass_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        pipeline.make("vectorise")


def test_a_pass_that_breaks_the_network_is_caught() -> None:
    def breaks(graph: Graph) -> Graph:
        broken = graph.copy()
        broken.results["y"] = Value("nowhere")
        return broken

    with pytest.raises(CnnirError):
        pipeline.run(network(), [breaks])
