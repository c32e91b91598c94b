"""Diagnostics about one place of a text, ready to raise: what every frontend that reads text says them with."""

from __future__ import annotations

from cnnir.diagnostics import CnnirError, Diagnostic, Label, Span


def refuse(
    code: str, message: str, span: Span, remark: str = "", help: str | None = None, *others: Label, exit_code: int = 1
) -> CnnirError:
    """A diagnostic about one place: `remark` stands behind the carets, `others` are places that have to do with it."""
    return CnnirError(Diagnostic(code, message, (Label(span, remark), *others), help=help), exit_code)
