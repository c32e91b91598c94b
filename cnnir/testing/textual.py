"""Textual tests: a `.cnn` file whose first line says what to run, and the text that must come out beside it.

# RUN: place{place=always}
network n(x: f32[1, 4, 8, 8]) { x -> relu -> maxpool(2) }
"""

from __future__ import annotations

import re
from collections.abc import Iterator
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
_PASS = re.compile(r"\s*([a-z_][a-z_0-9-]*)\s*(?:\{([^{}]*)\})?\s*(?:,|$)")


@dataclass(frozen=True)
class Outcome:
    """What a textual test gives: the text to compare, and the networks, where the file is one."""

    text: str
    before: Graph | None = None
    after: Graph | None = None


def outcome(path: Path) -> Outcome:
    """Run the passes that a file names over its network.

    The text is the network afterwards and, as comments, what the passes decided and why; or the diagnostics.
    """
    content = path.read_text("utf-8")
    try:
        before = cnnir.parse(content, path.name)
        graph, lines = before, list[str]()
        for each in passes(content.splitlines()[0]):
            if isinstance(each, pipeline.Deciding):
                done = each.decide(graph)
                graph = done.graph
                lines += map(_line, done.decisions)
            else:
                graph = each(graph)
            verify(graph)
    except CnnirError as error:
        return Outcome(render(error.diagnostics) + "\n")
    return Outcome(dumps(graph) + "".join(f"{line}\n" for line in lines), before, graph)


def passes(line: str) -> Iterator[pipeline.Pass]:
    """The passes of a `# RUN:` line: names with options in braces, between commas. Raises ValueError."""
    text = line.removeprefix(RUN).strip()
    place = 0
    while place < len(text):
        found = _PASS.match(text, place)
        if found is None:
            raise ValueError(f"cannot read `{text[place:]}`: write `name{{option=value}}, name`")
        place = found.end()
        options = [option.partition("=") for option in (found.group(2) or "").split(",") if option.strip()]
        yield pipeline.make(found.group(1), **{key.strip(): value.strip() for key, _, value in options})


def _line(decision: Decision) -> str:
    condition = f"{decision.condition}: " if decision.condition else ""
    return f"# {decision.verdict} {decision.site}: {condition}{decision.reason}"
