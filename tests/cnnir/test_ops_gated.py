"""Gated units: the reference, the compiled program and onnxruntime against the definition; as text; where they do not fit."""

from __future__ import annotations

import numpy as np
import pytest

import cnnir


@pytest.mark.parametrize(("text", "axis"), [("glu", 1), ("glu(axis=-1)", 3)])
def test_glu_is_a_times_sigmoid_of_b(text: str, axis: int) -> None:
    graph = cnnir.parse(f"network n(x: f32[2, 4, 3, 6]) {{ x -> {text} }}")
    assert cnnir.parse(cnnir.dumps(graph)) == graph
    x = np.random.default_rng(0).standard_normal((2, 4, 3, 6)).astype(np.float32)
    a, b = np.split(x, 2, axis=axis)
    for run in (lambda feeds: cnnir.evaluate(graph, feeds), cnnir.compile(graph, threads=1)):
        np.testing.assert_allclose(run({"x": x})["output"], a / (1 + np.exp(-b)), rtol=1e-6, atol=1e-7)
    ort = pytest.importorskip("onnxruntime")
    from cnnir.backends.onnx_export import export

    session = ort.InferenceSession(export(graph).SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"x": x})[0], a / (1 + np.exp(-b)), rtol=1e-6, atol=1e-7)


def test_three_channels_have_no_halves() -> None:
    with pytest.raises(cnnir.CnnirError, match="no halves"):
        cnnir.parse("network n(x: f32[1, 3, 4, 4]) { x -> glu }")
