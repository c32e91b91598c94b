"""ONNX: `.onnx` file -> Graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cnnir import collector
from cnnir.diagnostics import CnnirError, Diagnostic

if TYPE_CHECKING:
    from onnx import ModelProto

    from cnnir.ir.graph import Graph

    from .tensors import Place

__all__ = ["load", "parse"]

Shapes = Mapping[str, Sequence[int]]
"""Input name -> shape: what symbolic sizes stand for."""


def load(path: str | Path, shapes: Shapes | None = None) -> Graph:
    """The network of an ONNX file; its large weights stay in the file until they are asked for.

    Raises CnnirError: exit code 2 where there is no such file, 3 where the package `onnx` is missing.
    """
    _require_onnx()
    from .model import read_file

    return _imported(*read_file(Path(path)), str(path), shapes)


def parse(content: bytes, name: str = "<bytes>", shapes: Shapes | None = None) -> Graph:
    """The network of a model's bytes; it has no folder, and so no external data. Raises CnnirError."""
    _require_onnx()
    from .model import parse as parse_model

    return _imported(*parse_model(content, None, name), name, shapes)


def _imported(model: ModelProto, place: Place, name: str, shapes: Shapes | None) -> Graph:
    from .importer import Importer
    from .local import inlined

    with collector.paused():
        return Importer(inlined(model), place, name, shapes).graph()


def _require_onnx() -> None:
    try:
        import_module("onnx")
    except ImportError:
        raise CnnirError(Diagnostic("C0703", "reading ONNX needs the package `onnx`", help="pip install 'cnnir[onnx]'"), 3) from None
