"""What `cnnir.verify` returns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cnnir.decisions import Optimized
from cnnir.ir.graph import Graph

from .check import check
from .report import Check, CheckedDecision, Report
from .runs import Feeds, Mismatch, Runner, Runs, compare


@dataclass(frozen=True)
class Verification:
    """An optimized network, what the independent checker says of it, and the runs of both networks on the same data."""

    optimized: Optimized
    report: Report
    runs: tuple[Runs, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was refuted, and no answers differ; what could not be confirmed is not refuted."""
        return self.report.verdict != "refuted" and all(runs.mismatch is None for runs in self.runs)

    @property
    def unconfirmed(self) -> tuple[CheckedDecision, ...]:
        """The decisions of which something could not be confirmed."""
        return tuple(each for each in self.report.decisions if each.verdict == "could not confirm")

    def to_json(self) -> dict[str, Any]:
        """As JSON-able data."""
        return {
            "ok": self.ok,
            "verdict": self.report.verdict,
            "structure": _check(self.report.structure),
            "decisions": [_decision(each) for each in self.report.decisions],
            "runs": [_runs(each) for each in self.runs],
        }


def verified(before: Graph, done: Optimized, runners: Iterable[tuple[str, Runner, Iterable[tuple[str, Feeds]]]]) -> Verification:
    """Check a network's decisions and run it before and after: by each runner, with its name, on its data."""
    checked = check(before, done.graph, done.decisions)
    runs = tuple(compare(name, runner, before, done.graph, checked.steps, data) for name, runner, data in runners)
    return Verification(done, checked.report, runs)


def _check(check: Check) -> dict[str, Any]:
    shown = check.counterexample
    numbers = shown and {"points": [*map(repr, shown.points)], "values": [*map(repr, shown.values)], "channel": shown.channel}
    return {"what": check.what, "channel": check.channel, "verdict": check.verdict, "words": check.words, "counterexample": numbers}


def _decision(each: CheckedDecision) -> dict[str, Any]:
    site = each.decision.site
    named = {"pool": site.pool, "region": list(site.region), "location": site.span and site.span.location}
    return {"site": named, "law": each.decision.law, "verdict": each.verdict, "checks": [_check(c) for c in each.checks]}


def _runs(each: Runs) -> dict[str, Any]:
    return {
        "runner": each.runner,
        "compared": each.compared,
        "skipped": each.skipped,
        "mismatch": each.mismatch and mismatch_json(each.mismatch),
    }


def mismatch_json(found: Mismatch) -> dict[str, Any]:
    """A mismatch as JSON-able data; its numbers are words, since they may be infinite."""
    return {
        "where": found.where, "index": list(found.index), "before": repr(found.before), "after": repr(found.after),
        "allowed": repr(found.allowed), "data": found.data, "window": [*map(repr, found.window)],
    }  # fmt: skip
