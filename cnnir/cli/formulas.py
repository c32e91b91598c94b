"""Formulas as people write them on the command line: `silu`, `leaky(0.1)`, `x * exp(-x)`, or all of a network."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .console import load_model

if TYPE_CHECKING:
    from cnnir.facts.lattice import Direction
    from cnnir.ops.elementwise import Elementwise
    from cnnir.passes.sweepable import Sweepable

DIRECTIONS = ("up", "down", "valley", "peak")


def read(text: str, dtype: str, direction: str | None, limits: tuple[float, float] | None) -> list[Sweepable]:
    """What to sweep; raises CnnirError where that is not known."""
    from cnnir.passes.sweepable import sweepable

    if text == "-" or text.endswith(".cnn") or Path(text).is_file():
        if direction is not None or limits is not None:
            raise click.UsageError("--range and --direction are for formulas: a model has its own")
        return sweepable(load_model(text))
    return [_formula(text, dtype, direction, limits)]


def _formula(text: str, dtype: str, direction: str | None, limits: tuple[float, float] | None) -> Sweepable:
    from cnnir.diagnostics import CnnirError, Diagnostic
    from cnnir.facts.precision import precision
    from cnnir.facts.upgrade import library, natural_range
    from cnnir.passes.sweepable import Sweepable
    from cnnir.scalar.expr import X, apply

    known, op = precision(dtype), _op(text, dtype)
    expr, names = op.formula(), library(op.formula())
    if limits is None and len(names) == 1 and expr == apply(names[0], X):
        natural = natural_range(names[0], known)
        limits = natural.lo, natural.hi
    found = Sweepable(text, expr, _named(direction), dtype)
    if limits is not None:
        found = replace(found, lo=limits[0], hi=limits[1])
    if direction is None:
        found = replace(found, direction=_derived(op, found))
        if found.direction.valley is None and found.direction.peak is None:
            where = f" on [{found.lo:g}, {found.hi:g}]" if limits else ""
            help = "say on which --range to look, or which --direction to expect"
            raise CnnirError(Diagnostic("C0518", f"no direction is known of `{text}`{where}: nothing to hold it to", help=help), 2)
    return found


def _op(text: str, dtype: str) -> Elementwise:
    """The layer that a text means: the name of one, or a formula in x."""
    import cnnir
    from cnnir.diagnostics import CnnirError, Diagnostic
    from cnnir.ops.elementwise import Elementwise

    activation, layer = (f"activation f(x) = {text}\n", "f") if re.search(r"\bx\b", text) else ("", text)
    graph = cnnir.parse(f"{activation}network n(x: {dtype}[1, 8]) {{ x -> {layer} }}", "<formula>")
    last = list(graph.layers())[-1]
    if len(graph) != 2 or not isinstance(last.op, Elementwise) or last.weights:
        raise CnnirError(Diagnostic("C0518", f"`{text}` is no formula of one variable", help="for instance `silu` or `x * exp(-x)`"), 2)
    return last.op


def _named(direction: str | None) -> Direction:
    from cnnir.facts import lattice

    known = {None: lattice.UNKNOWN, "up": lattice.UP, "down": lattice.DOWN, "valley": lattice.valley(), "peak": lattice.peak()}
    return known[direction]


def _derived(op: Elementwise, asked: Sweepable) -> Direction:
    """What is known of it for the finite numbers asked about."""
    from cnnir.analysis.derive import derive
    from cnnir.facts.fact import identity
    from cnnir.facts.interval import Interval
    from cnnir.facts.precision import precision

    known = precision(asked.dtype)
    domain = Interval(asked.lo, asked.hi, minus_zero=True).finite(known)
    return derive(op, [identity(domain)], {}, known).direction
