"""Diagnostics as people and machines read them: text with carets, JSON, GitHub annotations."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from .diagnostics import Diagnostic, Label, Span

WIDTH = 120
"""Longest piece of a source line that is shown; longer lines are clipped around the caret."""

_COLOURS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "note": "\x1b[1;34m", "frame": "\x1b[1;34m", "bold": "\x1b[1m"}
_RESET = "\x1b[0m"


def render(diagnostics: Iterable[Diagnostic], colour: bool = False) -> str:
    """Every diagnostic as text, a blank line between them; ANSI colours where asked for."""
    return "\n\n".join(render_text(d, colour) for d in diagnostics)


def _paint(text: str, style: str, colour: bool) -> str:
    return f"{_COLOURS[style]}{text}{_RESET}" if colour and text else text


def render_text(diagnostic: Diagnostic, colour: bool = False) -> str:
    """One diagnostic as text with carets."""
    head = _paint(f"{diagnostic.severity}[{diagnostic.code}]", diagnostic.severity, colour)
    lines = [f"{head}{_paint(f': {printable(diagnostic.message)}', 'bold', colour)}"]
    groups: dict[int, list[Label]] = {}
    for label in sorted(diagnostic.labels, key=lambda each: not each.primary):
        groups.setdefault(id(label.span.source), []).append(label)
    numbers = [label.span.source.position(label.span.start)[0] for label in diagnostic.labels]
    gutter = len(str(max(numbers, default=1)))
    for place, labels in enumerate(groups.values()):
        arrow = "-->" if place == 0 else ":::"
        lines.append(f"{' ' * gutter}{_paint(arrow, 'frame', colour)} {printable(labels[0].span.location)}")
        lines.extend(_snippet(labels, gutter, diagnostic.severity, colour))
    for kind, remarks in (("note", diagnostic.notes), ("help", (diagnostic.help,) if diagnostic.help else ())):
        lines.extend(f"{' ' * gutter} {_paint('=', 'frame', colour)} {kind}: {printable(r)}" for r in remarks)
    return "\n".join(lines)


def _snippet(labels: list[Label], gutter: int, severity: str, colour: bool) -> list[str]:
    """The source lines that the labels are in, with underlines; `...` where lines are left out."""
    bar = _paint("|", "frame", colour)
    lines = [f"{' ' * gutter} {bar}"]
    by_line: dict[int, list[Label]] = {}
    for label in labels:
        by_line.setdefault(label.span.source.position(label.span.start)[0], []).append(label)
    last: int | None = None
    for number in sorted(by_line):
        if last is not None and number > last + 1:
            lines.append("...")
        last = number
        found = sorted(by_line[number], key=lambda each: each.span.start)
        text = found[0].span.source.line(number)
        start, clipped = _clip(text, found)
        lines.append(f"{_paint(str(number).rjust(gutter), 'frame', colour)} {bar} {clipped}".rstrip())
        for label in reversed(found):
            under = _underline(text, label, start)
            lines.append(f"{' ' * gutter} {bar} {_paint(under, severity if label.primary else 'frame', colour)}")
    return lines


def _columns(label: Label, text: str) -> tuple[int, int]:
    """Character columns of a label within its first line; at least one character wide."""
    column = label.span.source.position(label.span.start)[1] - 1
    column = min(column, len(text))
    return column, max(column + 1, min(len(text), column + label.span.end - label.span.start))


def _clip(text: str, labels: list[Label]) -> tuple[int, str]:
    """First shown character, and the shown piece of a line, around the first primary label."""
    if len(text) <= WIDTH:
        return 0, printable(text)
    main = next((label for label in labels if label.primary), labels[0])
    column, _ = _columns(main, text)
    start = max(0, min(column - WIDTH // 3, len(text) - WIDTH))
    end = start + WIDTH
    before, after = "..." if start else "", "..." if end < len(text) else ""
    return start, before + printable(text[start:end]) + after


def _underline(text: str, label: Label, start: int) -> str:
    """Carets or dashes under a label, and its remark."""
    first, last = _columns(label, text)
    shift = 3 if start else 0
    inside = max(start, min(first, start + WIDTH))
    lead = width(text[start:inside]) + shift
    length = max(1, width(text[inside : max(inside + 1, min(last, start + WIDTH))]))
    return f"{' ' * lead}{('^' if label.primary else '-') * length} {printable(label.text)}".rstrip()


def printable(text: str) -> str:
    """Text that a terminal cannot misread: tabs as four spaces, control and direction characters as U+FFFD."""
    return "".join("    " if c == "\t" else "\ufffd" if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c != "\n" else c for c in text)


def width(text: str) -> int:
    """Columns that a terminal gives to a text: two for wide characters, none for combining ones."""
    return sum(4 if c == "\t" else 2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)


def render_as(diagnostics: Iterable[Diagnostic], form: str, colour: bool = False) -> str:
    """Every diagnostic in one of the forms: `text`, `json` (one document) or `github` (a command a line)."""
    if form == "github":
        return "\n".join(map(as_github, diagnostics))
    if form == "json":
        return json.dumps({"schema": "cnnir.diagnostics/1", "diagnostics": list(map(as_json, diagnostics))}, indent=1)
    return render(diagnostics, colour)


def as_json(diagnostic: Diagnostic) -> Mapping[str, Any]:
    """A diagnostic as plain data."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "labels": [{**_place(label.span), "text": label.text, "primary": label.primary} for label in diagnostic.labels],
        "notes": list(diagnostic.notes),
        "help": diagnostic.help,
    }


def _place(span: Span) -> Mapping[str, Any]:
    line, column = span.source.position(span.start)
    end_line, end_column = span.source.position(max(span.start, span.end))
    return {"file": span.source.name, "line": line, "column": column, "end_line": end_line, "end_column": end_column}


def as_github(diagnostic: Diagnostic) -> str:
    """A diagnostic as a GitHub workflow command, shown beside the changed line."""
    level = {"error": "error", "warning": "warning", "note": "notice"}[diagnostic.severity]
    properties = {"title": diagnostic.code}
    if diagnostic.labels:
        place = _place(next((label for label in diagnostic.labels if label.primary), diagnostic.labels[0]).span)
        properties |= {"file": place["file"], "line": str(place["line"]), "col": str(place["column"])}
    listing = ",".join(f"{k}={_escape(v).replace(':', '%3A').replace(',', '%2C')}" for k, v in properties.items())
    body = diagnostic.message + (f" (help: {diagnostic.help})" if diagnostic.help else "")
    body += "".join(f"\n{label.span.location}: {label.text}" for label in diagnostic.labels if not label.primary and label.text)
    return f"::{level} {listing}::{_escape(body)}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
