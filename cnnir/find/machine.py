"""Pattern -> automaton. Its states are the words; from each, the words that may follow, in order of preference."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cnnir.diagnostics import CnnirError, Diagnostic

from .pattern import Choice, Pattern, Repeat, Sequence, Word

MAX_WORDS = 128
"""Most words of a pattern, counting those that `*3` writes out."""

ACCEPT = -1
Kind = Literal["enter", "begin", "end", "leave"]


@dataclass(frozen=True)
class Event:
    """A named repetition is entered, an iteration of it begins or ends, or it is left."""

    kind: Kind
    name: str


@dataclass(frozen=True)
class Step:
    """From one word to another, or to the end of the pattern (`ACCEPT`), through these events."""

    target: int
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Machine:
    """`follow[i]` are the steps after word i, the preferred ones first; the last entry is for the beginning."""

    words: tuple[str, ...]
    follow: tuple[tuple[Step, ...], ...]


@dataclass
class _Node:
    """A state of the construction: reads a word, or passes on freely, perhaps with an event."""

    word: str | None = None
    event: Event | None = None
    targets: list[int] = field(default_factory=list[int])


def machine(pattern: Pattern) -> Machine:
    """The automaton of a pattern; raises CnnirError (exit code 2) where it is too large."""
    made = _Construction()
    accept = made.node()
    first = made.build(pattern, accept)
    reading = [i for i, node in enumerate(made.nodes) if node.word is not None]
    number = {node: i for i, node in enumerate(reading)} | {accept: ACCEPT}
    entries = [*(made.nodes[i].targets[0] for i in reading), first]
    follow = tuple(made.steps(entry, number) for entry in entries)
    return Machine(tuple(made.nodes[i].word or "" for i in reading), follow)


class _Construction:
    """Thompson's construction, from the end to the beginning."""

    def __init__(self) -> None:
        self.nodes: list[_Node] = []
        self._words = 0

    def node(self, *targets: int, word: str | None = None, event: Event | None = None) -> int:
        """A new state."""
        self.nodes.append(_Node(word, event, list(targets)))
        if len(self.nodes) > 10 * MAX_WORDS:
            raise CnnirError(Diagnostic("C0105", f"the pattern is too large: more than {MAX_WORDS} words once written out"), 2)
        return len(self.nodes) - 1

    def build(self, pattern: Pattern, after: int) -> int:
        """The entry of a pattern that goes on with the state `after`."""
        if isinstance(pattern, Word):
            self._words += 1
            if self._words > MAX_WORDS:
                raise CnnirError(Diagnostic("C0105", f"the pattern is too large: more than {MAX_WORDS} words once written out"), 2)
            return self.node(after, word=pattern.text)
        if isinstance(pattern, Sequence):
            for item in reversed(pattern.items):
                after = self.build(item, after)
            return after
        if isinstance(pattern, Choice):
            return self.node(*(self.build(item, after) for item in pattern.items))
        return self._repeat(pattern, after)

    def _repeat(self, pattern: Repeat, after: int) -> int:
        if pattern.most is not None:
            for _ in range(pattern.most - pattern.least):
                after = self.node(self.build(pattern.body, after), after)
            for _ in range(pattern.least):
                after = self.build(pattern.body, after)
            return after
        loop = self.node()
        if not pattern.name:
            self.nodes[loop].targets = [self.build(pattern.body, loop), after]
            return loop

        def event(kind: Kind, target: int) -> int:
            return self.node(target, event=Event(kind, pattern.name))

        body = self.build(pattern.body, event("end", loop))
        self.nodes[loop].targets = [event("begin", body), event("leave", after)]
        return event("enter", loop)

    def steps(self, entry: int, number: dict[int, int]) -> tuple[Step, ...]:
        """The words reached without reading, each once, by its most preferred way; an empty iteration is never gone through."""
        found: list[Step] = []
        seen: set[int] = set()
        pending: list[tuple[int, tuple[Event, ...]]] = [(entry, ())]
        while pending:
            place, events = pending.pop()
            if place in seen:
                continue
            seen.add(place)
            node = self.nodes[place]
            if place in number:
                found.append(Step(number[place], events))
                continue
            passed = (*events, node.event) if node.event else events
            pending.extend((target, passed) for target in reversed(node.targets))
        return tuple(found)
