"""Convolutions and pools over one, two and three axes: the reference, what is compiled, and onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnnir
from cnnir.feeds import random_feeds

SIZES = {1: (11,), 2: (9, 7), 3: (6, 5, 7)}
LAYERS = [
    "conv(6, 3)", "conv(6, 2, stride=2, pad=1, dilation=2, groups=2)", "depthwise(3, pad=same)", "conv(3, 1, bias=off)",
    "conv_transpose(4, 3, stride=2, pad=1)", "conv_transpose(6, 2, stride=3, output_pad=1, groups=2)", "conv_transpose(2, 3, dilation=2, bias=off)",
    "maxpool(2)", "maxpool(3, stride=2, pad=1, ceil=on)", "maxpool(2, stride=1, dilation=2)", "minpool(3, stride=2)", "avgpool(2)",
    "avgpool(3, stride=2, pad=1)", "avgpool(3, stride=2, pad=1, count_include_pad=on)", "avgpool(3, stride=2, ceil=on)",
    "global_maxpool", "global_minpool", "global_avgpool", "adaptive_maxpool(1)", "adaptive_avgpool(1)", "lppool(2)", "lppool(3, stride=2, pad=1, p=3)",
    "maxpool_places(2)", "maxpool_places(3, stride=2, pad=1)", "instancenorm", "groupnorm(2)", "batchnorm", "resize(2)", "resize(2, mode=linear)",
]  # fmt: skip
UNEVEN = ["adaptive_maxpool(3)", "adaptive_minpool(4)", "adaptive_avgpool(3)"]
"""ONNX has no pool with windows of several sizes."""


def close(wanted: Any, found: Any, words: str) -> None:
    assert (wanted.shape, wanted.dtype) == (found.shape, found.dtype), words
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=5e-6, err_msg=words)


@pytest.mark.parametrize("rank", SIZES)
def test_every_layer_in_every_rank(rank: int) -> None:
    texts = [*LAYERS, *UNEVEN]
    sizes = ", ".join(map(str, (2, 4, *SIZES[rank])))
    body = "; ".join(f"y{k} = x -> {text}" for k, text in enumerate(texts))
    graph = cnnir.parse(f"network n(x: f32[{sizes}]) {{ {body}; return {', '.join(f'y{k}' for k in range(len(texts)))} }}")
    assert cnnir.parse(cnnir.dumps(graph)) == graph
    x = np.random.default_rng(rank).standard_normal((2, 4, *SIZES[rank])).astype(np.float32)
    wanted, found = cnnir.evaluate(graph, {"x": x}), cnnir.compile(graph, threads=1)({"x": x})
    for k, text in enumerate(texts):
        close(wanted[f"y{k}"], found[f"y{k}"], f"{text} compiled")
    ort = pytest.importorskip("onnxruntime")
    from cnnir.backends.onnx_export import export

    graph.results = {name: value for name, value in graph.results.items() if int(name[1:]) < len(LAYERS)}
    session = ort.InferenceSession(export(graph).SerializeToString(), providers=["CPUExecutionProvider"])
    for k, array in enumerate(session.run([f"y{k}" for k in range(len(LAYERS))], {"x": x})):
        close(wanted[f"y{k}"], array, f"{LAYERS[k]} in ONNX")


@pytest.mark.parametrize("rank", SIZES)
@pytest.mark.parametrize(("text", "reduce"), list(zip(UNEVEN, (np.max, np.min, np.mean), strict=True)))
def test_uneven_windows_against_a_loop(rank: int, text: str, reduce: Any) -> None:
    shape = (1, 2, *SIZES[rank])
    x = np.random.default_rng(rank).standard_normal(shape).astype(np.float32)
    graph = cnnir.parse(f"network n(x: f32[{', '.join(map(str, shape))}]) {{ x -> {text} }}")
    found = cnnir.evaluate(graph, {"x": x})["output"]
    for at in np.ndindex(*found.shape[2:]):
        spans = [slice(o * n // m, -(-(o + 1) * n // m)) for o, n, m in zip(at, SIZES[rank], found.shape[2:], strict=True)]
        window = x[(slice(None), slice(None), *spans)].reshape(1, 2, -1)
        np.testing.assert_allclose(found[(slice(None), slice(None), *at)], reduce(window, axis=2), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("a", ["f32[1]", "f32[7, 1]", "f32[1, 1, 7, 3]", "f32[1, 6, 7, 3]"])
def test_a_mask_is_of_the_channels_of_both_operands(a: str) -> None:
    graph = cnnir.parse(f"network n(a: {a}, b: f32[1, 6, 7, 3]) {{ y = choose(a, b); z = choose(b, a); return y, z }}")
    feed = random_feeds(graph.inputs, graph.ranges, seed=3)
    wanted, found = cnnir.evaluate(graph, feed), cnnir.compile(graph, threads=1)(feed)
    for name, (first, other) in {"y": ("a", "b"), "z": ("b", "a")}.items():
        mask = graph.parameters(graph.results[name].layer)["mask"].reshape(6, 1, 1)
        np.testing.assert_array_equal(wanted[name], np.where(mask > 0, feed[first], feed[other]))
        np.testing.assert_array_equal(found[name], wanted[name])
