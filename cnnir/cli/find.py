"""cnnc find: where a pattern of layers occurs in a network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from .console import console, emit_json, json_option, load_model, model_argument, table

if TYPE_CHECKING:
    from cnnir.find.search import Part
    from cnnir.ir.graph import Layer


@click.command()
@click.argument("pattern", metavar="PATTERN")
@model_argument
@json_option
def command(pattern: str, model: str, as_json: bool) -> None:
    """Find runs of layers in MODEL that match PATTERN.

    \b
    Example:
      cnnc find 'CONV -> ACT -> POOL' vgg16.cnn
      cnnc find '[[CONV -> ACT]*N -> POOL?]*M' vgg16.cnn

    \b
    A pattern is made of
      CONV ACT POOL FC ANY     classes of layers
      relu maxpool mine        a layer by its name, or an activation by yours
      a -> b, a | b, [a -> b]  one after another, one of both, a group
      a?, a*, a*3              perhaps; any number of times; 3 times
      a*N                      any number of times, counted and reported as N
    Matches begin as early and go as far as they can, and do not overlap. They stay inside chains: a layer that has
    several inputs begins one, a value that has several readers ends one.
    """
    from cnnir.find.search import find
    from cnnir.frontends.pattern import parse

    wanted = parse(pattern)
    graph = load_model(model)
    matches = find(graph, wanted)
    if as_json:
        emit_json("find", {"name": graph.name, "pattern": pattern, "matches": [_json(match) for match in matches]})
        return
    rows = [row for number, match in enumerate(matches, start=1) for row in _rows(match, str(number), "")]
    out = console()
    if rows:
        out.print(table(["match", "counts", "layers", "from", "to", "at"], rows, right=(2,)))
    out.print(f"{len(matches)} match{'es' * (len(matches) != 1)}, {sum(len(m.layers) for m in matches)} layers")


def _rows(part: Part, title: str, indent: str) -> Iterator[tuple[str, ...]]:
    """A row for the part, and one for each iteration inside it that has something to say of its own."""
    counts = ", ".join(f"{r.name} = {len(r.iterations)}" for r in part.repetitions)
    first, last = part.layers[0], part.layers[-1]
    yield f"{indent}{title}", counts, str(len(part.layers)), first.name, last.name, _location(first)
    for repetition in part.repetitions:
        if any(iteration.repetitions for iteration in repetition.iterations):
            for number, iteration in enumerate(repetition.iterations, start=1):
                yield from _rows(iteration, f"{repetition.name} {number}", indent + "  ")


def _location(layer: Layer) -> str:
    return layer.origin.span.location if layer.origin.span else ""


def _json(part: Part) -> dict[str, Any]:
    """A part as JSON-able data."""
    layers = [{"name": layer.name, "op": layer.op.name, "location": _location(layer) or None} for layer in part.layers]
    return {
        "layers": layers,
        "counts": {r.name: len(r.iterations) for r in part.repetitions},
        "repetitions": [{"name": r.name, "iterations": [_json(i) for i in r.iterations]} for r in part.repetitions],
    }
