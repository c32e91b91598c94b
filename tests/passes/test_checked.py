"""Whatever the laws decide, the independent checker does not refute; and every law that moves something is one it knows."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnnir
from cnnir.checker.check import check
from cnnir.decisions import Optimized
from cnnir.diagnostics import CnnirError, OpError
from cnnir.ir.graph import Graph
from cnnir.passes.place import place

from .networks import chain
from .test_laws import OPERATIONS, RANGES, SHAPES, SIGNED, pools

FILES = sorted((Path(__file__).parent / "place").glob("*.cnn"))
OPEN = {"exact_enough_reject.cnn"}
"""Networks of which the checker confirms less than all: softsign on every finite number."""


def refutations(graph: Graph, done: Optimized) -> list[str]:
    report = check(graph, done.graph, done.decisions).report
    checks = [report.structure, *(c for each in report.decisions for c in each.checks)]
    return [str(c) for c in checks if c.verdict == "refuted" or "does not know" in c.words]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_network_of_the_textual_tests(path: Path) -> None:
    try:
        graph = cnnir.load(path)
    except CnnirError:
        return
    choices: list[tuple[Literal["auto", "always", "never"], Literal["exact", "ulp"]]] = [
        ("auto", "exact"),
        ("always", "ulp"),
        ("never", "ulp"),
    ]
    for how, exactness in choices:
        done = place(graph, how, exactness)
        assert not refutations(graph, done)
        report = check(graph, done.graph, done.decisions).report
        assert report.verdict == "confirmed" or path.name in OPEN, [str(c) for d in report.decisions for c in d.checks]


@settings(max_examples=120, deadline=None)
@given(
    st.lists(OPERATIONS, min_size=1, max_size=3), pools(), SHAPES, st.sampled_from(RANGES), st.lists(SIGNED, min_size=3, max_size=3),
    st.sampled_from(["exact", "ulp"]),
)  # fmt: skip
def test_random_chains(ops, pool, shape, range, signed, exactness) -> None:
    coefficients = {"slope": np.array(signed[: shape[1]]), "scale": np.array(signed[: shape[1]])}
    try:
        graph = chain(*ops, pool, shape=shape, range=range, weights=coefficients)
    except OpError:
        return  # the window does not fit
    assert not refutations(graph, place(graph, "always", exactness))
