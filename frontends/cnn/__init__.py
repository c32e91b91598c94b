"""The cnnir language: `.cnn` text -> Graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cnnir import collector
from cnnir.diagnostics import Source
from cnnir.ir.graph import Graph

__all__ = ["load", "parse"]


Shapes = Mapping[str, Sequence[int]]
"""Input name -> shape: what symbolic sizes stand for."""


def parse(text: str, name: str = "<string>", network: str | None = None, folder: Path | None = None, shapes: Shapes | None = None) -> Graph:
    """The network that a text describes: the one called `network`, or the last one.

    `folder` is where its weights file may be; `shapes` gives inputs their shapes, and so symbolic sizes their numbers.
    Raises CnnirError with everything found wrong.
    """
    from .elaborate import Elaborator  # lark costs a tenth of a second
    from .syntax import parse_file

    source = Source(name, text.removeprefix("\ufeff"))
    with collector.paused():
        return Elaborator(parse_file(source), folder, shapes).graph(network)


def load(path: str | Path, network: str | None = None, shapes: Shapes | None = None) -> Graph:
    """The network of a `.cnn` file; raises CnnirError (exit code 2 where there is no such file)."""
    from .files import read_text

    where = Path(path)
    return parse(read_text(where), str(path), network, where.parent, shapes)
