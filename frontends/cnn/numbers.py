"""Arithmetic on sizes and attributes: `2*c`, `1/6`, `[1, 1]`, `same`."""

from __future__ import annotations

import base64
import math

from cnnir.diagnostics import Span
from cnnir.types import DTYPES, MAX_RANK, TensorType

from . import ast
from .problems import alike, refuse
from .scope import Scope
from .trampoline import Task

LARGEST = 2**63 - 1
MAX_SIZE = 2**31 - 1


class Word(str):
    """A bare word as an argument, such as `same` or `off`."""


class Text(str):
    """A quoted word as an argument: the name of a weight."""


Datum = int | float | Word | Text | bytes | TensorType | tuple["Datum", ...]


def literal(node: ast.Expression, scope: Scope) -> Datum | None:
    """What a name or a number says: most arguments need no task. None for anything else."""
    if isinstance(node, ast.Number):
        return _bounded(node.value, node.span)
    if not isinstance(node, ast.Name):
        return None
    if node.quoted:
        return Text(node.text)
    if node.text in scope.sizes:
        return scope.sizes[node.text]
    if node.text == "nan":
        raise refuse("C0106", "`nan` is not a number that a network may hold", node.span)
    return float("inf") if node.text == "inf" else Word(node.text)


def datum(node: ast.Expression, scope: Scope) -> Task[Datum]:
    """What an argument that is not a tensor says."""
    said = literal(node, scope)
    if said is not None:
        return said
    if isinstance(node, ast.TypeName):
        return (yield tensor_type(node, scope))
    if isinstance(node, ast.Call) and node.name.text in ("base64", "text"):
        return _joined(node)
    if isinstance(node, ast.Sequence):
        items: list[Datum] = []
        for item in node.items:
            said = literal(item, scope)
            items.append((yield datum(item, scope)) if said is None else said)
        return tuple(items)
    return (yield number(node, scope))


def _joined(node: ast.Call) -> Text | bytes:
    """`text("...", "...")` or `base64("...", "...")`: what is too long for one pair of quotes, or is no text."""
    pieces = [a.value.text for a in node.arguments if a.key is None and isinstance(a.value, ast.Name) and a.value.quoted]
    if len(pieces) != len(node.arguments):
        raise refuse("C0214", f"`{node.name.text}` takes quoted texts", node.span)
    if node.name.text == "text":
        return Text("".join(pieces))
    try:
        return base64.b64decode("".join(pieces), validate=True)
    except ValueError as error:
        raise refuse("C0214", "this is not base64", node.span, str(error)) from None


def tensor_type(written: ast.TypeName, scope: Scope) -> Task[TensorType]:
    """The type that `f32[1, 3, 8, 8]` stands for."""
    if written.dtype not in DTYPES:
        raise refuse("C0218", f"there is no element type `{written.dtype}`", written.span, help=alike(written.dtype, DTYPES))
    if len(written.sizes) > MAX_RANK:
        raise refuse("C0210", f"a tensor has at most {MAX_RANK} axes", written.span, f"this has {len(written.sizes)}")
    shape: list[int] = []
    for node in written.sizes:
        size: int | float = yield number(node, scope)
        if not isinstance(size, int) or not 1 <= size <= MAX_SIZE:
            raise refuse("C0210", f"a size must be a whole number from 1 to {MAX_SIZE:,}", node.span, f"this is {size}")
        shape.append(size)
    if math.prod(shape) >= 2**63:
        raise refuse("C0210", "the tensor is too large: its elements do not count in 64 bits", written.span)
    return TensorType(written.dtype, tuple(shape))


def number(node: ast.Expression, scope: Scope) -> Task[int | float]:
    """The value of an arithmetic expression; a division that comes out whole stays whole."""
    if isinstance(node, ast.Negative):
        value: int | float = yield number(node.operand, scope)
        return -value if node.signs % 2 else value
    if isinstance(node, ast.Arithmetic):
        total: int | float = yield number(node.first, scope)
        for sign, operand in node.rest:
            total = combine(sign, total, (yield number(operand, scope)), node.span)
        return total
    if isinstance(node, ast.Number | ast.Name):
        word = literal(node, scope)
        if isinstance(word, int | float):
            return word
        raise refuse("C0305", f"there is no size called `{word}`", node.span, "expected a number")
    raise refuse("C0214", "expected a number", node.span)


def combine(sign: str, a: float, b: float, span: Span) -> int | float:
    """Two numbers with a sign between them; raises CnnirError for a division by zero, or a result that no number holds."""
    return _bounded(_combined(sign, a, b, span), span)


def _combined(sign: str, a: float, b: float, span: Span) -> int | float:
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
