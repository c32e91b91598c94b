"""Diagnostics about one place of a text, ready to raise: what every frontend that reads text says them with."""

from __future__ import annotations

from collections.abc import Sequence

from cnnir.diagnostics import CnnirError, Diagnostic, Label, OpError, Span
from cnnir.ir.graph import Graph, Value


def refuse(
    code: str, message: str, span: Span, remark: str = "", help: str | None = None, *others: Label, exit_code: int = 1
) -> CnnirError:
    """A diagnostic about one place: `remark` stands behind the carets, `others` are places that have to do with it."""
    return CnnirError(Diagnostic(code, message, (Label(span, remark), *others), help=help), exit_code)


def refused_by_op(error: OpError, span: Span, graph: Graph, inputs: Sequence[Value], subject: str = "") -> CnnirError:
    """The refusal of an op with carets under the layer, and dashes under the layers that made its inputs.

    `subject` goes before the message, where the place alone does not say which layer it is.
    """
    at_fault = [v for slot, v in enumerate(inputs) if error.slot in (None, slot)]
    labels: list[Label] = []
    for value in at_fault[:2]:
        made = graph[value.layer].origin.span
        if made is not None and made != span:
            labels.append(Label(made, f"this is {graph.type(value)}", primary=False))
    return refuse(error.code, subject + error.message, span, error.remark, error.help, *labels)
