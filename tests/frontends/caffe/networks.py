"""Prototxt texts, and what a test does with them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import cnnir
from cnnir.diagnostics import CnnirError, Diagnostic
from cnnir.frontends import caffe
from cnnir.ir.graph import Graph

from .caffemodels import Array, model

Blobs = dict[str, list[Array]]


def net(*layers: str, shape: tuple[int, ...] = (1, 8, 9, 9), name: str = "x") -> str:
    """A deploy text of one input and some layers; a layer without names is called by its number, and reads the one before."""
    dims = " ".join(f"dim: {n}" for n in shape)
    text = f'input: "{name}" input_shape {{ {dims} }}\n'
    before = name
    for place, body in enumerate(layers, start=1):
        named = body if "name:" in body else f'name: "l{place}" {body}'
        bottom = "" if "bottom:" in body else f' bottom: "{before}"'
        top = "" if "top:" in body else f' top: "l{place}"'
        text += f"layer {{ {named}{bottom}{top} }}\n"
        before = f"l{place}"
    return text


def load(text: str, folder: Path, blobs: Blobs | None = None, shapes: dict[str, tuple[int, ...]] | None = None) -> Graph:
    """The network of a text in a file, with a weights file beside it where blobs are given. What is only noted is not said."""
    (folder / "net.prototxt").write_text(text, encoding="utf-8")
    if blobs is not None:
        (folder / "net.caffemodel").write_bytes(model(blobs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return caffe.load(folder / "net.prototxt", shapes)


def parse(text: str) -> Graph:
    return caffe.parse(text, "net.prototxt")


def refused(text: str) -> tuple[Diagnostic, ...]:
    """What is said of a wrong text."""
    with pytest.raises(CnnirError) as caught:
        parse(text)
    assert caught.value.exit_code == 1
    return caught.value.diagnostics


def run(graph: Graph, *feeds: Array) -> Array:
    """The only output for inputs in their order."""
    (output,) = cnnir.evaluate(graph, dict(zip(graph.inputs, feeds, strict=True))).values()
    return output


def data(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)
