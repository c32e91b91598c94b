"""Comparing two networks: one original, one that somebody has optimized."""

from __future__ import annotations

from collections.abc import Iterable

from cnnir.checker.runs import Feeds, Runner, compare
from cnnir.diagnostics import CnnirError, Diagnostic
from cnnir.ir.graph import Graph

from .judging import Judge
from .matching import match
from .report import Audit
from .terms import Terms


def audited(original: Graph, optimized: Graph, runner: Runner, data: Iterable[tuple[str, Feeds]]) -> Audit:
    """Every reordering between the networks, judged. Raises CnnirError where their inputs or outputs are not the same."""
    _refuse_others(original, optimized)
    terms = Terms()
    before, after = terms.of(original), terms.of(optimized)
    matched = match(terms, [(before[name], other) for name, other in zip(before, after.values(), strict=True)])
    judge = Judge(terms, original)
    found = [judge.judged(equation) for equation in matched.equations]
    found += [judge.unexplained(a, b) for a, b in matched.unexplained]
    renamed = optimized.copy()
    renamed.results = dict(zip(original.results, optimized.results.values(), strict=True))
    read = [v for layer in original.layers() for v in original.values(layer.name) if original.uses(v)]
    return Audit(tuple(found), compare("reference", runner, original, renamed, (), data, read))


def _refuse_others(original: Graph, optimized: Graph) -> None:
    """Inputs by name and outputs by place must be of the same types."""
    for what, a, b in (
        ("inputs", dict(original.inputs), dict(optimized.inputs)),
        ("outputs", [*original.outputs.values()], [*optimized.outputs.values()]),
    ):
        if a != b:
            shown = [", ".join(map(str, each.items() if isinstance(each, dict) else each)) for each in (a, b)]
            message = f"the networks have other {what}: {shown[0]} against {shown[1]}"
            raise CnnirError(Diagnostic("C0605", message, help="an audit compares two versions of one network"))
