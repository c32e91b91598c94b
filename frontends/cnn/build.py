"""lark's tree -> AST, bottom-up without recursion: nested brackets cost no Python stack."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

from lark import Token, visitors
from lark.tree import Meta
from lark.visitors import Transformer_NonRecursive

from cnnir.diagnostics import Source, Span

from . import ast
from .screen import refuse

Children = list[Any]
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|(.))")
_PLAIN = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}


_with_place: Callable[[type], Any] = cast(Any, visitors).v_args(meta=True)
"""lark's way of passing a rule's place to its method; lark leaves its type open."""


class Builder(Transformer_NonRecursive[Token, ast.File]):
    """One method a rule of the grammar."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source

    def _span(self, meta: Meta) -> Span:
        return Span(self._source, 0, 0) if meta.empty else Span(self._source, meta.start_pos, meta.end_pos)

    # -- words and numbers

    def name(self, meta: Meta, children: Children) -> ast.Name:
        text = str(children[0])
        quoted = text.startswith('"')
        return ast.Name(self._span(meta), self._unquote(text, self._span(meta)) if quoted else text, quoted)

    def _unquote(self, text: str, span: Span) -> str:
        def character(match: re.Match[str]) -> str:
            code, plain = match.groups()
            if code is not None and int(code, 16) < 0x110000 and not 0xD800 <= int(code, 16) < 0xE000:
                return chr(int(code, 16))
            if plain in _PLAIN:
                return _PLAIN[plain]
            raise refuse("C0102", f"`{match.group()}` is not an escape", span, help=r"escapes are `\"`, `\\`, `\n`, `\t` and `\u{2713}`")

        return _ESCAPE.sub(character, text[1:-1])

    def number(self, meta: Meta, children: Children) -> ast.Number:
        text, span = str(children[0]), self._span(meta)
        if text.isdigit():
            return ast.Number(span, int(text))
        value = float(text)
        if value == float("inf"):
            raise refuse("C0106", f"`{text}` is larger than any float64", span, help="write `inf` for infinity")
        return ast.Number(span, value)

    def piped(self, meta: Meta, children: Children) -> ast.Piped:
        return ast.Piped(self._span(meta))

    def list(self, meta: Meta, children: Children) -> ast.Sequence:
        return ast.Sequence(self._span(meta), tuple(c for c in children if c is not None))

    # -- arithmetic

    def signed(self, meta: Meta, children: Children) -> ast.Expression:
        *signs, operand = children
        return ast.Negative(self._span(meta), len(signs), operand) if signs else operand

    def product(self, meta: Meta, children: Children) -> ast.Expression:
        if len(children) == 1:
            return children[0]
        rest = zip(map(str, children[1::2]), children[2::2], strict=True)
        return ast.Arithmetic(self._span(meta), children[0], tuple(rest))

    arithmetic = product

    # -- chains

    def arguments(self, meta: Meta, children: Children) -> tuple[ast.Argument, ...]:
        given = [c for c in children if c is not None]
        return tuple(c if isinstance(c, ast.Argument) else ast.Argument(c.span, c) for c in given)

    def keyword(self, meta: Meta, children: Children) -> ast.Argument:
        return ast.Argument(self._span(meta), children[1], children[0])

    def operation(self, meta: Meta, children: Children) -> ast.Call:
        span = self._span(meta)
        return ast.Call(span, ast.Name(span, str(children[0])))

    def _called(self, children: Children) -> tuple[ast.Name, tuple[ast.Argument, ...]]:
        token: Token = children[0]
        span = Span(self._source, token.start_pos or 0, token.end_pos or 0)
        return ast.Name(span, str(token)), children[1] or ()

    def call(self, meta: Meta, children: Children) -> ast.Call:
        return ast.Call(self._span(meta), *self._called(children))

    def opaque(self, meta: Meta, children: Children) -> ast.OpaqueStep:
        return ast.OpaqueStep(self._span(meta), *self._called(children))

    def repeat(self, meta: Meta, children: Children) -> ast.Repeat:
        rest = [c for c in children[1:] if not isinstance(c, Token)]
        return ast.Repeat(self._span(meta), children[0], rest[0] if rest else None)

    def steps(self, meta: Meta, children: Children) -> tuple[ast.Step, ...]:
        return tuple(children)

    def chain(self, meta: Meta, children: Children) -> ast.Expression:
        return children[0] if len(children) == 1 else ast.Chain(self._span(meta), children[0], tuple(children[1:]))

    # -- statements

    def names(self, meta: Meta, children: Children) -> tuple[ast.Name, ...]:
        return tuple(c for c in children if c is not None)

    def assign(self, meta: Meta, children: Children) -> ast.Assign:
        return ast.Assign(self._span(meta), children[0], children[1])

    def result(self, meta: Meta, children: Children) -> ast.Result:
        return ast.Result(self._span(meta), children[1], children[0])

    def returned(self, meta: Meta, children: Children) -> ast.Return:
        return ast.Return(self._span(meta), tuple(children))

    def body(self, meta: Meta, children: Children) -> list[Any]:
        return children

    # -- items

    def sizes(self, meta: Meta, children: Children) -> tuple[ast.Expression, ...]:
        return tuple(c for c in children if c is not None)

    def type(self, meta: Meta, children: Children) -> ast.TypeName:
        return ast.TypeName(self._span(meta), str(children[0]), children[1] or ())

    def range(self, meta: Meta, children: Children) -> tuple[ast.Expression, ast.Expression]:
        return children[0], children[1]

    def input(self, meta: Meta, children: Children) -> ast.InputDeclaration:
        return ast.InputDeclaration(self._span(meta), children[0], children[1], children[2])

    def inputs(self, meta: Meta, children: Children) -> tuple[ast.InputDeclaration, ...]:
        return tuple(c for c in children if c is not None)

    def network(self, meta: Meta, children: Children) -> ast.NetworkDeclaration:
        return ast.NetworkDeclaration(self._span(meta), children[0], children[1] or (), tuple(children[2]))

    def block(self, meta: Meta, children: Children) -> ast.Block:
        name, parameters, content = children
        chained = isinstance(content, tuple)  # `= steps` builds a tuple, `{ body }` a list
        steps = cast("tuple[ast.Step, ...]", content) if chained else None
        body: Children = [] if chained else content
        return ast.Block(self._span(meta), name, parameters or (), steps, tuple(body))

    def activation(self, meta: Meta, children: Children) -> ast.Activation:
        return ast.Activation(self._span(meta), children[0], children[1], children[2])

    def weights(self, meta: Meta, children: Children) -> ast.WeightsFile:
        text = str(children[0])
        span = self._span(meta)
        return ast.WeightsFile(span, ast.Name(span, self._unquote(text, span), quoted=True))

    def start(self, meta: Meta, children: Children) -> ast.File:
        return ast.File(self._span(meta), tuple(children))


_with_place(Builder)
