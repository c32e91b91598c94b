"""cnnc opt: a network rewritten and written back."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .console import emit_json, exactness_option, json_option, load_model, model_argument, place_option, target_options


@click.command()
@model_argument
@target_options
@place_option("auto")
@exactness_option
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=None, metavar="OUT.cnn", help="Where to write it.  [default: stdout]"
)
@click.option("--remarks", is_flag=True, help="Say on stderr what was decided at each site.")
@json_option
def command(
    model: str, target: str, arch: str | None, place: str, exactness: str, output: Path | None, remarks: bool, as_json: bool
) -> None:
    """Move what may move and print the network as `.cnn`.

    \b
    Example:
      cnnc opt vgg16.cnn --place always --remarks -o vgg16-moved.cnn
    """
    import cnnir

    from .decisions import decision_json, sentence

    done = cnnir.optimize(load_model(model), target=target, place=place, exactness=exactness)  # type: ignore[arg-type]  # click checked the choice
    if remarks:
        for decision in done.decisions:
            click.echo(sentence(decision), err=True)
    if output is not None and str(output) != "-":
        cnnir.save(done.graph, output)
    if as_json:
        emit_json("opt", {"network": cnnir.dumps(done.graph), "decisions": [decision_json(d) for d in done.decisions]})
    elif output is None or str(output) == "-":
        sys.stdout.write(cnnir.dumps(done.graph))
