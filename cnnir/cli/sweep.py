"""cnnc sweep: activations as compiled, on every input there is; what is found is kept, and proofs cite it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from .console import console, emit_json, json_option, progress, table
from .formulas import DIRECTIONS, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnir.backends.tvm.sweep.cache import Entry
    from cnnir.backends.tvm.targets import TargetSpec
    from cnnir.facts.evidence import Swept
    from cnnir.passes.sweepable import Sweepable


@click.command()
@click.argument("formulas", nargs=-1, metavar="FORMULA...|MODEL.cnn")
@click.option("--target", default="llvm", show_default=True, help="llvm or 'llvm -mcpu=haswell'; this machine must be able to run it.")
@click.option(
    "--dtype", type=click.Choice(["f32", "f16", "bf16"]), default="f32", show_default=True, help="Of formulas; a model has its own."
)
@click.option("--range", "limits", nargs=2, type=float, default=None, metavar="LO HI", help="Only numbers in [LO, HI].  [default: all]")
@click.option("--direction", type=click.Choice(DIRECTIONS), default=None, help="What to hold it to.  [default: what is known of it]")
@click.option("--again", is_flag=True, help="Sweep what is in the cache once more.")
@click.option("--list", "listing", is_flag=True, help="Show what is in the cache, and sweep nothing.")
@json_option
def command(
    formulas: Sequence[str], target: str, dtype: str, limits: tuple[float, float] | None, direction: str | None, again: bool,
    listing: bool, as_json: bool,
) -> None:  # fmt: skip
    """Run activations, as compiled, on every number of their type in increasing order, and count where they break their direction.

    \b
    Example:
      cnnc sweep silu gelu exp
      cnnc sweep 'exp(x) / (1 + exp(x))' --range 0 10 --direction up
      cnnc sweep vgg16.cnn                  what the proofs about its pools rest on
      cnnc sweep --list

    What is found is kept for this CPU and these versions. From then on the proofs of `cnnc check` and the rest cite it: class C is
    exact as compiled, and no longer on an assumption; and where a formula breaks its direction they know how far.
    """
    from cnnir.backends.tvm.sweep.cache import entries
    from cnnir.backends.tvm.targets import parse_target

    if listing == bool(formulas):
        raise click.UsageError("give formulas or a model, or --list")
    if limits is not None and not limits[0] <= limits[1]:
        raise click.BadParameter("LO must not be greater than HI", param_hint="--range")
    if listing:
        _show([(e, False) for e in entries()], as_json)
        return
    spec = parse_target(target)
    asked = [one for text in formulas for one in read(text, dtype, direction, limits)]
    found = [_swept(one, spec, again) for one in asked]
    if not found and not as_json:
        console().print("nothing to sweep: every region next to a pool is exact on every target (class E), or has no known direction")
        return
    _show(found, as_json)


def _swept(asked: Sweepable, spec: TargetSpec, again: bool) -> tuple[Entry, bool]:
    """The sweep, and whether it is a new one."""
    from cnnir.backends.tvm.sweep.cache import Cache, Entry, keep
    from cnnir.backends.tvm.sweep.measure import sweep
    from cnnir.backends.tvm.sweep.order import Order
    from cnnir.facts.interval import Interval
    from cnnir.facts.precision import precision

    domain = Interval(asked.lo, asked.hi, minus_zero=True)
    known = None if again else Cache(spec).lookup(asked.expr, asked.dtype, asked.direction, domain)
    if known is not None and known.shown(domain) <= asked.direction.within(asked.lo, asked.hi):
        return Entry(asked.name, known), False
    start, stop = Order(precision(asked.dtype)).span(asked.lo, asked.hi)
    with progress(f"{asked.name}, {asked.dtype}", stop - start) as step:
        found = sweep(asked.expr, asked.direction, asked.dtype, spec, asked.lo, asked.hi, step)
    keep(asked.expr, found)
    return Entry(asked.name, found), True


def _show(found: Sequence[tuple[Entry, bool]], as_json: bool) -> None:
    if as_json:
        emit_json("sweep", {"sweeps": [_record(entry, new) for entry, new in found]})
        return
    rows = [(e.formula, *_cells(e.swept), f"{e.swept.seconds:.1f} s{'' if new else ' (cached)'}") for e, new in found]
    columns = ["formula", "held to", "inputs", "range", "violations", "first", "NaN", "bound", "time"]
    console().print(table(columns, rows, right=(2, 4, 7, 8)))
    for target in sorted({e.swept.target for e, _ in found}):
        console().print(f"as compiled for {target}")


def _cells(swept: Swept) -> list[str]:
    limits = "all" if math.isinf(swept.lo) and math.isinf(swept.hi) else f"[{swept.lo:.6g}, {swept.hi:.6g}]"
    first = "" if swept.first is None else f"{swept.first[0]:.9g}, {swept.first[1]:.9g}"
    nan = (
        "" if swept.nan is None else f"{swept.nan[0]:.9g}" if swept.nan[0] == swept.nan[1] else f"{swept.nan[0]:.9g} to {swept.nan[1]:.9g}"
    )
    bound = "0" if swept.bound == 0 else f"{swept.bound:.3g}"
    return [_direction(swept), f"{swept.inputs:,} {swept.dtype}", limits, f"{swept.violations:,}", first, nan, bound]


def _direction(swept: Swept) -> str:
    """In a word, with the place where it turns."""
    from cnnir.facts.lattice import name

    turn = swept.direction.valley or swept.direction.peak
    word, turns = name(swept.direction).partition("(")[::2]
    return f"{word} at {turn.until:.6g}" if turns and turn is not None else word


def _record(entry: Entry, new: bool) -> dict[str, Any]:
    from cnnir.facts.lattice import name

    swept = entry.swept
    return {
        "formula": entry.formula,
        "direction": name(swept.direction),
        "dtype": swept.dtype,
        "target": swept.target,
        "range": [_number(swept.lo), _number(swept.hi)],
        "inputs": swept.inputs,
        "violations": swept.violations,
        "first": swept.first and [_number(x) for x in swept.first],
        "nan": swept.nan and [_number(x) for x in swept.nan],
        "bound": _number(swept.bound),
        "versions": dict(swept.versions),
        "seconds": swept.seconds,
        "new": new,
    }


def _number(value: float) -> float | str:
    """JSON has no infinities."""
    return value if math.isfinite(value) else str(value)
