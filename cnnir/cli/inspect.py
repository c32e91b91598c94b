"""cnnc inspect: the layers of a network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from .console import console, emit_json, load_model, model_argument, table

if TYPE_CHECKING:
    from cnnir.ir.graph import Graph


@click.command()
@model_argument
@click.option("--format", "form", type=click.Choice(["table", "dot", "mermaid", "json"]), default="table", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def command(model: str, form: str, as_json: bool) -> None:
    """Show the layers of MODEL with their types, parameters and work.

    \b
    Example:
      cnnc inspect vgg16.cnn
      cnnc inspect fire.cnn --format dot | dot -Tsvg -o fire.svg
    """
    graph = load_model(model)
    if as_json or form == "json":
        emit_json("inspect", document(graph))
    elif form == "table":
        _print_table(graph)
    else:
        from .drawing import dot, mermaid

        click.echo((dot if form == "dot" else mermaid)(graph.name, layers(graph)))


def document(graph: Graph) -> dict[str, Any]:
    """The network as JSON-able data."""
    return {
        "name": graph.name,
        "inputs": {name: {"type": str(t), "range": graph.ranges[name]} for name, t in graph.inputs.items()},
        "layers": layers(graph),
        "outputs": {name: value.layer for name, value in graph.results.items()},
    }


def layers(graph: Graph) -> list[dict[str, Any]]:
    """One record a layer: name, op, how it is written, inputs, type, weights, numbers of parameters and multiply-accumulates."""
    from cnnir.ir.text import spell
    from cnnir.ops.tensor import Input

    found: list[dict[str, Any]] = []
    for layer in graph.layers():
        data = graph.data(layer.name)
        found.append(
            {
                "name": layer.name,
                "op": layer.op.name,
                "written": layer.op.name if isinstance(layer.op, Input) else spell(layer.op, graph.type(data[0]) if data else None),
                "inputs": [value.layer for value in data],
                "type": str(layer.type),
                "weights": {role: {"key": key, "shape": list(graph.weights.shape(key))} for role, key in layer.weights},
                "parameters": sum(math.prod(graph.weights.shape(key)) for _, key in layer.weights),
                "macs": layer.op.macs([graph.type(v) for v in data], layer.outputs),
                "location": layer.origin.span.location if layer.origin.span else None,
            }
        )
    return found


def _print_table(graph: Graph) -> None:
    from cnnir.render import printable

    records = layers(graph)
    rows = [
        (printable(r["name"]), r["op"], printable(", ".join(r["inputs"])), r["type"], f"{r['parameters']:,}", f"{r['macs']:,}")
        for r in records
    ]
    shapes = {weight["key"]: math.prod(weight["shape"]) for r in records for weight in r["weights"].values()}
    out = console()
    out.print(f"network {printable(graph.name)}", markup=False)
    out.print(table(["layer", "op", "inputs", "type", "parameters", "MACs"], rows, right=(4, 5)))
    out.print(f"{len(records)} layers, {sum(shapes.values()):,} parameters, {sum(r['macs'] for r in records):,} MACs")
