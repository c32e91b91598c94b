"""Two orders of one network, compiled and raced."""

from __future__ import annotations

from cnnir.feeds import random_feeds
from cnnir.ir.graph import Graph

from ..race import Contestant, Ratio, race, time_calls
from .compile import compile_graph
from .targets import TargetSpec

ROUNDS, RUNS = 7, 3


def compare_speed(graph: Graph, other: Graph, spec: TargetSpec) -> Ratio:
    """The time of `other` by that of `graph` on random data of the declared ranges, on all cores.

    Raises CnnirError (exit code 3) where this machine cannot run the target.
    """
    feeds = random_feeds(graph.inputs, graph.ranges)

    def contestant(network: Graph) -> Contestant:
        program = compile_graph(network, spec)
        return time_calls(lambda: program(feeds))

    return race({"graph": contestant(graph), "other": contestant(other)}, ROUNDS, RUNS).ratio("other", "graph")
