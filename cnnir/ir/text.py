"""Graph -> `.cnn` text, the inverse of parsing: `parse(dumps(graph)) == graph`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cnnir import collector
from cnnir.diagnostics import CnnirError, Diagnostic
from cnnir.files import write_atomically
from cnnir.ops.activation import UserActivation
from cnnir.ops.arithmetic import Binary
from cnnir.ops.base import Op
from cnnir.ops.opaque import Opaque
from cnnir.types import TensorType

from . import spelling
from .graph import Graph
from .payload import opaque
from .printer import Printer
from .weights import Seeded, Stored

SIGNATURE = {"written_by": "cnnir"}
"""In the metadata of weights that `save` wrote, and may replace."""


@collector.paused()
def dumps(graph: Graph, weights: str | None = None) -> str:
    """The network as text; `weights` is the name of the file that holds its weights, beside the text."""
    return Printer(graph).text(weights)


def save(graph: Graph, path: str | Path) -> None:
    """Write the text, and a `.safetensors` of the same name beside it unless every weight is drawn from its key.

    Raises CnnirError (exit code 2) where a file of that name is there that neither this function wrote nor the network reads.
    """
    target = Path(path)
    keys = sorted({key for layer in graph.layers() for _, key in layer.weights})
    beside: str | None = None
    if not all(_seeded(graph, key) for key in keys):
        from safetensors.numpy import save as serialize

        store = target.with_suffix(".safetensors")
        refuse_stranger(store, graph)
        content = serialize({key: graph.weights[key] for key in keys}, SIGNATURE)
        beside = store.name
        write_atomically(store, content)  # a new file: what is mapped from the old one stays as it is
    write_atomically(target, dumps(graph, beside).encode())


def refuse_stranger(path: Path, graph: Graph) -> None:
    """Raise CnnirError (exit code 2) where weights at `path` are not this network's and bear no `SIGNATURE`."""
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        return
    sources = [graph.weights.source(key) for key in graph.weights]
    if any(isinstance(s, Stored) and s.path.resolve() == path.resolve() for s in sources):
        return
    try:
        opened: Any = safe_open(path, framework="numpy")  # its class is Rust and has no types
        with opened as file:
            ours = (file.metadata() or {}).items() >= SIGNATURE.items()
    except (SafetensorError, OSError):
        ours = False
    if not ours:
        help = "choose another name for the network, or move that file away"
        raise CnnirError(Diagnostic("C0501", f"`{path}` exists and was not written by cnnir", help=help), exit_code=2)


def _seeded(graph: Graph, key: str) -> bool:
    source = graph.weights.source(key)
    return isinstance(source, Seeded) and source.key == key


def spell(op: Op, data: TensorType | None = None) -> str:
    """An op as a step of a chain, applied to an input of type `data` where that is known."""
    if isinstance(op, UserActivation):
        return spelling.name(op.function)
    if isinstance(op, Opaque):
        return opaque(op, ())
    name, known = spelling.operation(op, data)
    arguments = spelling.written(known)
    if isinstance(op, Binary) and op.reverse:
        arguments.append("x")
    return f"{name}({', '.join(arguments)})" if arguments else name
