"""Passes by name, and the runner that verifies the network after each of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, runtime_checkable

from .decisions import Optimized
from .ir.graph import Graph
from .ir.verify import verify

Pass = Callable[[Graph], Graph]


@runtime_checkable
class Deciding(Protocol):
    """A pass that can say what it decided."""

    def decide(self, graph: Graph) -> Optimized:
        """The network afterwards, and the decisions."""
        ...


PassFactory = Callable[..., Pass]

PASSES: Mapping[str, str] = {
    "place": "cnnir.passes.place:PlacePass",
}
"""Name -> `module:factory`, imported when asked for; a factory takes the pass's options by name."""


def make(name: str, **options: object) -> Pass:
    """The pass called `name` with these options; raises KeyError for a name that is not registered."""
    module, factory = PASSES[name].split(":")
    made: PassFactory = getattr(importlib.import_module(module), factory)
    return made(**options)


def run(graph: Graph, passes: Iterable[Pass]) -> Graph:
    """The network after all passes, verified before the first and after each; raises CnnirError where one breaks it."""
    verify(graph)
    for each in passes:
        graph = each(graph)
        verify(graph)
    return graph
