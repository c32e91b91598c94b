"""cnnc compile: a network to a package, or to any of the forms it goes through."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .console import (
    conv_option,
    emit_json,
    exactness_option,
    json_option,
    load_model,
    model_argument,
    nan_option,
    place_option,
    target_options,
    threads_option,
    tuned,
    tuned_options,
)

_FORMS = ("cnn", "relax", "tir", "llvm-ir", "cuda", "ptx", "relay")


@click.command()
@model_argument
@target_options
@place_option("auto")
@exactness_option
@nan_option
@threads_option
@conv_option
@tuned_options
@click.option(
    "--fusion", type=click.Choice(["full", "act", "none"]), default="full", show_default=True, help="What rides in a convolution's kernel."
)
@click.option("--emit", type=click.Choice(_FORMS), default=None, help="Print this form instead of making a package.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=None, metavar="OUT", help="Package folder, or file for --emit.")
@json_option
def command(
    model: str, target: str, arch: str | None, place: str, exactness: str, nan: str, threads: int | None, conv: str, fusion: str,
    emit: str | None, with_records: bool, records: str | None,
    output: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Compile MODEL to a package (a folder: library, weights, manifest).

    \b
    Example:
      cnnc compile vgg16.cnn -o vgg16.cnnpkg
      cnnc compile vgg16.cnn --target cuda --arch sm_90 -o vgg16.cnnpkg
      cnnc compile vgg16.cnn --emit relax
    """
    import cnnir

    if emit is None and (output is None or str(output) == "-"):
        raise click.UsageError("say where the package goes: -o OUT" + (" (a package is a folder)" if output else ""))
    if emit is not None and as_json:
        raise click.UsageError("--emit prints a text: --json does not go with it")
    chosen = tuned(with_records, records)
    if emit is not None and chosen is not False:
        raise click.UsageError("--tuned and --records are for a package: --emit prints kernels as they are")
    graph = load_model(model)
    done = cnnir.optimize(graph, target=target, place=place, exactness=exactness, nan=nan)  # type: ignore[arg-type]  # click checked the choice
    if emit == "relay" and output is not None and str(output) != "-":
        from cnnir.api import export_relay

        export_relay(done.graph, output)  # whose weights go beside it
        return
    if emit is not None:
        _print_form(cnnir.emit(done.graph, emit, target, arch, fusion, conv), output)  # type: ignore[arg-type]
        return
    assert output is not None
    program = cnnir.compile(done.graph, target, arch=arch, threads=threads, conv=conv, fusion=fusion, tuned=chosen)  # type: ignore[arg-type]
    program.save(output)
    moved = sum(d.verdict == "moved" for d in done.decisions)
    if as_json:
        work = {"kernels": program.work.kernels, "memory": program.work.memory, "least_memory": program.work.least_memory}
        emit_json("compile", {"package": str(output), "target": program.manifest.target, "moved": moved, **work})
    else:
        click.echo(
            f"{output}: {program.work.kernels} kernels for {program.manifest.target}, {moved} of {len(done.decisions)} sites moved, "
            f"{program.work.memory / 2**20:.3g} MiB of intermediate results",
            err=True,
        )


def _print_form(text: str, output: Path | None) -> None:
    if output is None or str(output) == "-":
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        return
    from cnnir.files import write_atomically

    write_atomically(output, text.encode())
