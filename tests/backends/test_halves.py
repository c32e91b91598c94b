"""Layers of half floats whose sums of squares are no half floats: compiled, they are within a few roundings of the reference."""

from __future__ import annotations

import numpy as np
import pytest

import cnnir
from cnnir.types import numpy_dtype

LAYERS = ["lppool(2)", "reduce_l2(2, 3)", "layernorm", "instancenorm", "groupnorm(1)", "lrn(3)", "lppool(2, p=3)"]
ROUNDINGS = {"f16": 4 * 2.0**-11, "bf16": 4 * 2.0**-8}


@pytest.mark.parametrize("dtype", ROUNDINGS)
@pytest.mark.parametrize("size", [1e-6, 1.0, 600.0])
def test_squares_neither_overflow_nor_vanish(dtype: str, size: float) -> None:
    """In f16, 600 x 600 was infinite, 1e-6 x 1e-6 was 0, and a layer norm of such numbers was 0 or wrong by its own size."""
    body = "; ".join(f"y{i} = x -> {layer}" for i, layer in enumerate(LAYERS))
    outputs = ", ".join(f"y{i}" for i in range(len(LAYERS)))
    graph = cnnir.parse(f"network n(x: {dtype}[1, 2, 8, 8]) {{ {body}; return {outputs} }}")
    x = (np.random.default_rng(0).uniform(-1, 1, (1, 2, 8, 8)) * size).astype(numpy_dtype(dtype))
    wanted, found = cnnir.evaluate(graph, {"x": x}), cnnir.compile(graph, threads=1)({"x": x})
    for layer, name in zip(LAYERS, wanted, strict=True):
        want, got = wanted[name].astype(np.float64), found[name].astype(np.float64)
        assert np.abs(got - want).max() <= ROUNDINGS[dtype] * np.abs(want).max(), layer
