"""Weights files: every form that Caffe has written, mapped where they lie, and what each damaged one gets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnnir.diagnostics import CnnirError
from cnnir.frontends.caffe.model.file import open_model
from cnnir.ir.weights import Held

from . import caffemodels as made
from .caffemodels import Array
from .networks import data, load, net, run

CONV = net('name: "c" type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 }')
WEIGHT, BIAS = data(4, 8, 3, 3), data(4, seed=1)
X = data(1, 8, 9, 9)


def opened(folder: Path, content: bytes, text: str = CONV) -> list[Array]:
    """The weights of a network beside a weights file of this content, in order."""
    (folder / "net.caffemodel").write_bytes(content)
    graph = load(text, folder)
    return [graph.weights[key] for layer in graph.layers() for _, key in layer.weights]


@pytest.mark.parametrize("content", [
    made.layer("c", [made.blob(WEIGHT), made.blob(BIAS)]),
    made.layer("c", [made.old_blob(WEIGHT), made.old_blob(BIAS)]),
    made.layer("c", [made.blob(WEIGHT), made.blob(BIAS, (1, 1, 1, 4))]),
    made.layer("c", [made.doubles(WEIGHT), made.doubles(BIAS)]),
    made.layer("c", [made.unpacked(WEIGHT), made.unpacked(BIAS)]),
    made.layer("c", [made.unpacked(WEIGHT, 8), made.unpacked(BIAS, 8)]),
    made.old_layer("c", [made.old_blob(WEIGHT), made.old_blob(BIAS)]),
    made.oldest_layer("c", [made.old_blob(WEIGHT), made.old_blob(BIAS)]),
    made.layer("other", [made.blob(BIAS)]) + made.layer("c", [made.blob(WEIGHT), made.blob(BIAS)]) + made.field(1, b"its name"),
    made.layer("c", [made.unpacked(WEIGHT, 6) + made.field(5, WEIGHT.tobytes()), made.blob(BIAS)]),  # what training left, and the numbers
    made.layer("c", [made.shape(WEIGHT.shape) + made.field(5, WEIGHT[:2].tobytes()) + made.field(5, WEIGHT[2:].tobytes()), made.blob(BIAS)]),
], ids=["new", "old sizes", "leading ones", "doubles", "not packed", "doubles not packed", "V1", "V0", "among others", "diff", "in pieces"])  # fmt: skip
def test_every_form_gives_the_same_weights(content: bytes, tmp_path: Path) -> None:
    weight, bias = opened(tmp_path, content)
    assert np.array_equal(weight, WEIGHT) and np.array_equal(bias, BIAS) and weight.dtype == bias.dtype == np.float32


@pytest.mark.parametrize("place", range(4))
def test_numbers_stay_in_the_file_until_they_are_asked_for(place: int, tmp_path: Path) -> None:
    content = made.field(1, b"x" * place) + made.layer("c", [made.blob(WEIGHT), made.blob(BIAS)])
    (tmp_path / "net.caffemodel").write_bytes(content)
    graph = load(CONV, tmp_path)
    assert not graph.weights.drawn
    weight, source = graph.weights["c.weight"], graph.weights.source("c.weight")
    assert weight.flags.aligned and np.array_equal(weight, WEIGHT)
    assert isinstance(source, Held) == (content.index(WEIGHT.tobytes()) % 4 == 0)


def test_a_network_with_its_weights_answers_with_them(tmp_path: Path) -> None:
    windows = np.lib.stride_tricks.sliding_window_view(X[0], (3, 3), axis=(1, 2))
    wanted = np.einsum("chwij,ocij->ohw", windows.astype(np.float64), WEIGHT) + BIAS[:, None, None]
    assert np.allclose(run(load(CONV, tmp_path, {"c": [WEIGHT, BIAS]}), X)[0], wanted, atol=1e-5)


@pytest.mark.parametrize(("content", "code", "words"), [
    (b"", "C0845", "no layers"),
    (b"<html>", "C0845", "kind"),
    (b"\x00" * 100, "C0845", "no field"),
    (b"\xff" * 100, "C0845", "10 bytes"),
    (b"\x89HDF\r\n\x1a\n" + b"\0" * 100, "C0845", "HDF5"),
    (made.model({"c": [WEIGHT, BIAS]})[:-5], "C0845", "cut short"),
    (made.model({"c": [WEIGHT, BIAS]})[:20], "C0845", "cut short"),
    (made.model({"d": [WEIGHT, BIAS]}), "C0404", "no weights"),
    (made.model({"c": [WEIGHT]}), "C0404", "only 1 of the weights"),
    (made.layer("c", [b"\x2d\0\0\0\0\x35\0\0\0\0" * 300_000]), "C0845", "more than 500,000 fields"),
    (made.model({"c": [WEIGHT[:, :4], BIAS]}), "C0304", r"\[4, 4, 3, 3\]"),
    (made.model({"c": [WEIGHT, WEIGHT]}), "C0304", "must be"),
    (made.layer("c", [made.blob(WEIGHT, (4, 8, 3, 2)), made.blob(BIAS)]), "C0845", "288 numbers"),
    (made.layer("c", [made.shape((2**62, 2**62)), made.blob(BIAS)]), "C0845", "holds 0 numbers"),
    (made.layer("c", [made.shape((1,) * 99), made.blob(BIAS)]), "C0845", "99 axes"),
    (made.layer("c", [made.field(7, made.field(1, b"\x80" * 99)), made.blob(BIAS)]), "C0845", "10 bytes"),
    (made.layer("c", [made.field(5, b"\0" * 7), made.blob(BIAS)]), "C0845", "7 bytes"),
    (made.layer("c", [made.blob(np.where(WEIGHT[1, 2, 0, 1] == WEIGHT, np.nan, WEIGHT)), made.blob(BIAS)]), "C0846", "nan at place 91"),
    (made.layer("c", [made.blob(WEIGHT), made.blob(np.array([0, 1, -np.inf, 3]))]), "C0846", "-inf at place 2"),
    (made.layer("c", [made.doubles(WEIGHT), made.doubles(np.array([0, 1, 1e300, 3]))]), "C0846", "1e.300"),
])  # fmt: skip
def test_what_is_damaged_or_does_not_fit_is_one_diagnostic(content: bytes, code: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(CnnirError, match=words) as caught:
        opened(tmp_path, content)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, caught.value.exit_code) == (code, 1)


def test_what_is_no_file_is_wrong_usage(tmp_path: Path) -> None:
    for path in (tmp_path / "none.caffemodel", tmp_path, tmp_path / "\0"):
        with pytest.raises(CnnirError) as caught:
            open_model(path)
        assert (caught.value.diagnostics[0].code, caught.value.exit_code) == ("C0401", 2)


def test_batch_norm_divides_by_its_third_blob_and_takes_scale_along(tmp_path: Path) -> None:
    mean, variance, scale, bias = data(8), np.abs(data(8, seed=1)), data(8, seed=2), data(8, seed=3)
    blobs = {"l1": [mean * 4, variance * 4, np.array([4.0])], "l2": [scale, bias]}
    text = net('type: "BatchNorm" batch_norm_param { eps: 0.001 }', 'type: "Scale" scale_param { bias_term: true }')
    graph = load(text, tmp_path, blobs)
    wanted = [((v.T - m) / np.sqrt(s + 0.001) * a + b).T for v, m, s, a, b in [(X[0].astype(np.float64), mean, variance, scale, bias)]]
    assert [layer.op.name for layer in graph.layers()] == ["input", "batchnorm"] and list(graph.results) == ["l2"]
    assert np.allclose(run(graph, X)[0], wanted[0], atol=1e-5)


def test_a_batch_norm_that_others_read_stays_alone(tmp_path: Path) -> None:
    text = net('type: "BatchNorm"', 'type: "Scale" scale_param { bias_term: true }', 'type: "Eltwise" bottom: "l1" bottom: "l2"')
    blobs = {"l1": [np.zeros(8), np.ones(8), np.zeros(1)], "l2": [np.full(8, 2.0), np.full(8, 3.0)]}
    graph = load(text, tmp_path, blobs)
    assert [layer.op.name for layer in graph.layers()] == ["input", "batchnorm", "scale", "bias", "add"]
    normal = X / np.sqrt(1e-5)  # a third blob of 0 stands for statistics of 0
    assert np.allclose(run(graph, X), normal * 3 + 3, rtol=1e-5)


def test_a_negative_variance_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CnnirError, match="C0846"):
        load(net('type: "BatchNorm"'), tmp_path, {"l1": [np.zeros(8), -np.ones(8), np.ones(1)]})


@pytest.mark.parametrize(("said", "shape", "wide"), [
    ("", (8,), (8, 1, 1)), ("axis: 2 num_axes: 2", (9, 9), (9, 9)), ("axis: 0 num_axes: 0", (), ()), ("num_axes: -1", (8, 9, 9), (8, 9, 9)),
    ("axis: -1", (9,), (9,)),
])  # fmt: skip
def test_scale_and_bias_along_any_axes(said: str, shape: tuple[int, ...], wide: tuple[int, ...], tmp_path: Path) -> None:
    factor, shift = data(*shape) if shape else np.array(1.5), data(*shape, seed=1) if shape else np.array(-2.0)
    graph = load(net(f'type: "Scale" scale_param {{ {said} bias_term: true }}'), tmp_path, {"l1": [factor, shift]})
    assert np.allclose(run(graph, X), X * factor.reshape(wide) + shift.reshape(wide), atol=1e-6)


@pytest.mark.parametrize("shared", [True, False])
def test_prelu_has_a_slope_a_channel_or_one(shared: bool, tmp_path: Path) -> None:
    slope = np.array(0.3) if shared else data(8)
    graph = load(net(f'type: "PReLU" prelu_param {{ channel_shared: {str(shared).lower()} }}'), tmp_path, {"l1": [slope]})
    assert np.allclose(run(graph, X), np.where(X > 0, X, X * (slope if shared else slope[:, None, None])), atol=1e-6)


def test_layers_may_share_a_weight_by_its_name(tmp_path: Path) -> None:
    body = 'type: "InnerProduct" inner_product_param { num_output: 8 } param { name: "w" } param { name: "b" }'
    graph = load(net(body, body, shape=(1, 8)), tmp_path)
    assert [dict(layer.weights) for layer in graph.layers()][1:] == [{"weight": "w", "bias": "b"}] * 2
    with pytest.raises(CnnirError, match="C0304"):
        load(net(body, body, shape=(1, 9)), tmp_path)


def test_a_weights_file_of_another_name_is_named(tmp_path: Path) -> None:
    import cnnir

    (tmp_path / "net.prototxt").write_text(CONV)
    (tmp_path / "trained").write_bytes(made.model({"c": [WEIGHT, BIAS]}))
    graph = cnnir.load(tmp_path / "net.prototxt", weights=tmp_path / "trained")
    assert np.array_equal(graph.weights["c.weight"], WEIGHT)
    with pytest.raises(CnnirError, match="C0401"):
        cnnir.load(tmp_path / "net.prototxt", weights=tmp_path / "missing")
    with pytest.raises(CnnirError, match="C0509"):
        cnnir.load(tmp_path / "net.cnn", weights=tmp_path / "trained")
