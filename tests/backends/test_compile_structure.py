"""Compiled shape, type, multi-output and transposed layers against the NumPy reference, in every rank."""

from __future__ import annotations

import numpy as np
import pytest

import cnnir
from cnnir.feeds import random_feeds

EXACT = {
    "several outputs": "x: f32[1, 4, 8, 8]) { p, q = x -> split(2)\n y = q -> relu -> maxpool(2)\n return y, p }",
    "an output nobody reads": "x: f32[1, 6, 3]) { p, q, r = x -> split(3)\n q -> neg }",
    "moves": "x: f32[1, 4, 8, 8]) { x -> transpose(0, 2, 3, 1) -> reshape(1, -1, 4) -> slice(1, 60, axes=1, step=3) -> unsqueeze(0) -> squeeze(0) }",
    "backwards": "x: f32[2, 4, 5]) { y = x -> slice([-1, 3], [-100, 0], axes=[2, 1], step=[-1, -2])\n concat(y, y, axis=-1) }",
    "pads": "x: f32[1, 4, 8, 8]) { x -> pad(1) -> pad([1, 2], 0, value=-3) -> pad([1, 0, 2], mode=reflect) -> pad(2, mode=edge) }",
    "nearest": "x: f32[1, 4, 3, 5]) { x -> resize(2) -> resize(size=[4, 9], coordinates=asymmetric, rounding=floor) }",
    "casts": "x: f32[1, 4, 8]) { x -> cast(f16) -> cast(f64) -> cast(bf16) -> cast(f32) -> cast(i8) -> cast(bool) -> cast(i64) }",
    "quantize": "x: f32[1, 4, 8]) { x -> quantize(0.02, 3) -> dequantize(0.02, 3) -> quantize([0.1, 0.2, 0.3, 0.4], [1, 2, 3, -4], to=i8) -> dequantize([0.1, 0.2, 0.3, 0.4], [1, 2, 3, -4]) }",
    "stored types": "x: u8[1, 4, 8, 8]) { a = x -> maxpool(2) -> transpose(0, 2, 3, 1)\n b = x -> cast(bool) -> pad(1, value=1)\n return a, b }",
    "constant": "x: f32[1, 4, 3]) { c = constant(f32[3])\n add(x, c) -> relu }",
    "pools of one axis": "x: f32[2, 3, 11]) { x -> maxpool(3, stride=2, pad=1) -> adaptive_maxpool(3) -> global_maxpool }",
    "pools of three axes": "x: f32[1, 3, 5, 6, 7]) { x -> maxpool([2, 3, 2], stride=[1, 2, 3]) -> adaptive_maxpool([2, 2, 1]) -> global_maxpool }",
}
NEAR = {
    "linear": "x: f32[1, 4, 3, 5]) { x -> resize(1.7, mode=linear) -> resize(size=[4, 3], mode=linear, coordinates=align_corners) }",
    "one axis": "x: f32[2, 4, 9]) { x -> conv(6, 3, stride=2, pad=1, groups=2) -> relu -> conv_transpose(4, 3, stride=2, pad=1, output_pad=1, groups=2) -> tanh -> avgpool(2) -> adaptive_avgpool(3) }",
    "two axes": "x: f32[1, 4, 5, 4]) { x -> conv_transpose(6, [3, 2], stride=[2, 3], pad=[1, 0, 0, 1], dilation=2) -> relu -> maxpool(2) -> conv(3, 2) }",
    "three axes": "x: f32[1, 4, 3, 3, 3]) { x -> conv_transpose(6, 3, stride=2, pad=1, output_pad=1, groups=2) -> conv(4, [3, 2, 1], dilation=[1, 2, 1]) -> relu -> avgpool(2) -> global_avgpool }",
    "depthwise of one axis": "x: f32[1, 4, 9]) { x -> depthwise(3, pad=same, multiplier=2) -> batchnorm -> relu }",
}


@pytest.mark.parametrize("name", [*EXACT, *NEAR])
def test_llvm_agrees_with_the_reference(name: str) -> None:
    graph = cnnir.parse("network n(" + {**EXACT, **NEAR}[name])
    feeds = random_feeds(graph.inputs, graph.ranges, seed=1)
    expected, got = cnnir.evaluate(graph, feeds), cnnir.compile(graph, threads=1)(feeds)
    assert got.keys() == expected.keys()
    for output, array in expected.items():
        assert got[output].shape == array.shape and got[output].dtype == array.dtype
        if name in EXACT:
            np.testing.assert_array_equal(got[output], array)
        else:
            np.testing.assert_allclose(got[output], array, rtol=0, atol=2e-5 * max(1.0, float(np.abs(array).max())))


@pytest.mark.parametrize("name", ["several outputs", "pads", "quantize", "linear", "three axes"])
def test_cuda_source_is_made(name: str) -> None:
    graph = cnnir.parse("network n(" + {**EXACT, **NEAR}[name])
    assert "__global__" in cnnir.emit(graph, "cuda", "cuda", "sm_80")


def test_outputs_nobody_reads_are_not_computed() -> None:
    program = cnnir.compile(cnnir.parse("network n(" + EXACT["an output nobody reads"]), threads=1)
    assert program.work.kernels == 2


def test_eight_bit_floats_are_stored_and_not_compiled() -> None:
    graph = cnnir.parse("network n(x: f32[1, 8]) { x -> cast(f8e4m3) -> cast(f32) }")
    with pytest.raises(cnnir.CnnirError, match="C0512"):
        cnnir.compile(graph)
