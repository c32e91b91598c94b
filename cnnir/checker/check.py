"""Checking a rewritten network: every move is taken back, the last first, and looked at where it was made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cnnir.decisions import Decision
from cnnir.diagnostics import CnnirError, OpError
from cnnir.ir.graph import Graph, Value
from cnnir.ir.verify import verify

from . import averages, order
from .conditions import Place
from .function import NotAFunction
from .report import Check, CheckedDecision, Report, confirmed, refuted, unconfirmed
from .undo import NotSo, Undone, difference, undo


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
    for decision in reversed(decisions):
        if decision.verdict == "refused":
            continue
        if current is None:
            found.append(CheckedDecision(decision, (unconfirmed("move", "a later one could not be taken back"),)))
            continue
        if decision.verdict == "kept":
            found.append(CheckedDecision(decision, tuple(_looked_at(Place(current, decision), ""))))
            continue
        last, earlier = current, current.copy()
        try:
            undone = undo(earlier, decision)
            verify(earlier)
        except (NotSo, OpError, CnnirError) as error:
            structure = refuted("rewrites", f"{decision.site}: {error}")
            current = None
        except KeyError:
            structure = unconfirmed("rewrites", f"{decision.site}: the checker does not know the law `{decision.law}`")
            current = None
        else:
            steps.append(Step(decision, earlier, Value(decision.site.pool), last, undone.result))
            found.append(CheckedDecision(decision, (confirmed("move"), *_looked_at(Place(earlier, decision), undone.mask))))
            current = earlier
            continue
        found.append(CheckedDecision(decision, (structure,)))
    if structure is None:
        differs = difference(before, current) if current is not None else None
        structure = refuted("rewrites", f"besides the moves, {differs}") if differs else confirmed("rewrites")
    return Checked(Report(structure, tuple(reversed(found))), tuple(reversed(steps)))


def _looked_at(place: Place, mask: str) -> Iterator[Check]:
    law, certificate = place.decision.law, place.decision.certificate
    if certificate is None:
        yield refuted("certificate", "there is none")
        return
    if certificate.law != law or (certificate.region and certificate.region != place.decision.site.region):
        yield refuted("certificate", "it is about something else")
    try:
        if law in ("up", "down", "channel", "valley"):
            yield from order.check(place, mask)
        elif law in _OTHERS:
            yield from _OTHERS[law](place)
        else:
            yield unconfirmed("law", f"the checker does not know `{law}`")
    except (NotAFunction, KeyError, IndexError) as error:
        yield refuted("elementwise", str(error))


_OTHERS = {"affine": averages.affine, "pointwise": averages.pointwise, "concat": averages.concat}

__all__ = ["Checked", "Step", "Undone", "check"]
