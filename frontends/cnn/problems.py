"""Diagnostics of the elaborator: op refusals put in their place, and near misses."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from cnnir.diagnostics import CnnirError, Diagnostic, Label, OpError, Span
from cnnir.ir.graph import Graph, Value

from ..problems import refuse

__all__ = ["alike", "first_written", "refuse", "refused_by_op", "unsupported"]


def alike(word: str, known: Iterable[str]) -> str | None:
    """A help line naming the known word that looks most like this one."""
    names = {name.lower(): name for name in reversed(list(known))}
    close = difflib.get_close_matches(word[:100].lower(), names, n=1)
    return f"did you mean `{names[close[0]]}`?" if close else None


def unsupported(what: str, span: Span) -> CnnirError:
    """Something the language will have, but has not yet."""
    return refuse("C0220", f"{what} not supported yet", span)


def first_written(span: Span) -> Label:
    """The secondary label of a name that is defined twice."""
    return Label(span, "first defined here", primary=False)


def refused_by_op(error: OpError, span: Span, graph: Graph, inputs: Sequence[Value]) -> CnnirError:
    """The refusal with carets under the layer, and dashes under the layers that made its inputs."""
    at_fault = [v for slot, v in enumerate(inputs) if error.slot in (None, slot)]
    labels: list[Label] = []
    for value in at_fault[:2]:
        made = graph[value.layer].origin.span
        if made is not None and made != span:
            labels.append(Label(made, f"this is {graph.type(value)}", primary=False))
    return CnnirError(Diagnostic(error.code, error.message, (Label(span, error.remark), *labels), help=error.help))
