"""Arguments as written -> fields of an op, by the types and metadata that the op declares."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cnnir.diagnostics import Label, Span
from cnnir.ops.base import Op, PerAxis
from cnnir.ops.window import same_pads
from cnnir.types import TensorType

from .numbers import Datum, Text, Word
from .problems import alike, refuse

_SWITCHES = {"on": True, "true": True, "off": False, "false": False}


@dataclass(frozen=True)
class Given:
    """One argument: what it says and where; `key` is "" for a positional one."""

    key: str
    value: Datum
    span: Span
    quoted: bool = False
    """Whether the key is in quotes."""


@dataclass(frozen=True)
class _Field:
    """A field of an op that can be written: its name and type, how spatial axes fill it, and whether it must be written."""

    name: str
    kind: Any
    axes: PerAxis | None
    required: bool
    variadic: bool


@functools.cache
def _fields(op: type[Op]) -> tuple[_Field, ...]:
    found: list[_Field] = []
    kinds = typing.get_type_hints(op)
    for field in dataclasses.fields(op):
        axes: PerAxis | None = field.metadata.get("axes")
        filled = axes is not None and (axes.fill is not None or bool(axes.like))
        required = field.default is dataclasses.MISSING and not filled
        if field.metadata.get("written", True):
            found.append(_Field(field.name, kinds[field.name], axes, required, bool(field.metadata.get("variadic"))))
    return tuple(found)


def match(names: Sequence[str], what: str, given: Sequence[Given], span: Span, hints: Sequence[str] = ()) -> dict[str, Given]:
    """Parameter name -> argument: positional ones in order, then those given by name; nothing twice, nothing unknown.

    `hints` are further names that would have been understood, offered where a name is misspelt.
    """
    found: dict[str, Given] = {}
    position = 0
    for argument in given:
        name = argument.key
        if not name:
            if position >= len(names):
                count = f"at most {len(names)} argument{'s' * (len(names) != 1)}" if names else "no arguments"
                raise refuse("C0215", f"`{what}` takes {count}", argument.span)
            name, position = names[position], position + 1
        if name not in names:
            known = f"it takes {', '.join(f'`{n}`' for n in names)}" if names else None
            raise refuse("C0212", f"`{what}` has no argument `{name}`", argument.span, help=alike(name, [*names, *hints]) or known)
        if name in found:
            raise refuse(
                "C0216", f"`{name}` is given twice", argument.span, "", None, Label(found[name].span, "first given here", primary=False)
            )
        found[name] = argument
    return found


def bind(op: type[Op], name: str, given: Sequence[Given], data: TensorType | None, span: Span, roles: Sequence[str] = ()) -> dict[str, Any]:
    """Field name -> value for an op applied to `data`; raises CnnirError with the argument's own span.

    May raise OpError through `same_pads`' sizes only; the op checks the values themselves when it is made.
    """
    fields = _fields(op)
    if fields and fields[0].variadic:
        given = _gathered(fields[0].name, given)
    found = match([f.name for f in fields], name, given, span, (*roles, "name"))
    values: dict[str, Any] = {}
    for field in fields:
        if field.name not in found:
            if field.required:
                raise refuse("C0213", f"`{name}` needs `{field.name}`", span, help=_usage(op, name))
            if field.axes is not None and data is not None:
                values[field.name] = _default(field.axes, values, data.rank - 2)
        elif field.axes is not None:
            rank = max(1, data.rank - 2) if data is not None else 2
            values[field.name] = _spatial(found[field.name], field.name, field.axes, rank)
        else:
            values[field.name] = _plain(found[field.name], field.name, field.kind)
    if data is not None and values.get("pad") == "same":
        values["pad"] = _same(values, data, found["pad"].span)
    return values


def _gathered(name: str, given: Sequence[Given]) -> list[Given]:
    """All positional arguments as one list for the field `name`; a list that was written as one stays."""
    positional = [g for g in given if not g.key]
    if not positional or isinstance(positional[0].value, tuple):
        return list(given)
    first, last = positional[0].span, positional[-1].span
    whole = Given(name, tuple(g.value for g in positional), Span(first.source, first.start, last.end))
    return [whole, *(g for g in given if g.key)]


def _usage(op: type[Op], name: str) -> str:
    """How the op is written, with the arguments it cannot do without."""
    needed = [
        f.name for f in dataclasses.fields(op) if f.default is dataclasses.MISSING and not getattr(f.metadata.get("axes"), "like", "")
    ]
    return f"write `{name}({', '.join(needed)})`"


def _default(axes: PerAxis, values: Mapping[str, Any], rank: int) -> tuple[int, ...]:
    if axes.like:
        return values[axes.like]
    return (axes.fill or 0,) * (max(1, rank) * (1 + axes.pads))


def _whole(value: Datum, name: str, span: Span) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return int(value)
    raise refuse("C0214", f"`{name}` must be a whole number", span, f"this is {_describe(value)}")


def _describe(value: Datum) -> str:
    if isinstance(value, Text):
        return "quoted text"
    if isinstance(value, Word):
        return f"the word `{value}`"
    if isinstance(value, TensorType | bytes):
        return "a type" if isinstance(value, TensorType) else "bytes"
    return "a list" if isinstance(value, tuple) else f"{value:g}"


def _spatial(argument: Given, name: str, axes: PerAxis, rank: int) -> tuple[int, ...] | str:
    """One number for every axis, one per axis, or for pads also all begins and then all ends, or `same`."""
    value, span = argument.value, argument.span
    if axes.pads and axes.same and value == "same":
        return "same"
    if not isinstance(value, tuple):
        return (_whole(value, name, span),) * (rank * (1 + axes.pads))
    numbers = tuple(_whole(v, name, span) for v in value)
    if len(numbers) == rank:
        return numbers * (1 + axes.pads)
    if axes.pads and len(numbers) == 2 * rank:
        return numbers
    wanted = f"{rank} or {2 * rank}" if axes.pads else str(rank)
    raise refuse("C0214", f"`{name}` needs one number, or a list of {wanted}", span, f"this list has {len(numbers)}")


def _same(values: Mapping[str, Any], data: TensorType, span: Span) -> tuple[int, ...]:
    """The pads that `same` stands for on this input."""
    windows = [(n, *(values[f][i] for f in ("kernel", "stride", "dilation"))) for i, n in enumerate(data.spatial)]
    if any(min(w) < 1 for w in windows):
        raise refuse("C0206", "`pad=same` needs kernel, stride and dilation >= 1", span)
    pads = [same_pads(*window) for window in windows]
    return (*(p[0] for p in pads), *(p[1] for p in pads))


def _plain(argument: Given, name: str, kind: Any) -> Any:
    """A number, switch, word or list of them, as the field's type wants it; a list of one may be written without brackets."""
    value, span = argument.value, argument.span
    kinds = [k for k in (typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)) if k is not type(None)]
    listed = next((typing.get_args(k)[0] for k in kinds if typing.get_origin(k) is tuple), None)
    single = next((k for k in kinds if typing.get_origin(k) is not tuple), None)
    if listed is not None and (isinstance(value, tuple) or single is None):
        return tuple(_single(v, name, listed, span) for v in (value if isinstance(value, tuple) else (value,)))
    return _single(value, name, single, span)


def _single(value: Datum, name: str, kind: Any, span: Span) -> Any:
    if typing.get_origin(kind) is Literal:
        choices = typing.get_args(kind)
        if value in choices:
            return str(value)
        listing = ", ".join(f"`{c}`" for c in choices)
        raise refuse("C0214", f"`{name}` must be one of {listing}", span, f"this is {_describe(value)}", alike(str(value), choices))
    if kind is bool:
        if isinstance(value, Word) and value in _SWITCHES:
            return _SWITCHES[value]
        raise refuse("C0214", f"`{name}` must be `on` or `off`", span, f"this is {_describe(value)}")
    if kind is int:
        return _whole(value, name, span)
    if kind is TensorType:
        if isinstance(value, TensorType):
            return value
        raise refuse("C0214", f"`{name}` must be a type such as `f32[1, 8]`", span, f"this is {_describe(value)}")
    if isinstance(value, int | float):
        return float(value)
    raise refuse("C0214", f"`{name}` must be a number", span, f"this is {_describe(value)}")
