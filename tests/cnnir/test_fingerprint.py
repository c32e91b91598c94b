"""Different networks have different fingerprints; that equal ones have equal ones is a law of `tests/laws.py`."""

from __future__ import annotations

import numpy as np
import pytest

import cnnir

BASE = "network n(x: f32[1, 4, 4, 4]) { x -> conv(4, 1) -> leaky(0.5) -> maxpool(2) }"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.5", "0.25"),
        ("conv(4, 1)", 'conv(4, 1, weight="k")'),
        ("maxpool", "minpool"),
        ("x: f32[1, 4, 4, 4]", "x: f32[1, 4, 4, 4] in [0, 1]"),
        ("maxpool(2)", "maxpool(2) -> relu"),
    ],
)
def test_different_networks_have_different_ones(old: str, new: str) -> None:
    one, two = cnnir.parse(BASE), cnnir.parse(BASE.replace(old, new))
    assert one != two
    assert one.fingerprint() != two.fingerprint()


def test_weights_count_by_their_bytes_and_drawn_ones_are_not_drawn() -> None:
    one, two = cnnir.parse(BASE), cnnir.parse(BASE)
    assert one.fingerprint() == two.fingerprint()
    assert not one.weights.drawn
    for graph, value in ((one, 1.0), (two, 2.0)):
        graph.weights["conv1.bias"] = np.full(4, value, np.float32)
    assert one.fingerprint() != two.fingerprint()
    two.weights["conv1.bias"] = np.ones(4, np.float32)
    assert one.fingerprint() == two.fingerprint()


def test_depth_costs_no_stack() -> None:
    assert cnnir.parse("network n(x: f32[1, 1]) { x -> [relu]*5000 }").fingerprint()
