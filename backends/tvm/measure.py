"""Two orders of one network, compiled and raced; the answer is kept, and found again by both networks, target and cores."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from cnnir import records
from cnnir.feeds import random_feeds
from cnnir.ir.fingerprint import fingerprint
from cnnir.ir.graph import Graph

from ..race import Contestant, Ratio, race, time_calls
from .compile import compile_graph
from .libraries import sources
from .sweep.environment import Environment
from .targets import TargetSpec

ROUNDS, RUNS = 7, 3
RECORDS = "orders"


def compare_speed(graph: Graph, other: Graph, spec: TargetSpec) -> Ratio:
    """The time of `other` by that of `graph` on random data of the declared ranges, on all cores.

    Raises CnnirError (exit code 3) where this machine cannot run the target.
    """
    parts = None if spec.kind != "llvm" else _parts(graph, other, spec)
    known = None if parts is None else _read(records.lookup(RECORDS, parts))
    if known is not None:
        return known
    feeds = random_feeds(graph.inputs, graph.ranges)

    def contestant(network: Graph) -> Contestant:
        program = compile_graph(network, spec)
        return time_calls(lambda: program(feeds))

    ratio = race({"graph": contestant(graph), "other": contestant(other)}, ROUNDS, RUNS).ratio("other", "graph")
    if parts is not None:
        records.keep(RECORDS, parts, asdict(ratio))
    return ratio


def _parts(graph: Graph, other: Graph, spec: TargetSpec) -> list[str] | None:
    """None for a target that the compiler does not know, which says so itself."""
    try:
        environment = Environment.examined(spec)
    except ValueError:
        return None
    cores = len(os.sched_getaffinity(0))
    versions = [*map("=".join, environment.versions), sources()]
    return [environment.target, *versions, f"threads={cores}", fingerprint(graph), fingerprint(other)]


def _read(found: Mapping[str, Any] | None) -> Ratio | None:
    if found is None:
        return None
    try:
        return Ratio(float(found["median"]), float(found["low"]), float(found["high"]), int(found["n"]))
    except (KeyError, TypeError, ValueError):
        return None
