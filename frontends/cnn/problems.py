"""Diagnostics of the elaborator: near misses, names defined twice, and what every frontend says."""

from __future__ import annotations

from collections.abc import Iterable

from cnnir.diagnostics import CnnirError, Label, Span, nearest

from ..problems import refuse, refused_by_op

__all__ = ["alike", "first_written", "refuse", "refused_by_op", "unsupported"]


def alike(word: str, known: Iterable[str]) -> str | None:
    """A help line naming the known word that looks most like this one, in whatever case."""
    names = {name.lower(): name for name in reversed(list(known))}
    near = nearest(word.lower(), names)
    return f"did you mean `{names[near]}`?" if near else None


def unsupported(what: str, span: Span) -> CnnirError:
    """Something the language will have, but has not yet."""
    return refuse("C0220", f"{what} not supported yet", span)


def first_written(span: Span) -> Label:
    """The secondary label of a name that is defined twice."""
    return Label(span, "first defined here", primary=False)
