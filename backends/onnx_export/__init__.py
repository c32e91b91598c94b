"""Networks as ONNX models, for every other runtime.

A network that was read from an ONNX file goes back to it: what nobody has touched is written word for word. Of any other,
a layer becomes the ONNX operator with exactly its meaning where there is one, and any other elementwise layer is written
out from its formula.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cnnir.diagnostics import CnnirError, Diagnostic
from cnnir.ir.graph import Graph

if TYPE_CHECKING:
    import onnx

    from .builder import Builder, Constant

LIMIT = 2**31 - 2**24
"""Bytes of weights that fit into one file; a serialized model ends at 2 GB."""

Draft = tuple["Builder", "onnx.ModelProto"]
"""Nodes and tensors, and the model without them."""


def export(graph: Graph) -> onnx.ModelProto:
    """The network as an ONNX model, weights inside: of the opset of the file that it was read from, or opset 20.

    Raises CnnirError naming every layer that ONNX cannot say, or where the weights do not fit into one message.
    """
    return _whole(_draft(graph))


def save(graph: Graph, path: str | Path, *, external: bool | None = None) -> None:
    """Write the network as an ONNX file; with `external` the weights go to `<path>.data` beside it.

    By default those do that lay beside the file that the network was read from, and all where they must, above 2 GB.
    Raises CnnirError.
    """
    from cnnir.files import write_atomically

    path, draft = Path(path), _draft(graph)
    from .store import ExternalFile, inside  # once it is known that `onnx` is there

    build = draft[0]
    apart = {name for name, constant in build.constants.items() if constant.field == "external_data"}
    if external is not None:
        apart = set(build.constants) if external else set[str]()
    elif sum(c.size for name, c in build.constants.items() if name not in apart) > LIMIT:
        apart = set(build.constants)
    if not apart:
        write_atomically(path, _whole(draft).SerializeToString())
        return
    with ExternalFile(path.with_name(path.name + ".data")) as data:
        content = _assemble(draft, lambda name, constant: (data.add if name in apart else inside)(name, constant)).SerializeToString()
    write_atomically(path, content)


def _draft(graph: Graph) -> Draft:
    _require_onnx()
    from .fresh import write
    from .restore import restore

    source = graph.provenance
    return restore(graph, source) if source is not None and source.format == "onnx" else write(graph)


def _require_onnx() -> None:
    try:
        import_module("onnx")
    except ImportError as error:
        help = "pip install 'cnnir[onnx]'"
        raise CnnirError(Diagnostic("C0703", "writing ONNX needs the package `onnx`", help=help), exit_code=3) from error


def _whole(draft: Draft) -> onnx.ModelProto:
    if sum(c.size for c in draft[0].constants.values()) > LIMIT:
        raise CnnirError(Diagnostic("C0702", "the weights do not fit into one ONNX message (2 GB)", help="save with external data"))
    from .store import inside

    return _assemble(draft, inside)


def _assemble(draft: Draft, tensor: Callable[[str, Constant], onnx.TensorProto]) -> onnx.ModelProto:
    """The model, each constant written by `tensor`."""
    build, model = draft
    model.graph.node.extend(build.nodes)
    for name, constant in build.constants.items():
        model.graph.initializer.append(tensor(name, constant))
    return model
