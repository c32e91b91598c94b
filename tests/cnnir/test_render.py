"""Diagnostics as text with carets, as JSON and as GitHub annotations."""

from __future__ import annotations

import json

import pytest

from cnnir.diagnostics import CnnirError, Diagnostic, Label, Source, Span
from cnnir.frontends import cnn
from cnnir.render import WIDTH, as_github, as_json, render, render_text, width


def at(text: str, piece: str, remark: str = "", primary: bool = True, source: Source | None = None) -> Label:
    source = source or Source("net.cnn", text)
    start = source.text.index(piece)
    return Label(Span(source, start, start + len(piece)), remark, primary)


def test_two_labels_on_adjacent_lines_and_a_help() -> None:
    text = "\n" * 8 + "network n(x: f32[1, 8, 5, 5]) {\n\ny = x -> conv(8, 5)\n   y -> maxpool(2)\n}\n"
    with pytest.raises(CnnirError) as caught:
        cnn.parse(text, "net.cnn")
    assert render(caught.value.diagnostics).splitlines() == [
        "error[C0203]: a window does not fit its input",
        "  --> net.cnn:12:9",
        "   |",
        "11 | y = x -> conv(8, 5)",
        "   |          ---------- this is f32[1, 8, 1, 1]",
        "12 |    y -> maxpool(2)",
        "   |         ^^^^^^^^^^ needs at least 2 elements on an axis that has 1",
        "   = help: use a smaller kernel, or `pad`",
    ]


def test_lines_that_are_left_out_and_notes() -> None:
    source = Source("a.cnn", "one\ntwo\nthree\nfour")
    labels = (at("", "four", source=source), at("", "one", "first", False, source))
    lines = render_text(Diagnostic("C0306", "twice", labels, ("because",), severity="warning")).splitlines()
    assert lines == [
        "warning[C0306]: twice",
        " --> a.cnn:4:1",
        "  |",
        "1 | one",
        "  | --- first",
        "...",
        "4 | four",
        "  | ^^^^",
        "  = note: because",
    ]


def test_two_labels_on_one_line_are_underlined_apart() -> None:
    source = Source("a.cnn", "add(a, b)")
    lines = render_text(Diagnostic("C0204", "m", (at("", "a, ", "left", False, source), at("", "b", "right", True, source)))).splitlines()
    assert lines[3:] == ["1 | add(a, b)", "  |        ^ right", "  |     --- left"]


def test_carets_stand_under_tabs_and_wide_characters() -> None:
    text = '\t"日本" -> relux'
    lines = render_text(Diagnostic("C0211", "m", (at(text, "relux"),))).splitlines()
    assert width(lines[3][: lines[3].index("relux")]) == lines[4].index("^")
    assert lines[4].count("^") == 5


def test_long_lines_are_clipped_around_the_caret() -> None:
    text = "x" + " -> relu" * 100_000 + " -> here" + " -> relu" * 100_000
    lines = render_text(Diagnostic("C0211", "m", (at(text, "here"),))).splitlines()
    assert all(len(line) < WIDTH + 20 for line in lines)
    assert lines[3][lines[4].index("^") :].startswith("here")
    assert lines[3].startswith("1 | ...") and lines[3].endswith("...")


def test_a_label_at_the_very_end_or_over_several_lines() -> None:
    source = Source("a.cnn", "ab\ncd")
    end = render_text(Diagnostic("C0101", "m", (Label(Span(source, 5, 5)),))).splitlines()
    assert end[-2:] == ["2 | cd", "  |   ^"]
    both = render_text(Diagnostic("C0101", "m", (Label(Span(source, 1, 5)),))).splitlines()
    assert both[-2:] == ["1 | ab", "  |  ^"]
    assert render_text(Diagnostic("C0303", "m")) == "error[C0303]: m"


def test_terminal_control_characters_never_get_out() -> None:
    label = at("a \x1b[31m\u202e b", "\x1b")
    shown = render_text(Diagnostic("C0102", "bad \x1b", (label,)))
    assert "\x1b" not in shown and "\u202e" not in shown
    assert "\x1b[1;31m" in render_text(Diagnostic("C0102", "bad", (label,)), colour=True)


def test_json_and_github() -> None:
    diagnostic = Diagnostic("C0211", "no layer, 100%", (at("x -> y\nz -> w", "w", "here"),), help="write\nmore")
    data = json.loads(json.dumps(as_json(diagnostic)))
    assert data["labels"] == [{"file": "net.cnn", "line": 2, "column": 6, "end_line": 2, "end_column": 7, "text": "here", "primary": True}]
    assert (data["code"], data["severity"], data["help"]) == ("C0211", "error", "write\nmore")
    assert as_github(diagnostic) == "::error title=C0211,file=net.cnn,line=2,col=6::no layer, 100%25 (help: write%0Amore)"
