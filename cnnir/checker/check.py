"""Checking a rewritten network: every move is taken back, the last first, and looked at where it was made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cnnir.decisions import Decision
from cnnir.diagnostics import CnnirError, OpError
from cnnir.ir.graph import Graph, Value
from cnnir.ir.verify import verify

from . import averages, cascades, order
from .cascades import op_then
from .conditions import Place
from .function import NotAFunction
from .report import Check, CheckedDecision, Report, confirmed, refuted, unconfirmed
from .undo import NotSo, Undone, Unknown, difference, undo, undo_cascade


@dataclass(frozen=True)
class Step:
    """A move between two networks: the value of the site before and after it."""

    decision: Decision
    before: Graph
    was: Value
    after: Graph
    now: Value


@dataclass(frozen=True)
class Checked:
    """The report, and the moves one by one, the first first, as far back as they could be taken."""

    report: Report
    steps: tuple[Step, ...]


def check(before: Graph, after: Graph, decisions: Sequence[Decision]) -> Checked:
    """Whether `after` is `before` with exactly the rewrites that were decided, and whether each of them is right."""
    current: Graph | None = after
    found: list[CheckedDecision] = []
    steps: list[Step] = []
    structure: Check | None = None
    for number, decision in reversed([*enumerate(decisions)]):
        if decision.verdict == "refused":
            continue
        if current is None:
            checks = [unconfirmed("move", "a later one could not be taken back")]
        elif decision.verdict == "kept":
            checks = [*_looked_at(Place(current, decision), Undone(Value("")), current)]
        else:
            earlier = current.copy()
            try:
                undone = _undone(earlier, before, decisions[:number], decision)
            except (NotSo, Unknown, OpError, CnnirError) as error:
                make = unconfirmed if isinstance(error, Unknown) else refuted
                structure = make("rewrites", f"{decision.site}: {error}")
                checks, current = [structure], None
            else:
                behind = decision.site.behind
                was, now = (undone.result, Value(decision.site.pool)) if behind else (Value(decision.site.pool), undone.result)
                steps.append(Step(decision, earlier, was, current, now))
                place = Place(current if behind else earlier, decision)
                checks, current = [confirmed("move"), *_looked_at(place, undone, current)], earlier
        found.append(CheckedDecision(decision, tuple(checks)))
    if structure is None:
        differs = difference(before, current) if current is not None else None
        structure = refuted("rewrites", f"besides the moves, {differs}") if differs else confirmed("rewrites")
    return Checked(Report(structure, tuple(reversed(found))), tuple(reversed(steps)))


def _undone(graph: Graph, before: Graph, earlier: Sequence[Decision], decision: Decision) -> Undone:
    if decision.law != "cascade":
        undone = undo(graph, decision)
    else:
        names = [*decision.site.region[:1], decision.site.pool]
        ops = [op_then(before, earlier, name) for name in names]
        if len(ops) != 2 or ops[0] is None or ops[1] is None:
            raise Unknown("the checker cannot tell which two pools they were")
        undone = undo_cascade(graph, decision, ops[0], ops[1])
    verify(graph)
    return undone


def _looked_at(place: Place, undone: Undone, after: Graph) -> Iterator[Check]:
    law, certificate = place.decision.law, place.decision.certificate
    if certificate is None:
        yield refuted("certificate", "there is none")
        return
    if certificate.law != law or (certificate.region and certificate.region != place.decision.site.region):
        yield refuted("certificate", "it is about something else")
    try:
        if law in ("up", "down", "channel", "valley"):
            yield from order.check(place, undone.mask)
        elif law == "cascade":
            yield from cascades.check(place, after)
        elif law in _OTHERS:
            yield from _OTHERS[law](place)
        else:
            yield unconfirmed("law", f"the checker does not know `{law}`")
    except (NotAFunction, KeyError, IndexError) as error:
        yield refuted("elementwise", str(error))


_OTHERS = {"affine": averages.affine, "pointwise": averages.pointwise, "concat": averages.concat}
