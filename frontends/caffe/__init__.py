"""Caffe: a `.prototxt` and the `.caffemodel` beside it -> Graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cnnir import collector
from cnnir.diagnostics import Diagnostic, Source, warn
from cnnir.ir.graph import Graph

__all__ = ["load", "parse"]

Shapes = Mapping[str, Sequence[int]]


def parse(text: str, name: str = "<string>", shapes: Shapes | None = None, weights: Path | None = None) -> Graph:
    """The network that a prototxt describes, in its own phase, TEST unless it says another; all of it is f32.

    `shapes` gives inputs other shapes, and data layers those that only the data know. `weights` is a `.caffemodel`; without one
    weights are drawn from their keys. Raises CnnirError with everything found wrong.
    """
    from .check import check  # lark costs a tenth of a second
    from .model.file import open_model
    from .net import read_net
    from .record import Record
    from .schema.messages import MESSAGES
    from .schema.v1 import V1_TYPES
    from .syntax import parse_text
    from .translate import KNOWN, translate

    source = Source(name, text)
    with collector.paused():
        tree = parse_text(source)
        check(source, tree, KNOWN | V1_TYPES.keys())
        net = read_net(Record(source, tree, MESSAGES["NetParameter"]))
        return translate(net, Path(name).stem, shapes or {}, open_model(weights) if weights else None)


def load(path: str | Path, shapes: Shapes | None = None, weights: str | Path | None = None) -> Graph:
    """The network of a `.prototxt` file, with the weights of `weights`, or of the `.caffemodel` of its name beside it.

    Without either, weights are drawn from their keys, and a note says so. Raises CnnirError (exit code 2 where there is no such file).
    """
    from .files import read_text

    where = Path(path)
    text = read_text(where)
    beside = where.with_suffix(".caffemodel")
    model = Path(weights) if weights is not None else beside if beside.exists() else None
    graph = parse(text, str(path), shapes, model)
    if model is None and any(layer.weights for layer in graph.layers()):
        message = f"`{where.name}` comes without `{beside.name}`: its weights are drawn at random, from their names"
        warn(Diagnostic("C0847", message, help="put the .caffemodel beside it, under that name", severity="note"))
    return graph
