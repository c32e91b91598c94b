"""Every alternative of every rule of the grammars is taken by some text of these tests."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from lark import Lark
from lark.exceptions import LarkError

import cnnir
from cnnir.codes import CODES
from cnnir.diagnostics import CnnirError, Source
from cnnir.find.pattern import Choice
from cnnir.frontends import pattern, pipeline
from cnnir.frontends.cnn.lines import LineRule
from cnnir.frontends.cnn.screen import screen

TESTS = Path(__file__).parent.parent
LONGEST = 2_000
ROOMS = {
    "cnn": ["frontends/*.py", "cnnir/test_text.py", "cnnir/test_codes.py"],
    "prototxt": ["frontends/caffe/*.py"],
    "pattern": ["cli/test_find.py", "frontends/*.py"],
    "pipeline": ["cli/test_opt_pipelines.py", "frontends/*.py", "cnnir/test_pipeline.py", "passes/*.py"],
}
"""Grammar -> the test files whose texts are read by it."""


def grammar(name: str) -> tuple[Any, set[Any]]:
    """A parser, and the set into which it puts each alternative that it takes."""
    text = resources.files("cnnir.grammar").joinpath(f"{name}.lark").read_text(encoding="utf-8")
    parser: Any = Lark(text, parser="lalr", lexer="basic", strict=True, postlex=LineRule() if name == "cnn" else None)
    taken: set[Any] = set()
    callbacks = parser.parser.parser.parser.callbacks

    def watched(rule: Any, callback: Callable[..., Any]) -> Callable[..., Any]:
        def called(children: Any) -> Any:
            taken.add(rule)
            return callback(children)

        return called

    callbacks.update({rule: watched(rule, callback) for rule, callback in list(callbacks.items())})
    return parser, taken


def literals(files: str) -> Iterator[str]:
    """The texts in test files."""
    for path in sorted(TESTS.glob(files)):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) <= LONGEST:
                yield node.value


def corpus(name: str, examples: Path) -> Iterator[str]:
    """Texts for a grammar, right ones and wrong ones; a line of code also as the body of a network."""
    for files in ROOMS[name]:
        for text in literals(files):
            yield text
            if name == "cnn":
                yield f"network n(x: f32[1]) {{ {text} }}"
    if name == "cnn":
        for path in [*examples.glob("*.cnn"), *TESTS.rglob("*.cnn")]:
            yield path.read_text(encoding="utf-8")
        for code in CODES.values():
            yield from (code.example, code.mend)


@pytest.mark.parametrize("name", ROOMS)
def test_every_alternative_is_taken_by_some_text(name: str, examples: Path) -> None:
    parser, taken = grammar(name)
    for text in dict.fromkeys(corpus(name, examples)):
        try:
            if name == "cnn":
                screen(Source("corpus", text))
            parser.parse(text)
        except (LarkError, CnnirError):
            pass  # wrong texts are tests too, of the rules before the mistake
    missing = [f"{rule.origin.name}: {' '.join(symbol.name for symbol in rule.expansion)}" for rule in parser.rules if rule not in taken]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("name", ROOMS)
def test_a_rule_that_no_text_takes_is_noticed(name: str) -> None:
    parser, taken = grammar(name)
    with pytest.raises(LarkError):
        parser.parse("]")
    assert len(parser.rules) > 10 and not taken


@pytest.mark.parametrize(("with_comma", "without"), [
    ("network n(x: f32[1, 4],) { x -> relu }", "network n(x: f32[1, 4]) { x -> relu }"),
    ("network n(x: f32[4,]) { x -> relu }", "network n(x: f32[4]) { x -> relu }"),
    ("network n(x: f32[1, 4,]) { x -> relu }", "network n(x: f32[1, 4]) { x -> relu }"),
    ("network n(x: f32[1, 4]) { p, q, = x -> split(2); return p, q }", "network n(x: f32[1, 4]) { p, q = x -> split(2); return p, q }"),
    ("network n(x: f32[1, 4]) { p, = x -> split(1); return p }", "network n(x: f32[1, 4]) { p = x -> split(1); return p }"),
    ("network n(x: f32[1, 4]) { x -> leaky(0.5,) }", "network n(x: f32[1, 4]) { x -> leaky(0.5) }"),
    ("network n(x: f32[1, 4]) { x -> reshape([4, 1,]) }", "network n(x: f32[1, 4]) { x -> reshape([4, 1]) }"),
    ("network n(x: f32[1, 4]) { x -> reshape([4,]) }", "network n(x: f32[1, 4]) { x -> reshape([4]) }"),
    ("block twice() = relu -> abs\nnetwork n(x: f32[1, 4]) { x -> twice }", "block twice = relu -> abs\nnetwork n(x: f32[1, 4]) { x -> twice }"),
    ("network n(x: f32[1, 4]) { x -> squeeze([]) }", "network n(x: f32[1, 4]) { x -> squeeze }"),
    ("network n() { constant(f32[3]) -> relu }", "network n() { c = constant(f32[3]); c -> relu }"),
])  # fmt: skip
def test_a_comma_may_end_a_list_and_what_is_empty_may_be_written(with_comma: str, without: str) -> None:
    assert cnnir.parse(with_comma) == cnnir.parse(without)


def test_an_opaque_node_needs_its_outputs_even_where_nothing_else_is_said() -> None:
    with pytest.raises(CnnirError, match="outputs"):
        cnnir.parse("network n(x: f32[1, 4]) { x -> onnx.Op{} }")


def test_a_pattern_has_as_many_choices_as_one_likes() -> None:
    found = pattern.parse("CONV | POOL | FC | ACT")
    assert isinstance(found, Choice) and len(found.items) == 4


@pytest.mark.parametrize(("text", "options"), [
    ("dce{}", []), ('place{place="always"}', ["always"]), ("place{place=always, exactness=ulp, price=3}", ["always", "ulp", 3]),
])  # fmt: skip
def test_a_pass_has_any_number_of_options(text: str, options: list[object]) -> None:
    (call,) = pipeline.parse(text)
    assert [option.value for option in call.options] == options
