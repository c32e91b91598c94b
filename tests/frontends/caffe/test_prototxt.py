"""Protobuf's text format: what is read, and what each wrong text gets."""

from __future__ import annotations

import pytest

from cnnir.diagnostics import CnnirError, Source
from cnnir.frontends.caffe.syntax import parse_text
from cnnir.frontends.caffe.tree import Message, Scalar
from cnnir.frontends.caffe.values import number


def read(text: str) -> list[tuple[str, list[object]]]:
    """Names with their values; messages as such lists."""

    def plain(message: Message) -> list[tuple[str, list[object]]]:
        return [(f.name, [v.content if isinstance(v, Scalar) else plain(v) for v in f.values]) for f in message.fields]

    return plain(parse_text(Source("net.prototxt", text)))


@pytest.mark.parametrize(("text", "found"), [
    ("", []),
    ("# only a comment: { [ \n", []),
    ('name: "a" # c\n', [("name", ["a"])]),
    ("a: 1; b: 2, c: 3", [("a", ["1"]), ("b", ["2"]), ("c", ["3"])]),
    ("a: [1] b: [1, 2, 3] c { }; d: 1", [("a", ["1"]), ("b", ["1", "2", "3"]), ("c", [[]]), ("d", ["1"])]),
    ("a: -1 b: - 1.5f c: -inf d: nan", [("a", ["-1"]), ("b", ["-1.5f"]), ("c", ["-inf"]), ("d", ["nan"])]),
    ("a: MAX b: true", [("a", ["MAX"]), ("b", ["true"])]),
    ("a: [1, 2] b: [] c: [\"x\" 'y', \"z\"]", [("a", ["1", "2"]), ("b", []), ("c", ["xy", "z"])]),
    ("a { b < c: 1 > }", [("a", [[("b", [[("c", ["1"])]])]])]),
    ("a: { } b: < >; c: [{ d: 1 }, < e: 2 >]", [("a", [[]]), ("b", [[]]), ("c", [[("d", ["1"])], [("e", ["2"])]])]),
    ('a: "it" "\'s" \' \\"so\\" \\\\ \\n\\x41\\102\'', [("a", ["it's \"so\" \\ \nAB"])]),
    ("a: 5e-05 b: 1E+3 c: .5 d: 1. e: 1.f f: 0x1F g: 017", [
        ("a", ["5e-05"]), ("b", ["1E+3"]), ("c", [".5"]), ("d", ["1."]), ("e", ["1.f"]), ("f", ["0x1F"]), ("g", ["017"])]),
    ("a:1b:2", None),
])  # fmt: skip
def test_texts_are_read(text: str, found: object) -> None:
    if found is None:
        with pytest.raises(CnnirError):
            read(text)
    else:
        assert read(text) == found


@pytest.mark.parametrize(("text", "value"), [
    ("1", 1), ("-1", -1), ("017", 15), ("0x1f", 31), ("-0x10", -16), ("0", 0), ("1.5f", 1.5), ("1.F", 1.0), (".5", 0.5), ("5e-05", 5e-5),
    ("inf", float("inf")), ("-inf", -float("inf")), ("infinity", float("inf")),
])  # fmt: skip
def test_numbers(text: str, value: float) -> None:
    assert number(text) == value and type(number(text)) is type(value)


def test_places_are_those_of_the_text() -> None:
    text = 'layer {\n  name: "a" "b"\n  x: -  1\n}\n'
    (layer,) = parse_text(Source("n", text)).fields
    (message,) = layer.values
    assert isinstance(message, Message)
    assert text[layer.start : layer.end] == "layer" and text[message.start : message.end] == text[6:-1]
    assert [text[v.start : v.end] for f in message.fields for v in f.values] == ['"a" "b"', "-  1"]


@pytest.mark.parametrize(("text", "code", "at"), [
    ("a: 1 }", "C0104", "}"),
    ("a { b: 1", "C0104", "{"),
    ("a { b: [1 }", "C0104", "}"),
    ('a: "x', "C0103", '"x'),
    ("a: 'x\ny'", "C0103", "'x"),
    ("a: 3x", "C0106", "3x"),
    ("a: 1.2.3", "C0106", "1.2.3"),
    ("a 1", "C0101", "1"),
    ("a: ", "C0101", ":"),
    ("a: [1 2]", "C0101", "2"),
    ("a: [[1]]", "C0101", "["),
    ("a: -\"x\"", "C0101", '"x"'),
    ("[ext.name]: 1", "C0101", "."),
    ("[ext]: 1", "C0101", "["),
    ("<html><body>", "C0101", "<"),
    ("a: 1 // c", "C0101", "/"),
    ("a: 1 \0", "C0102", "\0"),
    ("a: \ufffd", "C0107", "\ufffd"),
    ("a: \u202e1", "C0102", "\u202e"),
    ("\u0430: 1", "C0102", "\u0430"),
    ("a { " * 101, "C0105", "{"),
    ("a" * 1001, "C0105", "a" * 1001),
    ('a: "' + "x" * 1000, "C0103", '"' + "x" * 1000),
])  # fmt: skip
def test_what_is_wrong_is_said_where_it_is(text: str, code: str, at: str) -> None:
    with pytest.raises(CnnirError) as caught:
        read(text)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.labels[0].span.text) == (code, at)


def test_a_hundred_messages_may_be_nested_and_a_comment_may_hold_anything() -> None:
    read("a { " * 100 + "}" * 100 + "# \ufffd \u4e2d \0")
