"""cnnc verify: every certificate checked again by code that shares nothing with the rewriter, and both networks run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .console import console, emit_json, exactness_option, json_option, load_model, model_argument, nan_option, place_option

if TYPE_CHECKING:
    from cnnir.checker.report import Check, CheckedDecision
    from cnnir.checker.runs import Runs
    from cnnir.checker.verification import Verification

_STYLE = {"confirmed": "green", "could not confirm": "yellow", "refuted": "red"}


@click.command()
@model_argument
@place_option("auto")
@exactness_option
@nan_option
@click.option("--runs", type=click.IntRange(0), default=8, show_default=True, help="Sets of adversarial and random data to run on.")
@click.option(
    "--target",
    type=click.Choice(["reference", "llvm"]),
    default="reference",
    show_default=True,
    help="Run by the NumPy reference; llvm: compiled as well.",
)
@json_option
def command(model: str, place: str, exactness: str, nan: str, runs: int, target: str, as_json: bool) -> int:
    """Optimize MODEL, check each proof by an independent checker, and compare the answers before and after.

    Exit code 1 where a proof is refuted or answers differ. What the checker can neither confirm nor refute is said.

    \b
    Example:
      cnnc verify vgg16.cnn --runs 2
      cnnc verify mine.cnn --place always --exactness ulp --target llvm
    """
    import cnnir

    graph = load_model(model)
    done = cnnir.verify(graph, place=place, exactness=exactness, nan=nan, runs=runs, target=target)  # type: ignore[arg-type]  # click checked
    if as_json:
        emit_json("verify", {"name": graph.name, **done.to_json()})
    else:
        _print(done)
    return 0 if done.ok else 1


def _print(done: Verification) -> None:
    from rich.text import Text

    out = console()
    for each in done.report.decisions:
        site = each.decision.site
        where = f"  ({site.span.location})" if site.span else ""
        out.print(Text.assemble((f"{each.verdict:18}", _STYLE[each.verdict]), f"{each.decision.law}: {site}{where}"))
        for line in _lines(each):
            out.print(Text(f"        {line}"))
    structure = done.report.structure
    words = structure.words or "undoing every move gives the network as written" if structure.verdict == "confirmed" else structure.words
    out.print(Text.assemble((f"{structure.verdict:18}", _STYLE[structure.verdict]), f"rewrites: {words}"))
    for runs in done.runs:
        _print_runs(runs)
    counts = {verdict: sum(each.verdict == verdict for each in done.report.decisions) for verdict in _STYLE}
    out.print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))


def _lines(each: CheckedDecision) -> list[str]:
    """What failed or stays open, each on its line; what holds, in one, channels that go alike together."""
    held: dict[str, list[Check]] = {}
    for check in each.checks:
        if check.verdict == "confirmed":
            held.setdefault(check.what, []).append(check)
    lines = [str(check) for check in each.checks if check.verdict != "confirmed"]
    return [*lines, f"found again: {', '.join(_together(checks) for checks in held.values())}"] if held else lines


def _together(checks: list[Check]) -> str:
    if len(checks) > 1:
        return f"{checks[0].what} ({len(checks)} kinds of channels)"
    return f"{checks[0].what} ({checks[0].words})" if checks[0].words else checks[0].what


def _print_runs(runs: Runs) -> None:
    from rich.text import Text

    out = console()
    left_out = f", {runs.skipped} left out, which break the contract" if runs.skipped else ""
    if runs.mismatch is not None:
        out.print(Text.assemble(("differ            ", "red"), f"{runs.runner}: {runs.mismatch}"))
    elif runs.compared:
        out.print(Text.assemble(("agree             ", "green"), f"{runs.runner}: {runs.compared} sets of data{left_out}"))
    else:
        out.print(Text.assemble(("not compared      ", "yellow"), f"{runs.runner}: no data{left_out}"))
