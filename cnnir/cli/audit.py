"""cnnc audit: what somebody's optimizer reordered between two versions of a network, and whether it was right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .console import console, emit_json, exactness_option, json_option, load_model, shape_option

if TYPE_CHECKING:
    from cnnir.auditing.report import Audit, Reordering

_STYLE = {"proved": "green", "within a bound": "yellow", "wrong": "red", "not understood": "magenta"}


@click.command()
@click.argument("original", metavar="A")
@click.argument("optimized", metavar="B")
@shape_option
@exactness_option
@click.option("--runs", type=click.IntRange(0), default=8, show_default=True, help="Sets of adversarial and random data to run both on.")
@json_option
def command(original: str, optimized: str, exactness: str, runs: int, as_json: bool) -> int:
    """Compare a network A with B, which somebody has optimized: every layer that traded places with a pool, and the proof.

    Exit code 0 where every reordering is proved; with `--exactness ulp` also where it re-rounds within a known bound.

    \b
    Example:
      cnnc audit network.cnn optimized.cnn
      cnnc audit network.cnn optimized.cnn --exactness ulp --json
    """
    import cnnir

    done = cnnir.audit(load_model(original), load_model(optimized), runs)
    answers = exactness == "ulp" or done.runs.mismatch is None
    good = answers and done.acceptable("ulp" if exactness == "ulp" else "exact")
    if as_json:
        emit_json("audit", {"a": original, "b": optimized, "ok": good, **done.to_json()})
    else:
        _print(done)
    return 0 if good else 1


def _print(done: Audit) -> None:
    from rich.text import Text

    out = console()
    for each in done.reorderings:
        law = f"{each.law}: " if each.law else ""
        out.print(Text.assemble((f"{each.verdict:15}", _STYLE[each.verdict]), f"{law}{each.words}"))
        for line in _lines(each):
            out.print(Text(f"        {line}"))
    if not done.reorderings:
        out.print("the networks are the same")
    runs = done.runs
    if runs.mismatch is not None:
        out.print(Text(f"the answers differ: {runs.mismatch}"))
    else:
        left_out = f", {runs.skipped} left out" if runs.skipped else ""
        out.print(f"the answers agree on {runs.compared} sets of data{left_out}")
    counts = {verdict: sum(each.verdict == verdict for each in done.reorderings) for verdict in _STYLE}
    out.print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))


def _lines(each: Reordering) -> list[str]:
    lines = [each.reason]
    if each.verdict == "proved":
        lines.append({"E": "exact (E)", "C": "exact for a monotone library (C)"}[each.float_class])
    if each.bound is not None:
        lines.append(f"the two orders differ by at most {each.bound:.3g} there (U)")
    if each.witness is not None:
        window = ", ".join(f"{v:.9g}" for v in each.witness.window)
        shown = f"on the window [{window}]" if window else f"at {list(each.witness.index)}"
        lines.append(f"{shown} one order gives {each.witness.before:.9g}, the other {each.witness.after:.9g}")
    return lines
