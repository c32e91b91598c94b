"""Every place where a pattern matches: leftmost, longest, not overlapping; in time proportional to the layers.

Backwards over a chain, the farthest end that each word of the pattern can reach is written down once; forwards, a match
is read off without ever trying twice. No pattern makes this slow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnir.ir.graph import Graph, Layer

from .chains import chains
from .labels import check_words, labels
from .machine import ACCEPT, Event, Machine, machine
from .pattern import Pattern

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Part:
    """A run of layers that matched the pattern, or one iteration of a named repetition, with the repetitions inside it."""

    layers: tuple[Layer, ...]
    repetitions: tuple[Repetition, ...] = ()


@dataclass(frozen=True)
class Repetition:
    """A named repetition: `N` and its iterations."""

    name: str
    iterations: tuple[Part, ...]


@dataclass
class _Open:
    """A part that is being read off: where it began, and what was found inside."""

    start: int
    name: str = ""
    parts: list[Part] = field(default_factory=list[Part])
    repetitions: list[Repetition] = field(default_factory=list[Repetition])


def find(graph: Graph, pattern: Pattern) -> list[Part]:
    """Every match in `graph`; raises CnnirError (exit code 2) where a word means no layer."""
    lines = chains(graph)
    named = {layer.name: labels(graph, layer) for line in lines for layer in line}
    check_words(pattern, frozenset[str]().union(*named.values()))
    automaton = machine(pattern)
    allowed = {words: np.array([w in words for w in automaton.words]) for words in set(named.values())}
    return [match for line in lines for match in _matches(automaton, line, [allowed[named[layer.name]] for layer in line])]


def _matches(automaton: Machine, line: list[Layer], allowed: list[Array]) -> Iterator[Part]:
    ends = _ends(automaton, allowed)
    first = [step.target for step in automaton.follow[-1] if step.target != ACCEPT]
    best = ends[:, first].max(axis=1, initial=-1) if first else np.full(len(line) + 1, -1)
    place = 0
    while place < len(line):
        end = int(best[place])
        if end > place:
            yield _read(automaton, line, ends, place, end)
        place = max(place + 1, end)


def _ends(automaton: Machine, allowed: list[Array]) -> Array:
    """[layer, word] -> the farthest end of a match that reads this layer as this word, or -1."""
    count = len(automaton.words)
    follows = np.zeros((count, count), bool)
    final = np.zeros(count, bool)
    for word in range(count):
        for step in automaton.follow[word]:
            if step.target == ACCEPT:
                final[word] = True
            else:
                follows[word, step.target] = True
    ends = np.full((len(allowed) + 1, count), -1, np.int32)
    for place in range(len(allowed) - 1, -1, -1):
        if allowed[place].any():
            reached = np.where(follows, ends[place + 1], -1).max(axis=1, initial=-1)
            reached = np.maximum(reached, np.where(final, place + 1, -1))
            ends[place] = np.where(allowed[place], reached, -1)
    return ends


def _read(automaton: Machine, line: list[Layer], ends: Array, start: int, end: int) -> Part:
    """The match from `start` to `end`, along the most preferred way that gets there."""
    stack = [_Open(start)]
    state = len(automaton.words)
    for place in range(start, end + 1):
        for step in automaton.follow[state]:
            if place == end if step.target == ACCEPT else place < end and ends[place, step.target] == end:
                for event in step.events:
                    _happen(stack, event, line, place)
                state = step.target
                break
    return Part(tuple(line[start:end]), tuple(stack[0].repetitions))


def _happen(stack: list[_Open], event: Event, line: list[Layer], place: int) -> None:
    """Take note of an event in front of layer `place`."""
    if event.kind in ("enter", "begin"):
        stack.append(_Open(place, event.name))
        return
    closed = stack.pop()
    if event.kind == "end":
        stack[-1].parts.append(Part(tuple(line[closed.start : place]), tuple(closed.repetitions)))
    else:
        stack[-1].repetitions.append(Repetition(event.name, tuple(closed.parts)))
