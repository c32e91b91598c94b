"""Local response normalisation as a kernel of its own, and where it is none, against the reference."""

from __future__ import annotations

import numpy as np
import pytest

import cnnir
from cnnir.backends.tvm.blocked_regions import has_template

NETWORKS = {
    "blocks of 16": "x: f32[2, 48, 5, 7]) { x -> lrn(5) }",
    "even, more channels than blocks": "x: f32[1, 96, 3, 4]) { x -> lrn(6, alpha=0.5, beta=0.5, bias=2) }",
    "neighbours two blocks away": "x: f32[1, 16, 3, 3]) { x -> lrn(40, alpha=3) }",
    "blocks of 7": "x: f32[1, 14, 4, 4]) { x -> lrn(3, alpha=2, beta=0.25) }",
    "one channel": "x: f32[1, 1, 4, 4]) { x -> lrn(1, alpha=1, beta=1) }",
    "five channels": "x: f32[3, 5, 6, 2]) { x -> lrn(4, alpha=1) }",
    "steps behind it": "x: f32[1, 32, 4, 4]) { x -> lrn(5, alpha=1) -> bias -> relu -> maxpool(2) }",
    "C functions behind it": "x: f32[1, 32, 4, 4]) { x -> lrn(5, alpha=1) -> sin }",
    "threads": "x: f32[2, 64, 20, 20]) { x -> conv(64, 3, pad=1) -> relu -> lrn(5, alpha=0.1) -> maxpool(3, stride=2) }",
}


@pytest.mark.parametrize("body", NETWORKS.values(), ids=NETWORKS)
def test_blocked(body: str) -> None:
    graph = cnnir.parse(f"network n({body}")
    layer = next(layer for layer in graph.layers() if layer.op.name == "lrn")
    assert has_template(graph, layer)
    x = np.random.default_rng(0).standard_normal(graph.inputs["x"].shape).astype(np.float32) * np.float32(3)
    (wanted,) = cnnir.evaluate(graph, {"x": x}).values()
    (found,) = cnnir.compile(graph, conv="direct")({"x": x}).values()
    np.testing.assert_allclose(found, wanted, rtol=3e-6, atol=3e-6)


def test_zeros_and_what_is_not_finite() -> None:
    graph = cnnir.parse("network n(x: f32[1, 16, 1, 8]) { x -> lrn(3, alpha=3, bias=0) }")
    x = np.zeros((1, 16, 1, 8), np.float32)
    x[0, 3] = [0, -0.0, 1, -2, 1e-30, 1e25, np.inf, np.nan]
    with np.errstate(all="ignore"):
        (wanted,) = cnnir.evaluate(graph, {"x": x}).values()
    (found,) = cnnir.compile(graph)({"x": x}).values()
    np.testing.assert_allclose(found, wanted, rtol=3e-6)


@pytest.mark.parametrize("body", ["x: f32[1, 8, 4, 4]) { x -> lrn(3, beta=0.6) }", "x: f32[1, 8, 4]) { x -> lrn(3) }"])
def test_other_powers_and_ranks_are_plain(body: str) -> None:
    graph = cnnir.parse(f"network n({body}")
    layer = next(layer for layer in graph.layers() if layer.op.name == "lrn")
    assert not has_template(graph, layer)
    x = np.random.default_rng(0).standard_normal(graph.inputs["x"].shape).astype(np.float32)
    (wanted,) = cnnir.evaluate(graph, {"x": x}).values()
    (found,) = cnnir.compile(graph)({"x": x}).values()
    np.testing.assert_allclose(found, wanted, rtol=3e-6)
