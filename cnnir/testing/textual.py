"""Textual tests: a `.cnn` file whose first line says what to run, and the text that must come out beside it.

# RUN: place{place=always}
network n(x: f32[1, 4, 8, 8]) { x -> relu -> maxpool(2) }
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cnnir
from cnnir import pipeline
from cnnir.decisions import Decision
from cnnir.diagnostics import CnnirError
from cnnir.ir.graph import Graph
from cnnir.ir.text import dumps
from cnnir.ir.verify import verify
from cnnir.render import render

RUN = "# RUN:"


@dataclass(frozen=True)
class Outcome:
    """What a textual test gives: the text to compare, and the networks, where the file is one."""

    text: str
    before: Graph | None = None
    after: Graph | None = None
    bounds: tuple[float, ...] = ()
    """Of each move that re-rounds: how far apart it may take the answers at its site."""


def outcome(path: Path) -> Outcome:
    """Run the passes that a file names over its network.

    The text is the network afterwards and, as comments, what the passes decided and why; or the network's diagnostics.
    Raises CnnirError where the first line names no passes.
    """
    content = path.read_text("utf-8")
    wanted = passes(content.splitlines()[0], path.name)
    try:
        before = cnnir.parse(content, path.name)
        graph, lines, bounds = before, list[str](), list[float]()
        for each in wanted:
            if isinstance(each, pipeline.Deciding):
                done = each.decide(graph)
                graph = done.graph
                lines += map(_line, done.decisions)
                bounds += [d.bound for d in done.decisions if d.verdict == "moved" and d.bound is not None]
            else:
                graph = each(graph)
            verify(graph)
    except CnnirError as error:
        return Outcome(render(error.diagnostics) + "\n")
    return Outcome(dumps(graph) + "".join(f"{line}\n" for line in lines), before, graph, tuple(bounds))


def passes(line: str, name: str = "<string>") -> list[pipeline.Pass]:
    """The passes of a `# RUN:` line, in the language of `cnnc opt -p`. Raises CnnirError."""
    from cnnir.frontends.pipeline import parse

    named = parse(" " * len(RUN) + line.removeprefix(RUN), name)  # blanks, so that diagnostics point into the file
    return [each for _, each in pipeline.make_all(named).values()]


def _line(decision: Decision) -> str:
    condition = f"{decision.condition}: " if decision.condition else ""
    return f"# {decision.verdict} {decision.site}: {condition}{decision.reason}"
