"""Rules of the grammar -> AST, as the parser finds them: no tree between, and nested brackets cost no Python stack."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from lark import Token

from cnnir.diagnostics import Source, Span

from ..problems import refuse
from . import ast

Children = list[Any]
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|(.))")
_PLAIN = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}
_PLACES = frozenset({"NETWORK", "BLOCK", "ACTIVATION", "WEIGHTS", "RETURN", "IN", "LPAR", "RPAR", "LSQB", "RSQB", "RBRACE"})
"""Tokens that say where a rule begins or ends, and nothing else."""


class Builder:
    """One method a rule of the grammar: its place and its children -> a node. Builds one text at a time."""

    def __init__(self) -> None:
        self.source = Source("", "")

    def callbacks(self) -> Any:
        """What the parser calls when it has found a rule, under the rules' names."""
        rules = [name for name in vars(Builder) if not name.startswith("_") and name != "callbacks"]
        return SimpleNamespace(**{name: self._callback(getattr(self, name)) for name in rules})

    def _callback(self, method: Callable[[Span, Children], Any]) -> Callable[[Children], Any]:
        def found(children: Children) -> Any:
            begin, end = _edge(children, 0), _edge(children, -1)
            span = Span(self.source, begin[0] if begin else 0, end[1] if end else 0)
            return method(span, [c for c in children if not (isinstance(c, Token) and c.type in _PLACES)])

        return found

    # -- words and numbers

    def name(self, span: Span, children: Children) -> ast.Name:
        text = str(children[0])
        quoted = text.startswith('"')
        return ast.Name(span, self._unquote(text, span) if quoted else text, quoted)

    def _unquote(self, text: str, span: Span) -> str:
        def character(match: re.Match[str]) -> str:
            code, plain = match.groups()
            if code is not None and int(code, 16) < 0x110000 and not 0xD800 <= int(code, 16) < 0xE000:
                return chr(int(code, 16))
            if plain in _PLAIN:
                return _PLAIN[plain]
            raise refuse("C0102", f"`{match.group()}` is not an escape", span, help=r"escapes are `\"`, `\\`, `\n`, `\t` and `\u{2713}`")

        return _ESCAPE.sub(character, text[1:-1])

    def number(self, span: Span, children: Children) -> ast.Number:
        text = str(children[0])
        if text.isdigit():
            return ast.Number(span, int(text))
        value = float(text)
        if value == float("inf"):
            raise refuse("C0106", f"`{text}` is larger than any float64", span, help="write `inf` for infinity")
        return ast.Number(span, value)

    def piped(self, span: Span, children: Children) -> ast.Piped:
        return ast.Piped(span)

    def list(self, span: Span, children: Children) -> ast.Sequence:
        return ast.Sequence(span, tuple(c for c in children if c is not None))

    # -- arithmetic

    def grouped(self, span: Span, children: Children) -> ast.Expression:
        del span  # a diagnostic is about what stands inside
        return children[0]

    def signed(self, span: Span, children: Children) -> ast.Expression:
        *signs, operand = children
        return ast.Negative(span, len(signs), operand)

    def product(self, span: Span, children: Children) -> ast.Expression:
        rest = zip(map(str, children[1::2]), children[2::2], strict=True)
        return ast.Arithmetic(span, children[0], tuple(rest))

    arithmetic = product

    # -- chains

    def arguments(self, span: Span, children: Children) -> tuple[ast.Argument, ...]:
        given = [c for c in children if c is not None]
        return tuple(c if isinstance(c, ast.Argument) else ast.Argument(c.span, c) for c in given)

    def keyword(self, span: Span, children: Children) -> ast.Argument:
        return ast.Argument(span, children[1], children[0])

    def operation(self, span: Span, children: Children) -> ast.Call:
        return ast.Call(span, ast.Name(span, str(children[0])))

    def _called(self, children: Children) -> tuple[ast.Name, tuple[ast.Argument, ...]]:
        token: Token = children[0]
        span = Span(self.source, token.start_pos or 0, token.end_pos or 0)
        return ast.Name(span, str(token)), children[1] or ()

    def call(self, span: Span, children: Children) -> ast.Call:
        return ast.Call(span, *self._called(children))

    def opaque(self, span: Span, children: Children) -> ast.OpaqueStep:
        return ast.OpaqueStep(span, *self._called(children))

    def repeat(self, span: Span, children: Children) -> ast.Repeat:
        return ast.Repeat(span, children[0], children[1])

    def steps(self, span: Span, children: Children) -> tuple[ast.Step, ...]:
        return tuple(children)

    def chain(self, span: Span, children: Children) -> ast.Expression:
        return ast.Chain(span, children[0], tuple(children[1:]))

    # -- statements

    def names(self, span: Span, children: Children) -> tuple[ast.Name, ...]:
        return tuple(c for c in children if c is not None)

    def assign(self, span: Span, children: Children) -> ast.Assign:
        return ast.Assign(span, children[0], children[1])

    def result(self, span: Span, children: Children) -> ast.Result:
        return ast.Result(span, children[1], children[0])

    def returned(self, span: Span, children: Children) -> ast.Return:
        return ast.Return(span, tuple(children))

    def body(self, span: Span, children: Children) -> list[Any]:
        return children

    # -- items

    def sizes(self, span: Span, children: Children) -> tuple[ast.Expression, ...]:
        return tuple(c for c in children if c is not None)

    def type(self, span: Span, children: Children) -> ast.TypeName:
        return ast.TypeName(span, str(children[0]), children[1] or ())

    def range(self, span: Span, children: Children) -> ast.Sequence:
        return ast.Sequence(span, tuple(children))

    def input(self, span: Span, children: Children) -> ast.InputDeclaration:
        name, type, range = children
        return ast.InputDeclaration(span, name, type, range.items if range else None)

    def inputs(self, span: Span, children: Children) -> tuple[ast.InputDeclaration, ...]:
        return tuple(c for c in children if c is not None)

    def network(self, span: Span, children: Children) -> ast.NetworkDeclaration:
        return ast.NetworkDeclaration(span, children[0], children[1] or (), tuple(children[2]))

    def block(self, span: Span, children: Children) -> ast.Block:
        name, parameters, content = children
        chained = isinstance(content, tuple)  # `= steps` builds a tuple, `{ body }` a list
        steps = cast("tuple[ast.Step, ...]", content) if chained else None
        body: Children = [] if chained else content
        return ast.Block(span, name, parameters or (), steps, tuple(body))

    def activation(self, span: Span, children: Children) -> ast.Activation:
        return ast.Activation(span, children[0], children[1], children[2])

    def weights(self, span: Span, children: Children) -> ast.WeightsFile:
        text = str(children[0])
        return ast.WeightsFile(span, ast.Name(span, self._unquote(text, span), quoted=True))

    def entry(self, span: Span, children: Children) -> ast.Entry:
        return ast.Entry(span, children[0], children[1])

    def listing(self, span: Span, children: Children) -> ast.Listing:
        return ast.Listing(span, children[0], tuple(children[1:]))

    def start(self, span: Span, children: Children) -> ast.File:
        return ast.File(span, tuple(children))


def _edge(children: Children, at: int) -> tuple[int, int] | None:
    """Where the first (0) or last (-1) thing of a rule begins and ends; None where the rule is empty."""
    for child in children if at == 0 else reversed(children):
        if isinstance(child, Token):
            return child.start_pos or 0, child.end_pos or 0
        if isinstance(child, ast.Node):
            return child.span.start, child.span.end
        place = None if child is None else _edge(list(child), at)
        if place is not None:
            return place
    return None
