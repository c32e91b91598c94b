"""Which layers a state of the network has: `include { phase: TEST }` and its like (NetState in caffe.proto)."""

from __future__ import annotations

from dataclasses import dataclass

from .record import Record


@dataclass(frozen=True)
class State:
    """Phase, level and stages of a network."""

    phase: str = "TEST"
    level: int = 0
    stages: frozenset[str] = frozenset()

    @staticmethod
    def of(record: Record) -> State:
        """What a file says of itself; TEST, level 0 and no stage where it says nothing."""
        return State(record.text("phase"), record.whole("level"), frozenset(record.texts("stage")))


def included(layer: Record, state: State) -> bool:
    """Whether a layer is there: by any of its `include` rules, or else unless one of its `exclude` rules applies."""
    include = [*layer.records("include")]
    if include:
        return any(_applies(rule, state) for rule in include)
    return not any(_applies(rule, state) for rule in layer.records("exclude"))


def _applies(rule: Record, state: State) -> bool:
    return (
        ("phase" not in rule or rule.text("phase") == state.phase)
        and ("min_level" not in rule or state.level >= rule.whole("min_level"))
        and ("max_level" not in rule or state.level <= rule.whole("max_level"))
        and state.stages.issuperset(rule.texts("stage"))
        and state.stages.isdisjoint(rule.texts("not_stage"))
    )
