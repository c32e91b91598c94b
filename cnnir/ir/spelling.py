"""How names, numbers, expressions and ops are written in the language: what the parser reads back equal."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, cast

from cnnir.ops.base import Op, PerAxis
from cnnir.ops.convolution import Conv
from cnnir.scalar.expr import Const, Expr, Var, fold
from cnnir.scalar.primitives import Primitive
from cnnir.types import DTYPES, TensorType

KEYWORDS = frozenset({"network", "block", "activation", "weights", "return", "in", "none"})
_BARE = re.compile(r"[A-Za-z_][A-Za-z_0-9]*(\.[A-Za-z_][A-Za-z_0-9]*)*")
_SIGNS = {"add": ("+", 1), "sub": ("-", 1), "mul": ("*", 2), "div": ("/", 2)}
_UNARY, _ATOM = 3, 4


def name(text: str) -> str:
    """A name, in quotes where it needs them."""
    return text if _BARE.fullmatch(text) and text not in KEYWORDS and text not in DTYPES and len(text) < 1000 else quoted(text)


def quoted(text: str) -> str:
    """A quoted name; what a reader could not see is written as an escape."""

    def visible(c: str) -> str:
        if c in '"\\':
            return "\\" + c
        return f"\\u{{{ord(c):x}}}" if unicodedata.category(c)[0] in "CZ" and c != " " else c

    return f'"{"".join(map(visible, text))}"'


def number(value: float) -> str:
    """A number that reads back as the same float64."""
    if abs(value) < 1e16 and float(value).is_integer():
        return "-0.0" if str(value) == "-0.0" else str(int(value))
    return repr(value)


def expression(expr: Expr, x: str = "x") -> str:
    """An expression over one variable, with as few brackets as the language needs."""

    def leaf(found: Expr) -> tuple[str, int]:
        if isinstance(found, Const):
            text = number(found.value)
            return text, _UNARY if text.startswith("-") else _ATOM
        assert isinstance(found, Var)
        return x, _ATOM

    def node(primitive: Primitive, args: Sequence[tuple[str, int]]) -> tuple[str, int]:
        if primitive.name in _SIGNS:
            sign, level = _SIGNS[primitive.name]
            return f"{_within(args[0], level)} {sign} {_within(args[1], level + 1)}", level
        if primitive.name == "neg" and not _literal(args[0][0]):
            return f"-{_within(args[0], _UNARY)}", _UNARY
        return f"{primitive.name}({', '.join(text for text, _ in args)})", _ATOM

    return fold(expr, leaf, node)[0]


def _within(written: tuple[str, int], level: int) -> str:
    text, own = written
    return text if own >= level else f"({text})"


def _literal(text: str) -> bool:
    """Whether a minus before the text would become part of a number."""
    return bool(re.fullmatch(r"-*([0-9.]+(e[+-]?[0-9]+)?|inf)", text))


def operation(op: Op, data: TensorType | None) -> tuple[str, list[str]]:
    """The name of a call and its arguments for an op applied to `data`; attributes at their defaults are left out."""
    values = dict(op.attributes())
    called = op.name
    if isinstance(op, Conv) and data is not None and op.groups == data.channels > 1:
        called, multiplier = "depthwise", values.pop("out") // values.pop("groups")
        rest = _arguments(op, values, data)
        return called, [*rest, *([f"multiplier={multiplier}"] if multiplier > 1 else [])]
    return called, _arguments(op, values, data)


def _arguments(op: Op, values: Mapping[str, Any], data: TensorType | None) -> list[str]:
    found: list[str] = []
    leading = True  # required arguments that nothing left out stands before are written without their names
    for field in dataclasses.fields(op):
        if field.name not in values or not field.metadata.get("written", True):
            continue
        value, axes = values[field.name], field.metadata.get("axes")
        required = field.default is dataclasses.MISSING and not (isinstance(axes, PerAxis) and axes.like)
        if not required and _usual(value, field, axes, values):
            leading = False
            continue
        leading = leading and (required or bool(field.metadata.get("variadic")))
        text = _spatial(value, axes) if isinstance(axes, PerAxis) else _plain(value)
        if leading and value and field.metadata.get("variadic"):
            text, leading = text[1:-1], False
            found.append(text)
            continue
        if isinstance(value, str) and value not in DTYPES:
            leading = False  # a word alone could be the name of a value
        found.append(text if leading else f"{field.name}={text}")
    del data
    return found


def _usual(value: Any, field: dataclasses.Field[Any], axes: object, values: Mapping[str, Any]) -> bool:
    """Whether a field holds what it would hold if nothing were written."""
    if isinstance(axes, PerAxis):
        return value == values[axes.like] if axes.like else axes.fill is not None and set(value) == {axes.fill}
    return value == field.default and str(value) == str(field.default)  # 0.0 equals -0.0


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_plain, cast('tuple[Any, ...]', value)))}]"
    return number(value) if isinstance(value, int | float) else str(value)


def _spatial(value: tuple[int, ...], axes: PerAxis) -> str:
    if len(set(value)) == 1:
        return str(value[0])
    half = len(value) // 2
    shown = value[:half] if axes.pads and value[:half] == value[half:] else value
    return f"[{', '.join(map(str, shown))}]"
