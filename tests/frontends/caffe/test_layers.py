"""Layers against what Caffe's documentation and sources say they compute, in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from .caffemodels import Array
from .networks import data, load, net, parse, refused, run

X = data(2, 4, 5, 6)
Y = data(2, 4, 5, 6, seed=1)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def within_channel(x: Array) -> Array:
    """LRNLayer::WithinChannelForward with local_size 3, alpha 5, beta 0.75: the mean counts the padding of 1."""
    padded = np.pad(x**2, ((0, 0), (0, 0), (1, 1), (1, 1)))
    mean = sum(padded[:, :, i : i + 5, j : j + 6] for i in range(3) for j in range(3)) / 9
    return x * (1 + 5 * mean) ** -0.75


def across_channels(x: Array) -> Array:
    padded = np.pad(x**2, ((0, 0), (1, 1), (0, 0), (0, 0)))
    return x / (2 + 0.3 / 3 * sum(padded[:, i : i + 4] for i in range(3))) ** 0.5


def normalised(x: Array, axes: tuple[int, ...]) -> Array:
    apart = x - x.mean(axis=axes, keepdims=True)
    return apart / (np.sqrt((apart**2).mean(axis=axes, keepdims=True)) + 1e-9)


def softmax(x: Array, axis: int) -> Array:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


ONE: list[tuple[str, Callable[[Array], Array]]] = [
    ('type: "ReLU"', lambda x: np.maximum(x, 0)),
    ('type: "ReLU" relu_param { negative_slope: 0.25 }', lambda x: np.where(x > 0, x, 0.25 * x)),
    ('type: "ReLU6"', lambda x: np.clip(x, 0, 6)),
    ('type: "ELU" elu_param { alpha: 0.5 }', lambda x: np.where(x > 0, x, 0.5 * np.expm1(x))),
    ('type: "Sigmoid"', sigmoid),
    ('type: "TanH"', np.tanh),
    ('type: "AbsVal"', np.abs),
    ('type: "BNLL"', lambda x: np.log1p(np.exp(x))),
    ('type: "Clip" clip_param { min: -1 max: 0.5 }', lambda x: np.clip(x, -1, 0.5)),
    ('type: "Swish"', lambda x: x * sigmoid(x)),
    ('type: "Swish" swish_param { beta: 2 }', lambda x: x * sigmoid(2 * x)),
    ('type: "Exp"', np.exp),
    ('type: "Exp" exp_param { base: 2 scale: 3 shift: -1 }', lambda x: 2 ** (3 * x - 1)),
    ('type: "Log" log_param { base: 10 scale: 0.5 shift: 9 }', lambda x: np.log10(0.5 * x + 9)),
    ('type: "Power"', lambda x: x),
    ('type: "Power" power_param { power: 2 scale: 3 shift: 1 }', lambda x: (3 * x + 1) ** 2),
    ('type: "Power" power_param { power: 0.5 scale: 0.1 shift: 9 }', lambda x: (0.1 * x + 9) ** 0.5),
    ('type: "Threshold" threshold_param { threshold: 0.5 }', lambda x: (x > 0.5).astype(np.float32)),
    ('type: "Dropout"', lambda x: x),
    ('type: "Softmax"', lambda x: softmax(x, 1)),
    ('type: "Softmax" softmax_param { axis: -1 }', lambda x: softmax(x, 3)),
    ('type: "LRN" lrn_param { local_size: 3 alpha: 0.3 beta: 0.5 k: 2 }', across_channels),
    ('type: "LRN" lrn_param { norm_region: WITHIN_CHANNEL local_size: 3 alpha: 5 k: 7 }', within_channel),
    ('type: "MVN"', lambda x: normalised(x, (2, 3))),
    ('type: "MVN" mvn_param { across_channels: true }', lambda x: normalised(x, (1, 2, 3))),
    ('type: "MVN" mvn_param { normalize_variance: false }', lambda x: x - x.mean(axis=(2, 3), keepdims=True)),
    ('type: "Flatten"', lambda x: x.reshape(2, 120)),
    ('type: "Flatten" flatten_param { axis: -3 end_axis: 2 }', lambda x: x.reshape(2, 20, 6)),
    ('type: "Flatten" flatten_param { axis: 0 }', lambda x: x.reshape(240)),
    ('type: "Reshape" reshape_param { shape { dim: 0 dim: -1 dim: 3 } }', lambda x: x.reshape(2, 40, 3)),
    ('type: "Reshape" reshape_param { shape { dim: 2 dim: -1 } axis: 1 num_axes: 2 }', lambda x: x.reshape(2, 2, 10, 6)),
    ('type: "Reshape" reshape_param { shape { dim: 1 } axis: -1 num_axes: 0 }', lambda x: x.reshape(2, 4, 5, 6, 1)),
    ('type: "Tile" tile_param { axis: 2 tiles: 3 }', lambda x: np.tile(x, (1, 1, 3, 1))),
    ('type: "Permute" permute_param { order: 0 order: 2 }', lambda x: x.transpose(0, 2, 1, 3)),
    ('type: "ShuffleChannel" shuffle_channel_param { group: 2 }', lambda x: x[:, [0, 2, 1, 3]]),
    ('type: "Reduction"', lambda x: x.astype(np.float64).sum()),
    ('type: "Reduction" reduction_param { operation: MEAN axis: 2 coeff: 2 }', lambda x: 2 * x.mean(axis=(2, 3))),
    ('type: "Reduction" reduction_param { operation: ASUM axis: -1 }', lambda x: np.abs(x).sum(axis=3)),
    ('type: "Reduction" reduction_param { operation: SUMSQ axis: 1 }', lambda x: (x**2).sum(axis=(1, 2, 3))),
    ('type: "ArgMax" argmax_param { axis: 1 }', lambda x: x.argmax(axis=1, keepdims=True)),
    ('type: "ArgMax" argmax_param { axis: 1 out_max_val: true }', lambda x: x.max(axis=1, keepdims=True)),
    ('type: "ArgMax"', lambda x: x.reshape(2, 120).argmax(axis=1).reshape(2, 1, 1)),
    ('type: "ArgMax" argmax_param { out_max_val: true }', lambda x: np.stack([x.reshape(2, 120).argmax(1), x.reshape(2, 120).max(1)], 1)[..., None]),
    ('type: "Slice"', lambda x: x),
    ('type: "Concat"', lambda x: x),
    ('type: "Split"', lambda x: x),
]  # fmt: skip


@pytest.mark.parametrize(("text", "meaning"), ONE, ids=[text[6:70] for text, _ in ONE])
def test_layers_of_one_input(text: str, meaning: Callable[[Array], Array]) -> None:
    found, wanted = run(parse(net(text + ' top: "out"', 'type: "Power" bottom: "out"', shape=X.shape)), X), np.asarray(meaning(X))
    assert found.shape == wanted.shape and found.dtype == np.float32
    assert np.allclose(found, wanted, rtol=2e-6, atol=2e-6)


TWO: list[tuple[str, Callable[[Array, Array], Array]]] = [
    ('type: "Eltwise"', lambda x, y: x + y),
    ('type: "Eltwise" eltwise_param { operation: SUM coeff: 1 coeff: -1 }', lambda x, y: x - y),
    ('type: "Eltwise" eltwise_param { coeff: 0.5 coeff: -2 }', lambda x, y: 0.5 * x - 2 * y),
    ('type: "Eltwise" eltwise_param { operation: PROD }', lambda x, y: x * y),
    ('type: "Eltwise" eltwise_param { operation: MAX }', np.maximum),
    ('type: "Concat"', lambda x, y: np.concatenate([x, y], axis=1)),
    ('type: "Concat" concat_param { axis: -2 }', lambda x, y: np.concatenate([x, y], axis=2)),
    ('type: "Concat" concat_param { concat_dim: 0 }', lambda x, y: np.concatenate([x, y])),
    ('type: "Scale"', lambda x, y: x * y),
    ('type: "Bias" bias_param { axis: 0 }', lambda x, y: x + y),
    ('type: "Crop" crop_param { axis: 1 }', lambda x, y: x),
]  # fmt: skip


def two(text: str, x: Array, y: Array) -> str:
    shapes = "".join(f"input_shape {{ {' '.join(f'dim: {n}' for n in a.shape)} }} " for a in (x, y))
    return f'input: "x" input: "y" {shapes} layer {{ name: "l" {text} bottom: "x" bottom: "y" top: "l" }}'


@pytest.mark.parametrize(("text", "meaning"), TWO, ids=[text[6:70] for text, _ in TWO])
def test_layers_of_two_inputs(text: str, meaning: Callable[[Array, Array], Array]) -> None:
    if "Scale" in text:
        text += " scale_param { axis: 0 }"
    found, wanted = run(parse(two(text, X, Y)), X, Y), meaning(X, Y)
    assert found.shape == wanted.shape and np.allclose(found, wanted, rtol=2e-6, atol=2e-6)


def test_a_second_input_is_aligned_by_its_axis() -> None:
    factor = data(4, 5)
    text = two('type: "Scale" scale_param { axis: 1 }', X, factor)
    assert np.array_equal(run(parse(text), X, factor), X * factor[:, :, None])


@pytest.mark.parametrize(("offset", "begin"), [("", (0, 0)), ("offset: 1", (1, 1)), ("offset: 2 offset: 0", (2, 0))])
def test_crop_takes_as_much_as_its_second_input_has(offset: str, begin: tuple[int, int]) -> None:
    like = data(2, 9, 3, 2)
    found = run(parse(two(f'type: "Crop" crop_param {{ {offset} }}', X, like)), X, like)
    assert np.array_equal(found, X[:, :, begin[0] : begin[0] + 3, begin[1] : begin[1] + 2])


@pytest.mark.parametrize(("said", "cuts"), [("", (2,)), ("slice_point: 1", (1,)), ("axis: 2 slice_point: 2", (2,))])
def test_slices(said: str, cuts: tuple[int, ...]) -> None:
    text = net(f'type: "Slice" slice_param {{ {said} }} top: "a" top: "b"', shape=X.shape)
    graph = parse(text)
    assert list(graph.results) == ["a", "b"]
    values = graph.outputs
    axis = 2 if "axis: 2" in said else 1
    assert [values[n].shape[axis] for n in "ab"] == [cuts[0], X.shape[axis] - cuts[0]]


def test_inner_product_flattens_and_transposes(tmp_path: Path) -> None:
    weight, bias = data(7, 120), data(7)
    text = 'type: "InnerProduct" inner_product_param {{ num_output: 7 {} }}'
    (tmp_path / "turned").mkdir()
    plain = load(net(text.format(""), shape=X.shape), tmp_path, {"l1": [weight, bias]})
    turned = load(net(text.format("transpose: true"), shape=X.shape), tmp_path / "turned", {"l1": [weight.T, bias]})
    wanted = X.reshape(2, 120).astype(np.float64) @ weight.T + bias
    assert np.allclose(run(plain, X), wanted, atol=1e-5) and np.array_equal(run(plain, X), run(turned, X))
    assert [layer.op.name for layer in plain.layers()] == ["input", "flatten", "fc"]


def test_inner_product_keeps_the_axes_before_its_own(tmp_path: Path) -> None:
    weight = data(7, 6)
    text = net('type: "InnerProduct" inner_product_param { num_output: 7 bias_term: false axis: -1 }', shape=X.shape)
    assert np.allclose(run(load(text, tmp_path, {"l1": [weight]}), X), X @ weight.T, atol=1e-5)


def test_convolution_reads_every_spelling_of_its_window() -> None:
    body = "num_output: 6 group: 2 "
    spelt = [
        "kernel_size: 3 kernel_size: 5 stride: 2 stride: 1 pad: 1 pad: 2", "kernel_h: 3 kernel_w: 5 stride_h: 2 stride_w: 1 pad_h: 1 pad_w: 2",
        "kernel_size: [3, 5] stride: [2, 1] pad: [1, 2]",
    ]  # fmt: skip
    ops = {parse(net(f'type: "Convolution" convolution_param {{ {body}{one} }}'))["l1"].op for one in spelt}
    (op,) = ops
    assert op.attributes() == {
        "out": 6, "kernel": (3, 5), "stride": (2, 1), "pad": (1, 2, 1, 2), "dilation": (1, 1), "groups": 2, "bias": True
    }  # fmt: skip


def test_convolution_goes_over_one_or_three_axes() -> None:
    text = 'type: "Convolution" convolution_param { num_output: 2 kernel_size: 2 dilation: 2 }'
    assert parse(net(text, shape=(1, 3, 9))).outputs["l1"].shape == (1, 2, 7)
    assert parse(net(text, shape=(1, 3, 9, 8, 7))).outputs["l1"].shape == (1, 2, 7, 6, 5)


def test_deconvolution_is_the_gradient_of_convolution(tmp_path: Path) -> None:
    weight = data(4, 3, 3, 2)
    said = "num_output: 3 kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 1 pad_h: 1 pad_w: 0 bias_term: false"
    found = run(load(net(f'type: "Deconvolution" convolution_param {{ {said} }}', shape=X.shape), tmp_path, {"l1": [weight]}), X)
    wanted = np.zeros((2, 3, 5 * 2 + 1, 6 + 1))
    for i, j, p, q in np.ndindex(5, 6, 3, 2):
        wanted[:, :, 2 * i + p, j + q] += X[:, :, i, j] @ weight[:, :, p, q]
    assert np.allclose(found, wanted[:, :, 1:-1], atol=1e-5)


@pytest.mark.parametrize(("text", "code"), [
    ('type: "Convolution" convolution_param { kernel_size: 3 }', "C0842"),
    ('type: "Convolution" convolution_param { num_output: 3 }', "C0842"),
    ('type: "Convolution" convolution_param { num_output: 0 kernel_size: 3 }', "C0206"),
    ('type: "Convolution" convolution_param { num_output: 3 kernel_size: 0 }', "C0206"),
    ('type: "Convolution" convolution_param { num_output: 3 kernel_size: 3 stride: 0 }', "C0206"),
    ('type: "Convolution" convolution_param { num_output: 3 kernel_size: 3 dilation: 0 }', "C0206"),
    ('type: "Convolution" convolution_param { num_output: 3 kernel_size: 10 }', "C0203"),
    ('type: "Convolution" convolution_param { num_output: 3 kernel_size: 4294967295 }', "C0203"),
    ('type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 group: 3 }', "C0207"),
    ('type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 axis: 2 }', "C0844"),
    ('type: "Convolution" convolution_param { num_output: 4 kernel_size: [3, 3, 3] }', "C0842"),
    ('type: "Convolution" convolution_param { num_output: 4 kernel_h: 3 kernel_size: 3 }', "C0842"),
    ('type: "LRN" lrn_param { local_size: 4 }', "C0206"),
    ('type: "Softmax" softmax_param { axis: 4 }', "C0209"),
    ('type: "Exp" exp_param { base: 0 }', "C0206"),
    ('type: "Log" log_param { base: 1 }', "C0206"),
    ('type: "Clip" clip_param { min: 1 max: 0 }', "C0206"),
    ('type: "BatchNorm" batch_norm_param { use_global_stats: false }', "C0844"),
    ('type: "ArgMax" argmax_param { top_k: 5 }', "C0844"),
    ('type: "Flatten" flatten_param { axis: 2 end_axis: 1 }', "C0206"),
    ('type: "Reshape" reshape_param { shape { dim: 7 dim: -1 } }', "C0204"),
    ('type: "Reshape" reshape_param { shape { dim: 7 } }', "C0204"),
    ('type: "Reshape" reshape_param { shape { dim: -1 dim: -1 } }', "C0206"),
    ('type: "Reshape" reshape_param { shape { dim: -2 } }', "C0206"),
    ('type: "Reshape" reshape_param { axis: 9 }', "C0209"),
    ('type: "Tile" tile_param { tiles: 0 }', "C0206"),
    ('type: "Permute" permute_param { order: 4 }', "C0209"),
    ('type: "ShuffleChannel" shuffle_channel_param { group: 3 }', "C0207"),
    ('type: "Scale" scale_param { num_axes: 7 }', "C0209"),
    ('type: "Slice" slice_param { slice_point: 9 } top: "a" top: "b"', "C0206"),
    ('type: "Slice" slice_param { slice_point: 1 slice_point: 2 } top: "a" top: "b"', "C0842"),
    ('type: "Concat" concat_param { axis: 1 concat_dim: 1 }', "C0842"),
    ('type: "Eltwise" bottom: "x"', "C0201"),
    ('type: "ReLU" top: "a" top: "b"', "C0201"),
    ('type: "Eltwise" bottom: "x" bottom: "x" eltwise_param { operation: MAX coeff: 1 }', "C0842"),
    ('type: "Eltwise" bottom: "x" bottom: "x" eltwise_param { coeff: 1 }', "C0842"),
])  # fmt: skip
def test_what_has_no_meaning_is_refused_at_its_layer(text: str, code: str) -> None:
    (diagnostic,) = refused(net(text))
    assert diagnostic.code == code and diagnostic.labels[0].span.location.startswith("net.prototxt:2:")
