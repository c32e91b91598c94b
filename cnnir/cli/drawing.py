"""A network as a drawing for other programs: Graphviz's dot, and Mermaid. Names may hold any character."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Records = Sequence[Mapping[str, Any]]


def dot(name: str, layers: Records) -> str:
    """A Graphviz digraph."""
    nodes = [f"  n{i} [label={_quoted(printed(r['name']))[:-1]}\\n{_quoted(r['type'])[1:]}]" for i, r in enumerate(layers)]
    edges = [f"  n{source} -> n{target}" for source, target in _edges(layers)]
    return "\n".join([f"digraph {_quoted(printed(name))} {{", "  node [shape=box, fontname=sans]", *nodes, *edges, "}"])


def mermaid(name: str, layers: Records) -> str:
    """A Mermaid flowchart."""
    nodes = [f'  n{i}["{_entities(r["name"])}<br/>{_entities(r["type"])}"]' for i, r in enumerate(layers)]
    edges = [f"  n{source} --> n{target}" for source, target in _edges(layers)]
    return "\n".join(["flowchart TD", f"  %% {' '.join(printed(name).split())}", *nodes, *edges])


def _edges(layers: Records) -> Iterator[tuple[int, int]]:
    number = {r["name"]: i for i, r in enumerate(layers)}
    for target, record in enumerate(layers):
        for source in record["inputs"]:
            yield number[source], target


def printed(text: str) -> str:
    """Text without line ends and without what cannot be seen."""
    from cnnir.render import printable

    return printable(text).replace("\n", "\ufffd")


def _quoted(text: str) -> str:
    """A dot string in which backslashes are themselves."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _entities(text: str) -> str:
    """What means something to Mermaid or to HTML as character codes."""
    return "".join(c if c.isalnum() or c in " _-./,:" else f"#{ord(c)};" for c in printed(text))
