"""`dce` and `canonicalize`: what goes, what stays, and that no output changes."""

from __future__ import annotations

import numpy as np
import pytest

import cnnir
from cnnir.feeds import random_feeds
from cnnir.pipeline import make, run


def names(graph: cnnir.Graph) -> list[str]:
    return [layer.op.name for layer in graph.layers()]


def test_dead_layers_go_and_inputs_stay() -> None:
    graph = cnnir.parse("network n(x: f32[1, 2, 4, 4], y: f32[1, 2]) {\n a = x -> relu -> maxpool(2)\n b = add(a, a)\n x -> sigmoid\n}")
    done = run(graph, [make("dce")])
    assert names(done) == ["input", "input", "sigmoid"]
    assert done == graph, "nothing that is compared was touched"
    assert len(graph) == 6, "the network given is not changed"


@pytest.mark.parametrize(
    ("layers", "left"),
    [
        ("dropout -> relu", ["relu"]),
        ("same -> relu -> dropout", ["relu"]),
        ("flatten -> dropout -> flatten -> fc(3)", ["flatten", "fc"]),
        ("dropout -> dropout", []),
        ("negated -> neg -> abs", ["activation", "neg", "abs"]),
        ("bias -> maxpool(1)", ["bias", "maxpool"]),
    ],
)
def test_identities_go_and_the_answer_stays(layers: str, left: list[str]) -> None:
    graph = cnnir.parse(f"activation same(x) = x\nactivation negated(x) = -x\nnetwork n(x: f32[2, 2, 4, 4]) {{ x -> {layers} }}")
    done = run(graph, [make("canonicalize")])
    assert names(done) == ["input", *left]
    feeds = random_feeds(graph.inputs, graph.ranges)
    before, after = cnnir.evaluate(graph, feeds), cnnir.evaluate(done, feeds)
    assert list(before) == list(after)
    for name in before:
        np.testing.assert_array_equal(before[name], after[name])
    assert cnnir.parse(cnnir.dumps(done)) == done
