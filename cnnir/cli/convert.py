"""cnnc convert: a network in another format."""

from __future__ import annotations

from pathlib import Path

import click

from .console import emit_json, json_option, load_model, model_argument


@click.command()
@model_argument
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="OUT", help="Where to write it: .cnn or .onnx.")
@json_option
def command(model: str, output: Path, as_json: bool) -> None:
    """Write MODEL in the format of OUT's suffix; no pass runs.

    \b
    Reads .cnn, .onnx, .pt2 and .prototxt; writes .cnn (weights in a .safetensors beside it) and .onnx.

    \b
    Example:
      cnnc convert model.onnx -o model.cnn
      cnnc convert exported.pt2 -o model.onnx
    """
    import cnnir

    from .outputs import check_suffix

    check_suffix(output)
    graph = load_model(model)
    cnnir.save(graph, output)
    layers = sum(1 for _ in graph.layers()) - len(graph.inputs)
    if as_json:
        emit_json("convert", {"input": model, "output": str(output), "layers": layers})
    else:
        click.echo(f"{output}: {graph.name}, {layers} layers", err=True)
