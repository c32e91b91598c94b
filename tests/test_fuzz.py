"""Random networks over every op, dtype and rank keep every law."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import Phase, given, settings

from cnnir.ir.graph import Graph
from cnnir.ops.base import Op
from cnnir.testing.strategies import EVERY_OP

from . import laws
from .fuzzing import SLOW, Counts, fuzz, wanted

FOUND = (Phase.explicit, Phase.generate)
"""Failures are shown as they were found: making them small may take longer than the whole suite."""


def keeps_every_law(graph: Graph) -> Counts:
    """How many comparisons there were, and whether ONNX can say the network."""
    laws.reads_back(graph)
    laws.is_saved(graph)
    laws.stays_in_range(graph)
    return Counter({"layers": len(graph), "comparisons": laws.answers_stay(graph), "ONNX models": laws.exports(graph)})


@pytest.mark.parametrize("kind", EVERY_OP, ids=lambda op: op.name)
def test_networks_of_one_op_keep_the_laws(kind: type[Op]) -> None:
    """And the op occurs: where it does not, teach `cnnir.testing.strategies` what its fields and operands may be."""
    seen: set[type[Op]] = set()

    @settings(max_examples=4, deadline=None, derandomize=True, database=None, phases=FOUND, suppress_health_check=SLOW)
    @given(laws.networks((kind,), most=3))
    def each(graph: Graph) -> None:
        seen.update(type(layer.op) for layer in graph.layers())
        keeps_every_law(graph)

    each()
    assert kind in seen, f"teach the strategy: `{kind.name}` occurs in no network"


@settings(max_examples=100, deadline=None, derandomize=True, database=None, phases=FOUND, suppress_health_check=SLOW)
@given(laws.networks())
def test_networks_of_several_ops_keep_the_laws(graph: Graph) -> None:
    keeps_every_law(graph)


@pytest.mark.fuzz
def test_thousands_of_networks_keep_the_laws() -> None:
    count = wanted("CNNIR_FUZZ", 5_000)
    missing = fuzz(laws.networks(), count, EVERY_OP, keeps_every_law)
    assert not missing or count < 1_000
