"""Wide concatenations compile as trees."""

from __future__ import annotations

import time

import numpy as np

import cnnir
from cnnir.backends.tvm.concats import WIDTH, narrow_concats
from cnnir.feeds import random_feeds
from cnnir.ir.graph import Graph
from cnnir.ops.tensor import Concat


def wide(count: int, axis: int = 1) -> Graph:
    operands = ", ".join(["x", "y"] * (count // 2))
    return cnnir.parse(f"network n(x: f32[1, 2, 3, 3]) {{\ny = x -> relu\nconcat({operands}, axis={axis}) -> abs }}")


def test_no_concatenation_is_wider_than_the_limit_and_the_answer_is_the_same() -> None:
    for count, axis in ((WIDTH + 2, 1), (8 * WIDTH + 2, 3), (300, 2)):
        graph = wide(count, axis)
        narrowed = narrow_concats(graph)
        assert max(len(narrowed.data(n.name)) for n in narrowed.layers() if isinstance(n.op, Concat)) == WIDTH
        feeds = random_feeds(graph.inputs, graph.ranges)
        np.testing.assert_array_equal(cnnir.evaluate(narrowed, feeds)["output"], cnnir.evaluate(graph, feeds)["output"])
    assert narrow_concats(small := wide(WIDTH)) is small


def test_a_thousand_inputs_compile_quickly() -> None:
    graph = wide(1000)
    begin = time.perf_counter()
    program = cnnir.compile(graph, threads=1)
    assert time.perf_counter() - begin < 20  # two seconds on an idle machine; in one kernel, minutes
    feeds = random_feeds(graph.inputs, graph.ranges)
    np.testing.assert_array_equal(program(feeds)["output"], cnnir.evaluate(graph, feeds)["output"])
