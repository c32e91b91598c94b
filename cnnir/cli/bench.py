"""cnnc bench: before against after, on the clock and by count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from .console import console, emit_json, exactness_option, json_option, load_model, model_argument, place_option, progress, table, threads_option

if TYPE_CHECKING:
    from cnnir.api import Fusion
    from cnnir.backends.race import Standing
    from cnnir.backends.tvm.program import Program
    from cnnir.ir.graph import Graph

Outputs = Mapping[str, np.ndarray[Any, Any]]
VARIANTS = ("pool apart", "fused, unmoved", "fused, moved")
"""A pool as a kernel of its own; in its convolution's kernel, as written; there, and with what may move moved."""
PEER_TOLERANCE = 1e-3  # largest difference relative to the largest output; float32 sums in another order stay far below


@dataclass(frozen=True)
class Row:
    """One contestant: what it computes, and how far its outputs are from the first row's."""

    name: str
    program: Program | None
    evaluations: int | None
    outputs: Outputs


@click.command()
@model_argument
@place_option("always")
@exactness_option
@threads_option
@click.option("--rounds", type=click.IntRange(2), default=7, show_default=True, help="Turns each contestant gets.")
@click.option("--runs", type=click.IntRange(1), default=5, show_default=True, help="Timed runs a turn, after one thrown away.")
@click.option("--layers", is_flag=True, help="The paper's setting: every layer a kernel, activation time per site.")
@click.option("--against", default="", metavar="PEERS", help="Also race these: onnxruntime,openvino.")
@json_option
def command(
    model: str, place: str, exactness: str, threads: int | None, rounds: int, runs: int, layers: bool, against: str, as_json: bool
) -> None:
    """Time MODEL before and after reordering, in turns, outputs compared first.

    \b
    Example:
      cnnc bench vgg16.cnn
      cnnc bench vgg16.cnn --layers
      cnnc bench vgg16.cnn --against onnxruntime,openvino --threads 2
    """
    import cnnir

    graph = load_model(model)
    if layers:
        from .bench_layers import bench_layers

        bench_layers(graph, place, exactness, threads, rounds, runs, as_json)
        return
    done = cnnir.optimize(graph, place=place, exactness=exactness)  # type: ignore[arg-type]  # click checked the choice
    from cnnir.feeds import random_feeds

    feeds = random_feeds(graph.inputs, graph.ranges)
    rows = _compile(graph, done.graph, feeds, threads)
    moved = sum(d.verdict == "moved" for d in done.decisions)
    with _peers(graph, feeds, rows[0].program, against) as peers:
        standings = _race(rows, peers, feeds, rounds, runs)
        _report(graph, done.graph, rows, peers, standings, moved, len(done.decisions), rounds, runs, as_json)


def _compile(before: Graph, after: Graph, feeds: Outputs, threads: int | None) -> list[Row]:
    import cnnir
    from cnnir.work import activation_evaluations

    plans: list[tuple[str, Graph, Fusion]] = [(VARIANTS[0], before, "act"), (VARIANTS[1], before, "full"), (VARIANTS[2], after, "full")]
    rows: list[Row] = []
    with progress("compiling", len(plans)) as step:
        for name, graph, fusion in plans:
            program = cnnir.compile(graph, threads=threads, fusion=fusion)
            rows.append(Row(name, program, activation_evaluations(graph, convolutional=True), program(feeds)))
            step()
    return rows
