"""What the checker says: of each thing it looked at, confirmed, refuted or could not confirm, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cnnir.decisions import Decision

Verdict = Literal["confirmed", "refuted", "could not confirm"]


@dataclass(frozen=True)
class Counterexample:
    """Points of the data, and f there: numbers that refute a claim about f."""

    points: tuple[float, ...]
    values: tuple[float, ...]
    channel: int | None = None

    def __str__(self) -> str:
        where = "" if self.channel is None else f" in channel {self.channel}"
        return ", ".join(f"f({x!r}) = {y!r}" for x, y in zip(self.points, self.values, strict=True)) + where


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    what: str
    verdict: Verdict
    words: str = ""
    counterexample: Counterexample | None = None
    channel: int | None = None
    """Of what is looked at channel by channel: one of those that are alike."""

    def __str__(self) -> str:
        where = "" if self.channel is None else f" in channel {self.channel}"
        return f"{self.what}{where}: {self.verdict}{f', {self.words}' if self.words else ''}"


@dataclass(frozen=True)
class CheckedDecision:
    """A decision with everything that was looked at."""

    decision: Decision
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of the checks."""
        return worst(self.checks)


@dataclass(frozen=True)
class Report:
    """What the checker says of a rewritten network: whether it is the old one with these rewrites, and of each of them."""

    structure: Check
    decisions: tuple[CheckedDecision, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of all."""
        return worst([self.structure, *(check for each in self.decisions for check in each.checks)])


def worst(checks: Iterable[Check]) -> Verdict:
    """Refuted if anything is, else unconfirmed if anything is."""
    found = {check.verdict for check in checks}
    return "refuted" if "refuted" in found else "could not confirm" if "could not confirm" in found else "confirmed"


def confirmed(what: str, words: str = "", channel: int | None = None) -> Check:
    """It holds."""
    return Check(what, "confirmed", words, channel=channel)


def refuted(what: str, words: str, counterexample: Counterexample | None = None, channel: int | None = None) -> Check:
    """It does not hold."""
    return Check(what, "refuted", words, counterexample, channel)


def unconfirmed(what: str, words: str, channel: int | None = None) -> Check:
    """It may hold."""
    return Check(what, "could not confirm", words, channel=channel)
