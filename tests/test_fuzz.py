"""Random networks over every op, dtype and rank keep every law."""

from __future__ import annotations

import os
import time
import unittest
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, note, settings

from cnnir.ir.graph import Graph
from cnnir.ir.text import dumps
from cnnir.ops.base import Op
from cnnir.testing.strategies import EVERY_OP

from . import laws

COUNT = int(os.environ.get("CNNIR_FUZZ", "5000"))
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example]


class Enough(unittest.SkipTest):
    """What hypothesis lets through at once, unlike any other exception of a test."""


def keeps_every_law(graph: Graph) -> tuple[int, bool]:
    """How many comparisons there were, and whether ONNX can say the network."""
    laws.reads_back(graph)
    laws.is_saved(graph)
    laws.stays_in_range(graph)
    return laws.answers_stay(graph), laws.exports(graph)


@pytest.mark.parametrize("kind", EVERY_OP, ids=lambda op: op.name)
def test_networks_of_one_op_keep_the_laws(kind: type[Op]) -> None:
    """And the op occurs: where it does not, teach `cnnir.testing.strategies` what its fields and operands may be."""
    seen: set[type[Op]] = set()

    @settings(max_examples=4, deadline=None, derandomize=True, database=None, suppress_health_check=SLOW)
    @given(laws.networks((kind,), most=3))
    def each(graph: Graph) -> None:
        seen.update(type(layer.op) for layer in graph.layers())
        keeps_every_law(graph)

    each()
    assert kind in seen, f"teach the strategy: `{kind.name}` occurs in no network"


@settings(max_examples=100, deadline=None, derandomize=True, database=None, suppress_health_check=SLOW)
@given(laws.networks())
def test_networks_of_several_ops_keep_the_laws(graph: Graph) -> None:
    keeps_every_law(graph)


@pytest.mark.fuzz
def test_thousands_of_networks_keep_the_laws(capsys: pytest.CaptureFixture[str]) -> None:
    """Counts different networks: what hypothesis varies it often varies into the same again."""
    texts: set[int] = set()
    seen: Counter[type[Op]] = Counter()
    compared, exported = 0, 0

    @settings(max_examples=100 * COUNT, deadline=None, database=None, suppress_health_check=SLOW)
    @given(laws.networks())
    def each(graph: Graph) -> None:
        nonlocal compared, exported
        text = dumps(graph)
        if len(texts) >= COUNT or hash(text) in texts:
            return
        texts.add(hash(text))
        seen.update(type(layer.op) for layer in graph.layers())
        note(text)
        tried, is_model = keeps_every_law(graph)
        compared, exported = compared + tried, exported + is_model

    start = time.perf_counter()
    try:
        each()
    except Enough:
        pass
    finally:
        with capsys.disabled():
            print(f"\n{len(texts):,} networks, {sum(seen.values()):,} layers, {len(set(EVERY_OP) & set(seen))} of {len(EVERY_OP)} ops,")
            print(f"{compared:,} comparisons, {exported:,} ONNX models, {time.perf_counter() - start:.0f} s")
    assert set(EVERY_OP) <= set(seen)
