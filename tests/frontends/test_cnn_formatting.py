"""`cnnc fmt`: idempotent, harmless, and at peace with what is already tidy."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnir.codes import CODES
from cnnir.diagnostics import Source
from cnnir.frontends import cnn
from cnnir.frontends.cnn.formatting import format_text
from cnnir.frontends.cnn.formatting.tokens import significant, tokens

UNTIDY = """\


# top
weights   "k.safetensors"
activation f( x )=- x+2*( x--3 ) ; activation gg(x)    = abs(x)   # two


block a {in->relu}
block b (n , c)= [ conv( c,3,pad = [1 , 1]) -> relu ]* n->maxpool( 2 )
network n( x :f32[ 1,2,3 ] in[-1,  1],y: f32[1]) { # hello

  # first
  y2=x->relu;z=add(x,
     y, # c1
     sub(
       x, y

     )
  ) -> relu  # tail
    # between

   -> onnx.Op{ a=1 , b = "q" } -> conv(12345, 3, pad=1) -> conv(12345, 3, pad=1)-> conv(12345, 3, pad=1)-> conv(12345, 3)

  a, b=x->split(2)   # one
  ccccc=x->split(2)  # two


  return a=a, b
  # last

  }   # end
network m(x: f32[1]) { x->relu }
network m(x: f32[1]) { x -> relu ;}"""

TIDY = """\
# top
weights "k.safetensors"
activation f(x) = -x + 2 * (x - -3)
activation gg(x) = abs(x)  # two

block a { in -> relu }
block b(n, c) = [conv(c, 3, pad=[1, 1]) -> relu]*n -> maxpool(2)
network n(x: f32[1, 2, 3] in [-1, 1], y: f32[1]) {  # hello
    # first
    y2 = x -> relu
    z = add(x,
        y,  # c1
        sub(
            x, y
        )
    ) -> relu  # tail
        # between
        -> onnx.Op{a=1, b="q"} -> conv(12345, 3, pad=1) -> conv(12345, 3, pad=1) -> conv(12345, 3, pad=1)
        -> conv(12345, 3)

    a, b = x -> split(2)   # one
    ccccc = x -> split(2)  # two

    return a = a, b
    # last
}  # end
network m(x: f32[1]) { x -> relu }
network m(x: f32[1]) {
    x -> relu
}
"""


def texts(examples: Path) -> list[str]:
    return [path.read_text("utf-8") for path in sorted(examples.glob("*.cnn"))]


def test_untidy_text_becomes_tidy() -> None:
    assert format_text(UNTIDY) == TIDY
    assert format_text(TIDY) == TIDY


def test_the_examples_are_tidy(examples: Path) -> None:
    for text in texts(examples):
        assert format_text(text) == text


def test_long_chains_go_on_before_an_arrow_and_below_the_first() -> None:
    chain = " -> ".join(["conv(64, 3, pad=1)"] * 12)
    lines = format_text(f"network n(image: f32[1, 3, 8, 8]) {{\n    image -> {chain}\n}}").splitlines()
    assert len(lines) == 5
    assert all(len(line) <= 120 for line in lines)
    assert all(line.startswith(" " * 10 + "-> conv") for line in lines[2:4])


def test_columns_are_kept_where_the_writer_made_them() -> None:
    text = "network n(x: f32[1, 3, 8, 8]) {\n    x -> conv(1, 1)    -> relu # a\n      -> conv(10, 10) -> relu    # b\n}\n"
    assert format_text(text.replace("(1, 1)    ->", "(1, 1)   ->").replace("relu #", "relu     #")).splitlines()[1:3] == [
        "    x -> conv(1, 1)   -> relu  # a",
        "      -> conv(10, 10) -> relu  # b",
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_network_stays_the_same(end: str, examples: Path) -> None:
    for text in [
        *texts(examples),
        *(entry.mend for entry in CODES.values() if entry.language == "cnn" and entry.mend and "weights" not in entry.mend),
    ]:
        untidy = text.replace(" -> ", "->").replace(" = ", "=").replace("\n", end)
        done = format_text(untidy)
        assert cnn.parse(done) == cnn.parse(text)
        assert format_text(done) == done
        assert done.count("#") == text.count("#")


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_whatever_the_spacing_formatting_is_idempotent_and_harmless(data: st.DataObject, examples: Path) -> None:
    text = data.draw(st.sampled_from([TIDY, *texts(examples)]))
    pieces: list[str] = []
    depth = 0
    for lexeme in tokens(Source("t", text)):
        fixed = " " * (1 + lexeme.gap) if not lexeme.newlines else "\n" * lexeme.newlines
        choices = [fixed, fixed]
        if depth or lexeme.kind == "_ARROW":
            choices += ["\n  ", "\n\n", " # remark\n", "\n   # remark\n   "]
        if lexeme.newlines:
            choices += ["\n\n\n", "\n# remark\n", "   # remark\n"]
        elif lexeme.gap:
            choices += [" " * n for n in (2, 3, 7)]
        pieces += [data.draw(st.sampled_from(choices)), lexeme.text]
        depth += (lexeme.kind in ("LPAR", "LSQB")) - (lexeme.kind in ("RPAR", "RSQB"))
    untidy = "".join(pieces)
    done = format_text(untidy)
    assert format_text(done) == done
    assert significant(Source("a", done)) == significant(Source("b", untidy))
    assert done.count("#") == untidy.count("#")
    assert not any(line != line.rstrip() for line in done.splitlines())


def test_formatting_is_linear() -> None:
    text = "network n(x: f32[1, 8]) { x -> " + " -> ".join(["relu"] * 5_000) + " }"
    start = time.perf_counter()
    assert format_text(text).count("relu") == 5_000
    assert time.perf_counter() - start < 15
