"""What `cnnir.audit` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from cnnir.checker.runs import Mismatch, Runs
from cnnir.checker.verification import mismatch_json

Verdict = Literal["proved", "within a bound", "wrong", "not understood"]


@dataclass(frozen=True)
class Reordering:
    """One place where the networks differ."""

    verdict: Verdict
    law: str
    """The law that makes it right, or would have to."""
    words: str
    """What is in another order,"""
    reason: str
    """and why it is right or wrong."""
    float_class: str = ""
    """Of what is proved: `E`, exact, `C`, exact if library functions are monotone, `U`, within `bound`."""
    bound: float | None = None
    witness: Mismatch | None = None
    """Of what is wrong: data at the site, and the answers in both orders, both computed."""

    def to_json(self) -> dict[str, Any]:
        """As JSON-able data."""
        return {
            "verdict": self.verdict, "law": self.law, "words": self.words, "reason": self.reason, "float_class": self.float_class,
            "bound": None if self.bound is None else repr(self.bound), "witness": self.witness and mismatch_json(self.witness),
        }  # fmt: skip


@dataclass(frozen=True)
class Audit:
    """Everything that lies between two networks, and what running both shows."""

    reorderings: tuple[Reordering, ...]
    runs: Runs

    @property
    def proved(self) -> bool:
        """Whether every difference is proved to change no bit."""
        return all(each.verdict == "proved" for each in self.reorderings)

    def acceptable(self, exactness: Literal["exact", "ulp"]) -> bool:
        """Whether every difference is proved; with `ulp`, also within a bound that is known."""
        return all(each.verdict == "proved" or (exactness == "ulp" and each.verdict == "within a bound") for each in self.reorderings)

    def to_json(self) -> dict[str, Any]:
        """As JSON-able data."""
        runs = {"compared": self.runs.compared, "skipped": self.runs.skipped}
        found = self.runs.mismatch
        return {
            "proved": self.proved,
            "reorderings": [each.to_json() for each in self.reorderings],
            "runs": {**runs, "mismatch": found and mismatch_json(found)},
        }
