"""The structure of a graph, looked at before any node is: names, producers, cycles, nesting. Iterative, linear."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from heapq import heapify, heappop, heappush

from onnx import GraphProto

from cnnir.diagnostics import CnnirError, Diagnostic, Span
from cnnir.ir.subgraphs import captured, subgraphs

from .extents import DEEPEST
from .problems import Problems, diagnostic, refuse


def check_depth(graph: GraphProto, span: Span) -> None:
    """Raise CnnirError where graphs are nested too deep."""
    pending = [(graph, 0)]
    while pending:
        inner, depth = pending.pop()
        if depth > DEEPEST:
            raise refuse("C0810", f"graphs are nested more than {DEEPEST} deep", span)
        pending.extend((g, depth + 1) for node in inner.node for g in subgraphs(node))


def ordered(graph: GraphProto, outer: Collection[str], spans: Sequence[Span]) -> list[int]:
    """The nodes, producers first, otherwise as written; raises CnnirError for everything wrong with names and edges.

    `outer` are names from around the graph; `spans` the places of its nodes.
    """
    problems = Problems()
    makers = _makers(graph, problems, spans)
    given = {
        *outer,
        *(i.name for i in graph.input),
        *(t.name for t in graph.initializer),
        *(t.values.name for t in graph.sparse_initializer),
    }
    waits: list[int] = []
    readers: dict[int, list[int]] = {}
    for number, node in enumerate(graph.node):
        needed: set[int] = set()
        for name in [*filter(None, node.input), *captured(node)]:
            if name in makers:
                needed.add(makers[name])
            elif name not in given:
                problems.found.append(diagnostic("C0305", f"there is no value `{name}`", spans[number], remark="is read here"))
        waits.append(len(needed))
        for other in needed:
            readers.setdefault(other, []).append(number)
    for output in graph.output:
        if output.name not in makers and output.name not in given:
            problems.found.append(Diagnostic("C0305", f"nothing makes the output `{output.name}`", help="every output is made by a node"))
    problems.finish()
    return _sorted(waits, readers, graph, spans)


def _makers(graph: GraphProto, problems: Problems, spans: Sequence[Span]) -> dict[str, int]:
    taken = {i.name for i in graph.input} | {t.name for t in graph.initializer}
    for kind, names in (("input", [i.name for i in graph.input]), ("initializer", [t.name for t in graph.initializer])):
        if len(set(names)) != len(names):
            twice = next(n for n in names if names.count(n) > 1)
            problems.found.append(Diagnostic("C0306", f"two {kind}s are called `{twice}`", help="names of values are given once"))
    makers: dict[str, int] = {}
    for number, node in enumerate(graph.node):
        for name in filter(None, node.output):
            if name in makers or name in taken:
                problems.found.append(
                    diagnostic("C0306", f"the name `{name}` is taken", spans[number], help="names of values are given once")
                )
            makers.setdefault(name, number)
    return makers


def _sorted(waits: list[int], readers: dict[int, list[int]], graph: GraphProto, spans: Sequence[Span]) -> list[int]:
    ready = [n for n, count in enumerate(waits) if not count]
    heapify(ready)
    found: list[int] = []
    while ready:
        number = heappop(ready)
        found.append(number)
        for reader in readers.get(number, ()):
            waits[reader] -= 1
            if not waits[reader]:
                heappush(ready, reader)
    if len(found) < len(graph.node):
        cyclic = [n for n, count in enumerate(waits) if count]
        raise CnnirError(diagnostic("C0302", f"{len(cyclic)} nodes depend on themselves", spans[cyclic[0]], remark="is one of them"))
    return found
