"""Arithmetic on sizes and attributes: `2*c`, `1/6`, `[1, 1]`, `same`."""

from __future__ import annotations

from cnnir.diagnostics import Span

from . import ast
from .problems import refuse
from .scope import Scope
from .trampoline import Task

LARGEST = 2**63 - 1


class Word(str):
    """A bare word as an argument, such as `same` or `off`."""


class Text(str):
    """A quoted word as an argument: the name of a weight."""


Datum = int | float | Word | Text | tuple["Datum", ...]


def datum(node: ast.Expression, scope: Scope) -> Task[Datum]:
    """What an argument that is not a tensor says."""
    if isinstance(node, ast.Name):
        if node.quoted:
            return Text(node.text)
        if node.text in scope.sizes:
            return scope.sizes[node.text]
        return float("inf") if node.text == "inf" else Word(node.text)
    if isinstance(node, ast.Sequence):
        items: list[Datum] = []
        for item in node.items:
            items.append((yield datum(item, scope)))
        return tuple(items)
    return (yield number(node, scope))


def number(node: ast.Expression, scope: Scope) -> Task[int | float]:
    """The value of an arithmetic expression; a division that comes out whole stays whole."""
    if isinstance(node, ast.Number):
        return _bounded(node.value, node.span)
    if isinstance(node, ast.Negative):
        value: int | float = yield number(node.operand, scope)
        return -value if node.signs % 2 else value
    if isinstance(node, ast.Arithmetic):
        total: int | float = yield number(node.first, scope)
        for sign, operand in node.rest:
            total = _bounded(_combine(sign, total, (yield number(operand, scope)), node.span), node.span)
        return total
    if isinstance(node, ast.Name):
        word: Datum = yield datum(node, scope)
        if isinstance(word, int | float):
            return word
        if word == "nan":
            raise refuse("C0106", "`nan` is not a number that a network may hold", node.span)
        raise refuse("C0305", f"there is no size called `{node.text}`", node.span, "expected a number")
    raise refuse("C0214", "expected a number", node.span)


def _combine(sign: str, a: float, b: float, span: Span) -> int | float:
    if sign == "/":
        if b == 0:
            raise refuse("C0106", "division by zero", span)
        return a // b if isinstance(a, int) and isinstance(b, int) and a % b == 0 else a / b
    return a + b if sign == "+" else a - b if sign == "-" else a * b


def _bounded(value: int | float, span: Span) -> int | float:
    if isinstance(value, int) and abs(value) > LARGEST:
        raise refuse("C0106", "the number is larger than any int64", span)
    if value != value or (isinstance(value, float) and abs(value) == float("inf")):
        raise refuse("C0106", "the number is larger than any float64", span, help="write `inf` for infinity")
    return value
