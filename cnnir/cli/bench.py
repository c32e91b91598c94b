"""cnnc bench: before against after, on the clock and by count."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from .console import (
    console,
    conv_option,
    emit_json,
    exactness_option,
    json_option,
    load_model,
    model_argument,
    place_option,
    progress,
    table,
    threads_option,
    tuned,
    tuned_options,
)

if TYPE_CHECKING:
    from cnnir.api import Fusion
    from cnnir.backends.race import Contestant, RaceResult
    from cnnir.backends.tvm.program import Program
    from cnnir.decisions import Optimized
    from cnnir.ir.graph import Graph

Outputs = Mapping[str, np.ndarray[Any, Any]]
VARIANTS = ("pool apart", "fused, unmoved", "fused, moved")
"""A pool as a kernel of its own; in its convolution's kernel, as written; there, and with what may move moved."""


@dataclass(frozen=True)
class Row:
    """One contestant: how it is run, what it answers, and its counted work where we compiled it."""

    name: str
    run: Contestant
    answer: str
    counts: Mapping[str, int] = field(default_factory=dict[str, int])


@click.command()
@model_argument
@place_option("always")
@exactness_option
@threads_option
@conv_option
@tuned_options
@click.option("--rounds", type=click.IntRange(2), default=7, show_default=True, help="Turns each contestant gets.")
@click.option("--runs", type=click.IntRange(1), default=5, show_default=True, help="Timed runs a turn, after one thrown away.")
@click.option("--layers", is_flag=True, help="The paper's setting: every layer a kernel, activation time per site.")
@click.option("--against", default="", metavar="PEERS", help="Also race these: onnxruntime,openvino,ncnn,mnn.")
@click.option("--batch", type=click.IntRange(1), default=None, help="Images at once.  [default: as the file says]")
@json_option
def command(
    model: str, place: str, exactness: str, threads: int | None, conv: str, rounds: int, runs: int, layers: bool, against: str,
    batch: int | None, with_records: bool, records: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Time MODEL before and after reordering, in turns, outputs compared first.

    \b
    Example:
      cnnc bench vgg16.cnn
      cnnc bench vgg16.cnn --layers
      cnnc bench vgg16.cnn --against onnxruntime,openvino,ncnn,mnn --threads 2 --batch 8
    """
    import cnnir

    graph = load_model(model)
    if batch is not None:
        from cnnir.ir.batch import with_batch

        graph = with_batch(graph, batch)
    if layers:
        if tuned(with_records, records) is not False:
            raise click.UsageError("--layers makes kernels of its own: --tuned and --records do not go with it")
        from .bench_layers import bench_layers

        bench_layers(graph, place, exactness, threads, conv, rounds, runs, as_json)
        return
    done = cnnir.optimize(graph, place=place, exactness=exactness)  # type: ignore[arg-type]  # click checked the choice
    from cnnir.backends.race import race
    from cnnir.feeds import random_feeds

    feeds = random_feeds(graph.inputs, graph.ranges)
    with ExitStack() as stack:
        rows, expected = _ours(graph, done, feeds, threads, exactness, conv, tuned(with_records, records))
        names = [name for name in against.split(",") if name]
        raced, refused = _peers(stack, graph, feeds, expected, names, threads)
        rows += raced
        with progress("timing", rounds * len(rows)) as step:
            result = race({row.name: row.run for row in rows}, rounds, runs, rows[0].name, lambda: step(1))
    if as_json:
        rows_told = [{"name": r.name, "answer": r.answer, "counts": dict(r.counts)} for r in rows]
        emit_json(
            "bench",
            {
                "name": graph.name,
                "moved": _moved(done),
                "batch": batch,
                "contestants": rows_told,
                "refused": refused,
                "race": result.json(),
            },
        )
    else:
        _print(graph, done, rows, result)


def _moved(done: Optimized) -> int:
    return sum(d.verdict == "moved" for d in done.decisions)


def _ours(
    graph: Graph, done: Optimized, feeds: Outputs, threads: int | None, exactness: str, conv: str, records: bool | str
) -> tuple[list[Row], Outputs]:
    """The three variants, and the outputs of the first; raises CnnirError where an exact move changed a bit."""
    import cnnir
    from cnnir.backends.race import time_calls

    plans: list[tuple[str, Graph, Fusion]] = [(VARIANTS[0], graph, "act"), (VARIANTS[1], graph, "full"), (VARIANTS[2], done.graph, "full")]
    rows: list[Row] = []
    expected: Outputs | None = None
    with progress("compiling", len(plans)) as step:
        for name, network, fusion in plans:
            program = cnnir.compile(network, threads=threads, fusion=fusion, conv=conv, tuned=records)  # type: ignore[arg-type]  # click checked the choice
            outputs = program(feeds)
            expected = outputs if expected is None else expected
            answer = _compared(expected, outputs, exactness)
            rows.append(Row(name, time_calls(lambda p=program: p(feeds)), answer if rows else "", _counts(network, program)))
            step(1)
    assert expected is not None
    return rows, expected


def _compared(expected: Outputs, outputs: Outputs, exactness: str) -> str:
    """How the outputs compare, in words; raises CnnirError where they differ more than they may."""
    from cnnir.backends.agree import compare
    from cnnir.diagnostics import CnnirError, Diagnostic

    # -0 and +0 count as equal (laws.md section 3), so values are compared, not bytes
    if all(np.array_equal(expected[name], outputs[name], equal_nan=True) for name in expected):
        return "bit-identical"
    agreement = compare(expected, outputs)
    if exactness == "exact" or not agreement:
        help = "not timed; where this is so after `cnnc sweep MODEL` too, it is a bug in cnnir"
        raise CnnirError(Diagnostic("C0603", f"the reordered network answers differently: {agreement}", help=help))
    return f"within {agreement.difference:.1e}"


def _counts(graph: Graph, program: Program) -> dict[str, int]:
    from cnnir.work import activation_evaluations

    work = program.work
    return {
        "evaluations": activation_evaluations(graph, convolutional=True),
        "macs": work.macs,
        "bytes": work.bytes,
        "kernels": work.kernels,
    }


def _peers(
    stack: ExitStack, graph: Graph, feeds: Outputs, expected: Outputs, names: list[str], threads: int | None
) -> tuple[list[Row], dict[str, str]]:
    """Other runtimes, each in a process of its own, on the network as it is written; their outputs are compared first.

    Those that agree, and of each other one the reason why it is not timed, which is also told on stderr.
    """
    if not names:
        return [], {}
    from cnnir.backends.agree import compare
    from cnnir.backends.peers import start_peers

    _install(names)
    rows: list[Row] = []
    refused: dict[str, str] = {}
    started = start_peers(stack, graph, feeds, names, threads, lambda name, error: refused.update({name: error.diagnostics[0].message}))
    for peer in started:
        agreement = compare(expected, peer.outputs())
        if not agreement:
            refused[peer.name] = f"disagrees: {agreement}"
            continue
        rows.append(Row(peer.name, peer.run, f"within {agreement.difference:.1e}"))
    for name, reason in refused.items():
        click.echo(f"{name}: {reason}; not timed", err=True)
    return rows, refused


def _install(names: list[str]) -> None:
    """Make the environments that the runtimes called so need and lack."""
    from cnnir.backends.peers import environments
    from cnnir.backends.peers.registry import runtime

    for found in map(runtime, names):
        if found.requires and not environments.installed(found):
            click.echo(f"installing {', '.join(found.requires)} in {environments.folder(found)} (once, about a minute)", err=True)
            environments.install(found)


def _print(graph: Graph, done: Optimized, rows: list[Row], result: RaceResult) -> None:
    columns = ["", "activations*", "MACs", "bytes", "kernels", "median ms", "ratio", "10 % to 90 %", "outputs"]
    lines: list[list[str]] = []
    for row in rows:
        standing = result.standings[row.name]
        counts = [f"{row.counts[key]:,}" if row.counts else "" for key in ("evaluations", "macs", "bytes", "kernels")]
        ratio = standing.ratio
        spread = (
            ["1", ""] if ratio is None else [f"{ratio.median:.3f}", f"{ratio.low:.3f} to {ratio.high:.3f}{' (!)' if ratio.unclear else ''}"]
        )
        lines.append([row.name, *counts, f"{standing.median * 1e3:.2f}", *spread, row.answer])
    out = console()
    title = f"{graph.name}: {_moved(done)} of {len(done.decisions)} sites moved; {result.rounds} rounds of {result.runs} runs"
    out.print(title, markup=False)
    out.print(table(columns, lines, right=range(1, 7)))
    out.print("ratios are to the first row, round by round")
    out.print(f"the reordering's own merit, {VARIANTS[2]} against {VARIANTS[1]}: {result.ratio(VARIANTS[2], VARIANTS[1])}")
    out.print("* evaluations in the convolutional part, one an element")
    if any(s.ratio and s.ratio.unclear for s in result.standings.values()):
        out.print("(!) the spread exceeds the difference: this machine cannot tell the two apart")
