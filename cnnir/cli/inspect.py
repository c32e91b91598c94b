"""cnnc inspect: the layers of a network."""

from __future__ import annotations

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
        emit_json("inspect", {"name": graph.name, "layers": layers(graph), "outputs": {n: v.layer for n, v in graph.results.items()}})
    elif form == "table":
        _print_table(graph)
    else:
        click.echo(_dot(graph) if form == "dot" else _mermaid(graph))


def layers(graph: Graph) -> list[dict[str, Any]]:
    """One record a layer: name, op, inputs, type, numbers of parameters and multiply-accumulates."""
    found: list[dict[str, Any]] = []
    for layer in graph.layers():
        data = graph.data(layer.name)
        parameters = sum(_size(graph.weights.shape(key)) for _, key in layer.weights)
        macs = layer.op.macs([graph.type(v) for v in data], layer.outputs)
        names = [v.layer for v in data]
        found.append(
            {"name": layer.name, "op": layer.op.name, "inputs": names, "type": str(layer.type), "parameters": parameters, "macs": macs}
        )
    return found


def _size(shape: tuple[int, ...]) -> int:
    import math

    return math.prod(shape)


def _print_table(graph: Graph) -> None:
    records = layers(graph)
    rows = [(r["name"], r["op"], ", ".join(r["inputs"]), r["type"], f"{r['parameters']:,}", f"{r['macs']:,}") for r in records]
    out = console()
    out.print(f"network {graph.name}", markup=False)
    out.print(table(["layer", "op", "inputs", "type", "parameters", "MACs"], rows, right=(4, 5)))
    out.print(f"{len(records)} layers, {sum(r['parameters'] for r in records):,} parameters, {sum(r['macs'] for r in records):,} MACs")


def _dot(graph: Graph) -> str:
    lines = ["digraph network {", "  node [shape=box, fontname=sans]"]
    lines += [f"  {_quoted(r['name'])} [label={_quoted(r['name'] + chr(10) + r['type'])}]" for r in layers(graph)]
    lines += [f"  {_quoted(source)} -> {_quoted(r['name'])}" for r in layers(graph) for source in r["inputs"]]
    return "\n".join([*lines, "}"])


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _mermaid(graph: Graph) -> str:
    number = {r["name"]: i for i, r in enumerate(layers(graph))}
    lines = ["flowchart TD"]
    for r in layers(graph):
        label = f"{r['name']}<br/>{r['type']}".replace('"', "#quot;")
        lines.append(f'  n{number[r["name"]]}["{label}"]')
        lines += [f"  n{number[source]} --> n{number[r['name']]}" for source in r["inputs"]]
    return "\n".join(lines)
