"""cnnc bench --layers: the paper's experiment, on this CPU.

As in its section 5, every layer is a kernel of its own, and the time of each activation layer in front of a pool is
compared with its time behind it: Table 1's theoretical and actual speed-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from cnnir.diagnostics import CnnirError, Diagnostic

from .console import console, emit_json, progress, table

if TYPE_CHECKING:
    from cnnir.decisions import Site
    from cnnir.ir.graph import Graph

Calls = list[tuple[tuple[str, ...], float]]


@dataclass(frozen=True)
class Row:
    """One site: elements the activation is evaluated on, and its median seconds, before and after; per-round ratios."""

    name: str
    elements: tuple[int, int]
    seconds: tuple[float, float]
    ratios: tuple[float, ...]

    @property
    def theoretical(self) -> float:
        """Elements before by elements after."""
        return self.elements[0] / self.elements[1]

    @property
    def actual(self) -> float:
        """The median of the ratios of time before to time after."""
        return median(self.ratios)


def bench_layers(graph: Graph, place: str, exactness: str, threads: int | None, conv: str, rounds: int, runs: int, as_json: bool) -> None:
    """Measure and print the table; raises CnnirError where the outputs of the two networks differ."""
    import cnnir
    from cnnir.feeds import random_feeds

    done = cnnir.optimize(graph, place=place, exactness=exactness)  # type: ignore[arg-type]  # click checked the choice
    programs = [cnnir.compile(g, threads=threads, fusion="none", conv=conv) for g in (graph, done.graph)]  # type: ignore[arg-type]  # click checked the choice
    feeds = random_feeds(graph.inputs, graph.ranges)
    outputs = [program(feeds) for program in programs]
    if exactness == "exact" and any((outputs[0][n] != outputs[1][n]).any() for n in outputs[0]):
        help = "not timed; where this is so after `cnnc sweep MODEL` too, it is a bug in cnnir"
        raise CnnirError(Diagnostic("C0603", "the reordered network's outputs differ from the original's", help=help))
    profiles: list[tuple[list[Calls], list[Calls]]] = []
    with progress("timing", rounds) as step:
        for _ in range(rounds):
            profiles.append(tuple([p.profile(feeds) for _ in range(runs + 1)][1:] for p in programs))  # type: ignore[arg-type]  # two programs
            step(1)
    sites = [d.site for d in done.decisions if d.verdict == "moved"]
    rows = [_row(graph, done.graph, i + 1, site, profiles) for i, site in enumerate(sites)]
    totals = {"activations": _ratio(profiles, _activations(graph)), "forward pass": _ratio(profiles, None)}
    _print(graph, rows, totals, rounds * runs, as_json)


def _row(before: Graph, after: Graph, number: int, site: Site, profiles: list[tuple[list[Calls], list[Calls]]]) -> Row:
    name = site.region[-1]
    seconds, ratios = _ratio(profiles, set(site.region))
    op = before[name].op.name
    return Row(f"{op}{number}", (before[name].type.elements, after[name].type.elements), seconds, ratios)


def _ratio(profiles: list[tuple[list[Calls], list[Calls]]], layers: set[str] | None) -> tuple[tuple[float, float], tuple[float, ...]]:
    """Median seconds (before, after) of these layers, or of everything, and the ratio of each round."""
    each = [tuple(median(_seconds(calls, layers) for calls in side) for side in turn) for turn in profiles]
    return (median(b for b, _ in each), median(a for _, a in each)), tuple(b / a for b, a in each)


def _seconds(calls: Calls, layers: set[str] | None) -> float:
    return sum(seconds for own, seconds in calls if layers is None or layers.intersection(own))


def _activations(graph: Graph) -> set[str]:
    from cnnir.ops.elementwise import Elementwise

    return {n.name for n in graph.layers() if isinstance(n.op, Elementwise) and n.op.activation and n.type.rank > 2}


def _print(graph: Graph, rows: list[Row], totals: Mapping[str, Any], count: int, as_json: bool) -> None:
    if as_json:
        records = [
            {"site": r.name, "elements": r.elements, "seconds": r.seconds, "theoretical": r.theoretical, "actual": r.actual} for r in rows
        ]
        sums = {name: {"seconds": seconds, "ratio": median(ratios)} for name, (seconds, ratios) in totals.items()}
        emit_json("bench-layers", {"name": graph.name, "runs": count, "sites": records, "totals": sums})
        return
    columns = ["", *(r.name for r in rows)]
    lines = [
        ["theoretical speed-up", *(f"{r.theoretical:.1f}" for r in rows)],
        ["actual speed-up", *(f"{r.actual:.1f}" for r in rows)],
        ["  least to greatest", *(f"{min(r.ratios):.1f} to {max(r.ratios):.1f}" for r in rows)],
        ["ms before", *(f"{r.seconds[0] * 1e3:.3f}" for r in rows)],
        ["ms after", *(f"{r.seconds[1] * 1e3:.3f}" for r in rows)],
    ]
    out = console()
    out.print(f"{graph.name}: activation layers in front of pools, every layer a kernel of its own ({count} runs)", markup=False)
    out.print(table(columns, lines, right=range(1, len(columns))))
    for name, (seconds, ratios) in totals.items():  # in Table 1's words: by almost 75 % for activations, 5 % in all
        saved = 1 - 1 / median(ratios)
        out.print(f"{name}: {seconds[0] * 1e3:.2f} ms before, {seconds[1] * 1e3:.2f} ms after: {saved:+.1%} of the time saved")
