"""cnnc check: what may move, what may not, and why. Imports no compiler and draws no weights it does not need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .console import console, emit_json, exactness_option, json_option, load_model, model_argument, nan_option, place_option, table
from .decisions import decision_json, proof
from .decisions import place as place_of

if TYPE_CHECKING:
    from cnnir.decisions import Decision
    from cnnir.facts.evidence import Evidence
    from cnnir.ir.graph import Graph

_STYLE = {"moved": "green", "kept": "yellow", "refused": "red"}


def _choose_form(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """`cnnc check --format F` is `cnnc --format F check`."""
    del parameter
    if value is not None:
        ctx.find_root().params["form"] = value


@click.command()
@model_argument
@place_option("auto")
@exactness_option
@nan_option
@click.option("--proofs/--no-proofs", default=True, show_default=True, help="Print the proof or witness under each site.")
@click.option(
    "--format",
    type=click.Choice(["text", "json", "github"]),
    expose_value=False,
    callback=_choose_form,
    help="The form of what is wrong, as in `cnnc --format`.",
)
@json_option
def command(model: str, place: str, exactness: str, nan: str, proofs: bool, as_json: bool) -> None:
    """Prove what may move in MODEL, and give the reason where something may not.

    \b
    Example:
      cnnc check vgg16.cnn
      cnnc check mine.cnn --exactness ulp --json
    """
    from cnnir.api import evidence
    from cnnir.passes.place import place as place_regions

    graph, known = load_model(model), evidence()
    # `measure` settles what is legal with a clock, which a check has no use for: what may move is the same.
    done = place_regions(graph, "auto" if place == "measure" else place, exactness, nan=nan, evidence=known)  # type: ignore[arg-type]  # click checked
    activations = _activations(graph, known)
    if as_json:
        records = [{"activation": n, "layers": c, "facts": f} for n, c, f in activations]
        emit_json("check", {"name": graph.name, "activations": records, "decisions": [decision_json(d) for d in done.decisions]})
        return
    out = console()
    inputs = ", ".join(f"{n}: {t}" for n, t in graph.inputs.items())
    out.print(
        f"network {graph.name}({inputs}) -> {', '.join(map(str, graph.outputs.values()))}: {len(graph)} layers, well typed", markup=False
    )
    if activations:
        rows = [(n, str(c), f) for n, c, f in activations]
        out.print(table(["activation", "layers", "facts on the range that reaches it"], rows, right=(1,)))
    _print_decisions(done.decisions, graph, proofs)


def _print_decisions(decisions: tuple[Decision, ...], graph: Graph, proofs: bool) -> None:
    from rich.text import Text

    out = console()
    if not decisions:
        out.print("no pool has an elementwise layer in front of it: nothing to move")
    for decision in decisions:
        where = place_of(decision, graph)
        line = Text.assemble((f"{decision.verdict:8}", _STYLE[decision.verdict]), str(decision.site), f"  ({where})" if where else "")
        out.print(line)
        out.print(Text(f"        {decision.reason}"))
        if proofs:
            for detail in proof(decision):
                out.print(Text(f"        {detail}"))
    counts = {v: sum(d.verdict == v for d in decisions) for v in _STYLE}
    if decisions:
        out.print(", ".join(f"{n} {v}" for v, n in counts.items()))


def _activations(graph: Graph, known: Evidence) -> list[tuple[str, int, str]]:
    """Each kind of parameterless activation in the network: its spelling, how often, and its facts on the widest range."""
    from cnnir.analysis.derive import derive
    from cnnir.facts.describe import describe
    from cnnir.facts.fact import identity
    from cnnir.facts.interval import unknown
    from cnnir.facts.precision import precision
    from cnnir.facts.upgrade import support, upgraded
    from cnnir.ir.text import spell
    from cnnir.ops.elementwise import Elementwise

    count: dict[str, int] = {}
    facts: dict[str, str] = {}
    for layer in graph.layers():
        op = layer.op
        if not isinstance(op, Elementwise) or not op.activation or layer.weights or not layer.type.is_float:
            continue
        name = spell(op)
        count[name] = count.get(name, 0) + 1
        if name not in facts:
            numbers = precision(layer.type.dtype)
            data = unknown(numbers)
            fact = derive(op, [identity(data)], {}, numbers)
            facts[name] = describe(upgraded(fact, data, support(op.formula(), fact, data, numbers, known)))
    return [(name, count[name], facts[name]) for name in count]
