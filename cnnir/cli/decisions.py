"""Decisions as sentences and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnir.decisions import Decision


def sentence(decision: Decision) -> str:
    """One line: where, what, why."""
    where = f"{decision.site.span.location}: " if decision.site.span else ""
    return f"{where}{decision.site}: {decision.verdict}, {decision.reason}"


def proof(decision: Decision) -> list[str]:
    """The proof in lines of prose; a refusal has none: its witness is part of the reason."""
    lines: list[str] = []
    certificate = decision.certificate
    if certificate is not None:
        lines += [f"{channels}: {facts}" for channels, facts in certificate.facts.items()]
        lines.append(f"checked: {', '.join(certificate.conditions)}")
        if certificate.assumptions:
            lines.append(f"assuming that {'; '.join(certificate.assumptions)}")
    return lines


def decision_json(decision: Decision) -> dict[str, Any]:
    """A decision as JSON-able data."""
    certificate, witness = decision.certificate, decision.witness
    return {
        "site": {
            "pool": decision.site.pool,
            "region": list(decision.site.region),
            "behind": decision.site.behind,
            "location": decision.site.span and decision.site.span.location,
        },
        "law": decision.law,
        "verdict": decision.verdict,
        "reason": decision.reason,
        "certificate": certificate
        and {
            "law": certificate.law,
            "facts": dict(certificate.facts),
            "conditions": list(certificate.conditions),
            "assumptions": list(certificate.assumptions),
            "float_class": certificate.float_class,
            "bound": certificate.bound,
        },
        "witness": witness
        and {"window": list(witness.window), "before": witness.before, "after": witness.after, "channel": witness.channel},
        "bound": decision.bound,
    }
