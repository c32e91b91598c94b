"""Starting every runtime that is to race on a network."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from cnnir.diagnostics import CnnirError
from cnnir.ir.graph import Graph

from .arrays import Array
from .peer import Peer
from .registry import variants


def start_peers(
    stack: ExitStack, graph: Graph, feeds: Mapping[str, Array], names: Sequence[str], threads: int | None = None,
    refused: Callable[[str, CnnirError], None] | None = None,
) -> list[Peer]:  # fmt: skip
    """A peer for every name, and for every variant of a runtime that has several, loaded with the exported network.

    The peers and the model's file live until `stack` is closed. Outputs are called as in the graph. Raises CnnirError,
    before anything is started where a name is unknown; with `refused`, that is told by name of each that cannot run the network.
    """
    from ..onnx_export import save

    wanted = list(dict.fromkeys(v for name in names for v in variants(name)))
    model = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cnnir-onnx-"))) / "network.onnx"
    save(graph, model)
    count = threads or usable_cores()
    peers: list[Peer] = []
    for name in wanted:
        try:
            peers.append(stack.enter_context(Peer(name, model, feeds, count, list(graph.results))))
        except CnnirError as error:
            if refused is None or error.exit_code != 1:
                raise
            refused(name, error)
    return peers


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
