"""cnnc opt: a network rewritten and written back."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .console import emit_json, exactness_option, json_option, load_model, model_argument, nan_option, place_option, target_options
from .pipelines import BareFlag, Watch, only_with_pipeline, run_pipeline


@click.command(cls=BareFlag)
@model_argument
@target_options
@place_option("auto")
@exactness_option
@nan_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=None,
    metavar="OUT",
    help="Where to write it: .cnn, or .onnx.  [default: stdout, as .cnn]",
)
@click.option(
    "--for",
    "runtime",
    type=click.Choice(["onnxruntime", "openvino"]),
    default=None,
    help="Move what that runtime runs faster, by its own clock.",
)
@click.option("--remarks", is_flag=True, help="Say on stderr what was decided at each site.")
@click.option("-p", "--pipeline", default=None, metavar="PASSES", help="Run these passes instead: canonicalize, dce, place.")
@click.option("--print-ir-after", default=None, metavar="[=PASS]", help="With -p: print the network on stderr after this pass, or each.")
@click.option("--time-passes", is_flag=True, help="With -p: a table on stderr of how long each pass took.")
@click.option("--dump", type=click.Path(path_type=Path), default=None, metavar="DIR", help="With -p: write the network after each pass.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    model: str,
    target: str,
    arch: str | None,
    place: str,
    exactness: str,
    nan: str,
    output: Path | None,
    runtime: str | None,
    remarks: bool,
    pipeline: str | None,
    print_ir_after: str | None,
    time_passes: bool,
    dump: Path | None,
    as_json: bool,
) -> None:
    """Move what may move and print the network as `.cnn`, or write it as `.cnn` or `.onnx`.

    \b
    Example:
      cnnc opt vgg16.cnn --place always --remarks -o vgg16-moved.cnn
      cnnc opt model.onnx --for onnxruntime -o better.onnx
      cnnc opt vgg16.cnn -p 'canonicalize,place{place=always},dce' --print-ir-after --time-passes
    """
    import cnnir

    from .decisions import decision_json, sentence
    from .outputs import check_suffix

    file = None if output is None or str(output) == "-" else output
    if file is not None:
        check_suffix(file)
    only = {"print_ir_after": print_ir_after, "time_passes": time_passes, "dump": dump}
    only_with_pipeline(ctx, pipeline, only, ("place", "exactness", "nan", "target", "arch", "runtime"))
    if runtime is not None and (place != "auto" or target != "llvm"):
        raise click.UsageError("--for goes with --place auto, and with no --target: that runtime says what a move costs")
    graph = load_model(model)
    if pipeline is not None:
        watch = Watch(print_ir_after, dump)
        result = run_pipeline(graph, pipeline, watch)
        if time_passes:
            watch.print_times()
        decisions = [decision for step in watch.steps for decision in step.decisions]
        told = {"passes": [{"number": s.number, "pass": s.name, "seconds": s.seconds, "layers": len(s.graph)} for s in watch.steps]}
    else:
        done = cnnir.optimize(graph, target=target, place=place, exactness=exactness, nan=nan, runtime=runtime)  # type: ignore[arg-type]  # click checked the choice
        result, decisions, told = done.graph, list(done.decisions), {}
    if remarks:
        for decision in decisions:
            click.echo(sentence(decision), err=True)
    if file is not None:
        cnnir.save(result, file)
    if as_json:
        emit_json("opt", {"network": cnnir.dumps(result), "decisions": [decision_json(d) for d in decisions], **told})
    elif file is None:
        sys.stdout.write(cnnir.dumps(result))
