"""Decisions as sentences and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnir.certificates import ChannelFacts
    from cnnir.decisions import Decision
    from cnnir.ir.graph import Graph


def sentence(decision: Decision) -> str:
    """One line: where, what, why."""
    where = f"{decision.site.span.location}: " if decision.site.span else ""
    return f"{where}{decision.site}: {decision.verdict}, {decision.reason}"


def place(decision: Decision, graph: Graph) -> str:
    """Where the site is in the user's file: from its first layer to its pool."""
    pool = decision.site.span
    if pool is None:
        return ""
    spans = [graph[name].origin.span for name in decision.site.region if name in graph]
    first = next((span.location for span in spans if span is not None), pool.location)
    return first if first == pool.location else f"{first} to {pool.location.removeprefix(f'{pool.source.name}:')}"


def proof(decision: Decision) -> list[str]:
    """The proof in lines of prose; a refusal has none: its witness is part of the reason."""
    certificate = decision.certificate
    if certificate is None:
        return []
    lines = [f"{channels}: {facts}" for channels, facts in certificate.facts.items()]
    lines += dict.fromkeys(f"found {record.derivation}, for {_data(record, certificate.dtype)}" for record in certificate.records)
    lines.append(f"checked: {', '.join(certificate.conditions)}")
    if certificate.bound:
        grows = f", {certificate.growth:.3g} for each unit of the largest |x|" if certificate.growth else ""
        lines.append(f"off by at most {certificate.bound:.3g} at the site{grows}")
    if certificate.assumptions:
        lines.append(f"assuming that {'; '.join(certificate.assumptions)}")
    return lines


def _data(record: ChannelFacts, dtype: str) -> str:
    if record.source == "every finite number":
        return f"every finite {dtype}"
    return f"data in [{record.data[0]:.6g}, {record.data[1]:.6g}], computed from {record.source}"


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
        "certificate": certificate and certificate.to_json(),
        "witness": witness
        and {"window": list(witness.window), "before": witness.before, "after": witness.after, "channel": witness.channel},
        "bound": decision.bound,
    }
