"""cnnc run: a network or a compiled package on arrays."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from .arrays import read_arrays
from .console import (
    conv_option,
    emit_json,
    json_option,
    load_model,
    shape_option,
    target_options,
    threads_option,
    tuned,
    tuned_options,
    weights_option,
)

Array = np.ndarray[Any, Any]


@click.command()
@click.argument("model", metavar="PKG|MODEL")
@shape_option
@weights_option
@click.option("--input", "inputs", multiple=True, metavar="[NAME=]FILE", help="A .npy for one input, or a .npz with an array an input.")
@click.option(
    "--random",
    "seed",
    type=click.IntRange(0),
    default=None,
    metavar="SEED",
    help="Draw the inputs: uniform over the declared range, else normal.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=None, metavar="OUT.npz", help="Write the outputs.")
@target_options
@threads_option
@conv_option
@tuned_options
@click.option("--verify", is_flag=True, help="Compare a package's weights with their hash first.")
@json_option
def command(
    model: str,
    inputs: tuple[str, ...],
    seed: int | None,
    output: Path | None,
    target: str,
    arch: str | None,
    threads: int | None,
    conv: str,
    with_records: bool,
    records: str | None,
    verify: bool,
    as_json: bool,
) -> None:
    """Run a compiled package (no compiler is loaded) or a MODEL (compiled first, as it is written).

    \b
    Example:
      cnnc run vgg16.cnnpkg --input image.npy -o scores.npz
      cnnc run lenet5.cnn --random 0
    """
    import cnnir

    if as_json and str(output) == "-":
        raise click.UsageError("-o - and --json both want standard output")
    if _is_folder(model):
        program = cnnir.load_program(model, threads, verify)
    else:
        program = cnnir.compile(load_model(model), target, arch=arch, threads=threads, conv=conv, tuned=tuned(with_records, records))  # type: ignore[arg-type]  # click checked the choice
    if seed is None and not inputs:
        raise click.UsageError(f"say what to run on: --input FILE (inputs: {', '.join(program.inputs)}), or --random SEED")
    from cnnir.feeds import random_feeds

    feeds = random_feeds(program.inputs, program.manifest.ranges, seed) if seed is not None else {}
    for given in inputs:
        feeds.update(read_arrays(given, program.inputs))
    outputs = program(feeds)
    if output is not None:
        _write(output, outputs)
    if as_json:
        emit_json("run", {"outputs": {n: {"shape": list(a.shape), "dtype": str(a.dtype)} for n, a in outputs.items()}})
    elif str(output) != "-":
        for name, array in outputs.items():
            click.echo(f"{name}: {array.dtype}{list(array.shape)}, {_summary(array)}")


def _is_folder(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def _summary(array: Array) -> str:
    if array.size == 0:
        return "empty"
    return f"least {array.min():.6g} at {int(array.argmin())}, greatest {array.max():.6g} at {int(array.argmax())}"


def _write(path: Path, outputs: Mapping[str, Array]) -> None:
    from cnnir.files import write_atomically

    content = io.BytesIO()
    np.savez(content, **dict(outputs))  # type: ignore[arg-type]  # numpy's stub mistakes names for its own flag
    if str(path) == "-":
        sys.stdout.buffer.write(content.getvalue())
    else:
        write_atomically(path, content.getvalue())
