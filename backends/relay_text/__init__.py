"""Networks as Relay text (`#[version = "0.0.5"]`), for tools that still read TVM's language before Relax."""

from __future__ import annotations

from pathlib import Path

from cnnir.diagnostics import CnnirError, Diagnostic, Label, OpError
from cnnir.files import write_atomically
from cnnir.ir.expand import expanded
from cnnir.ir.graph import Graph, Value
from cnnir.ir.text import SIGNATURE, refuse_stranger
from cnnir.ops.tensor import Input

from .layers import has_rule, write
from .writer import Writer, relay_type

__all__ = ["Writer", "listing", "relay_type", "save"]


def listing(graph: Graph) -> Writer:
    """The network as a function `@main` of its inputs and weights: `.text()`, and `.parameters`, read only when asked for.

    Outputs keep their order. Raises CnnirError naming every layer that Relay cannot say.
    """
    graph = expanded(graph, lambda op: not has_rule(op))
    writer, problems = Writer(graph), list[Diagnostic]()
    for name, type in graph.inputs.items():
        writer.values[Value(name)] = writer.argument(name, type)
    needed = graph.live()
    for layer in graph.layers():
        if layer.name not in needed or isinstance(layer.op, Input):
            continue
        try:
            made = write(writer, layer)
        except OpError as error:
            labels = (Label(layer.origin.span),) if layer.origin.span else ()
            problems.append(Diagnostic("C0720", f"layer `{layer.name}` (`{layer.op.name}`) has no Relay: {error.message}", labels))
            made = ["%0"] * len(layer.outputs)  # so that the layers after it are looked at too
        for slot, value in enumerate(made):
            writer.values[Value(layer.name, slot)] = value
    if problems:
        raise CnnirError(problems)
    return writer


def save(graph: Graph, path: Path) -> None:
    """Write the text, and a `.safetensors` of the same name beside it where the function has arguments that are weights.

    Raises CnnirError (exit code 2 where a file of that name is there that is neither cnnir's nor this network's).
    """
    writer, store = listing(graph), path.with_suffix(".safetensors")
    if writer.parameters:
        from safetensors.numpy import save as serialize

        refuse_stranger(store, graph)
        write_atomically(store, serialize({name: read() for name, read in writer.parameters.items()}, SIGNATURE))
    write_atomically(path, writer.text().encode())
