"""How names, numbers, expressions and ops are written in the language: what the parser reads back equal."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from cnnir.ops.arithmetic import Binary
from cnnir.ops.base import Op, PerAxis
from cnnir.ops.convolution import Conv
from cnnir.scalar.expr import Const, Expr, Var, fold
from cnnir.scalar.primitives import Primitive
from cnnir.types import DTYPES, TensorType

KEYWORDS = frozenset({"network", "block", "activation", "weights", "return", "in", "none", "inf"})
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


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call, as it would be written."""

    field: str
    text: str
    number: int | float | None = None
    """The number that says it all, where there is one."""
    usual: bool = False
    """Whether leaving it out says the same."""
    bare: bool = False
    """Whether it may stand without its name, as long as nothing before it is left out."""
    listed: bool = False
    """Whether the items of its list may stand without brackets."""
    word: bool = False
    """Whether it is a word, which could be the name of a value."""
    primary: bool = False
    """Whether it says how large the layer is: what differs from one use of a block to the next before anything else does."""


def operation(op: Op, data: TensorType | None) -> tuple[str, tuple[Argument, ...]]:
    """The name of a call and all its arguments, for an op applied to `data`."""
    values = dict(op.attributes())
    if isinstance(op, Binary):  # its number is an operand
        return op.name, () if op.constant is None else (Argument("constant", number(op.constant), op.constant, bare=True),)
    if isinstance(op, Conv) and data is not None and op.groups == data.channels > 1:
        multiplier = values.pop("out") // values.pop("groups")
        more = Argument("multiplier", number(multiplier), multiplier, usual=multiplier == 1)
        return "depthwise", (*_arguments(op, values), more)
    return op.name, tuple(_arguments(op, values))


def written(arguments: Sequence[Argument], texts: Sequence[str | None] | None = None) -> list[str]:
    """The arguments of a call; `texts` says what stands for each, None for what is left out: attributes at their defaults."""
    found: list[str] = []
    leading = True  # required arguments that nothing left out stands before are written without their names
    for place, argument in enumerate(arguments):
        text = texts[place] if texts is not None else None if argument.usual else argument.text
        if text is None:
            leading = False
            continue
        leading = leading and argument.bare and not argument.word
        if leading and argument.listed and text.startswith("["):
            text, leading = text[1:-1], False
            found.append(text)
        else:
            found.append(text if leading else f"{argument.field}={text}")
    return found


def _arguments(op: Op, values: Mapping[str, Any]) -> Iterator[Argument]:
    for field in dataclasses.fields(op):
        if field.name not in values or not field.metadata.get("written", True):
            continue
        value, axes = values[field.name], field.metadata.get("axes")
        spatial, listed = isinstance(axes, PerAxis), bool(field.metadata.get("variadic"))
        required = field.default is dataclasses.MISSING and not (isinstance(axes, PerAxis) and axes.like)
        yield Argument(
            field.name,
            _spatial(value, axes) if isinstance(axes, PerAxis) else _plain(value),
            _single(value, spatial),
            usual=not required and _usual(value, field, axes, values),
            bare=required or listed,
            listed=listed and bool(value),
            word=isinstance(value, str) and value not in DTYPES,
            primary=required and not spatial,
        )


def _single(value: Any, spatial: bool) -> int | float | None:
    """The one number that a field holds, or holds on every axis."""
    if spatial and len(set(value)) == 1:
        return value[0]
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


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
