"""A tree held against the schema: fields that exist, of the kind and as often as they may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from cnnir import diagnostics
from cnnir.diagnostics import CnnirError, Diagnostic, Label, Source, Span

from .schema.messages import MESSAGES
from .schema.notation import FieldType
from .tree import Field, Message, Scalar
from .values import number

MAX_PROBLEMS = 20
"""Errors after which the rest of a file is not read."""
MAX_FLOAT = 3.4028235e38
_BOUNDS = {"int": (-(2**63), 2**63 - 1), "uint": (0, 2**32 - 1)}
_TRUTH = ("true", "false", "True", "False", "t", "f", "0", "1")
_WANTED = {
    "int": "a whole number", "uint": "a whole number, 0 or more", "float": "a finite number of float32", "bool": "`true` or `false`",
    "string": "a quoted text", "word": "a quoted text",
}  # fmt: skip


def check(source: Source, root: Message, known_type: frozenset[str]) -> None:
    """Raise CnnirError listing what is wrong with the fields of a network.

    Parameters of a layer whose type is none of `known_type` are not looked at: it is refused as a whole.
    """
    found: list[Diagnostic] = []
    pending: list[tuple[str, Message]] = [("NetParameter", root)]
    while pending and len(found) < MAX_PROBLEMS:
        kind, message = pending.pop()
        schema, seen = MESSAGES[kind], set[str]()
        strange = "type" in schema and kind.endswith("LayerParameter") and not _is_known(message, known_type)
        for field in message.fields:
            known = schema.get(field.name)
            if strange and field.name.endswith("_param"):
                continue
            if known is None:
                found.append(_unknown(source, field, kind, schema))
                continue
            found.extend(_field(source, field, known, field.name in seen))
            seen.add(field.name)
            if known.is_message:
                pending.extend((known.kind, value) for value in reversed(field.values) if isinstance(value, Message))
    if found:
        found.sort(key=lambda problem: problem.labels[0].span.start)
        raise CnnirError(found[:MAX_PROBLEMS])


def _is_known(layer: Message, known: frozenset[str]) -> bool:
    return any(f.name == "type" and isinstance(v, Scalar) and v.content in known for f in layer.fields for v in f.values)


def alike(word: str, known: Iterable[str]) -> str | None:
    """A help line naming the known word that looks most like this one."""
    return diagnostics.alike(word, islice(known, 2000))  # of a hundred thousand the look would take seconds


def _unknown(source: Source, field: Field, kind: str, schema: Iterable[str]) -> Diagnostic:
    label = Label(Span(source, field.start, field.end))
    return Diagnostic("C0841", f"`{kind}` has no field `{field.name}`", (label,), help=alike(field.name, schema))


def _field(source: Source, field: Field, known: FieldType, again: bool) -> Iterator[Diagnostic]:
    name = Span(source, field.start, field.end)
    if not known.many and (again or len(field.values) != 1) and known.kind != "any":
        yield Diagnostic("C0842", f"`{field.name}` is given once", (Label(name),))
        return
    for value in field.values:
        wanted = _refusal(value, known)
        if wanted:
            yield Diagnostic(
                "C0842", f"`{field.name}` is {wanted}", (Label(Span(source, value.start, value.end)),), help=_meant(value, known)
            )


def _meant(value: Scalar | Message, known: FieldType) -> str | None:
    return alike(value.content, known.words) if known.words and isinstance(value, Scalar) else None


def _refusal(value: Scalar | Message, known: FieldType) -> str | None:
    """What the value should be, where it is not."""
    if known.kind == "any":
        return None
    if known.is_message != isinstance(value, Message):
        return "a message in braces" if known.is_message else _WANTED.get(known.kind, f"one of {', '.join(known.words)}")
    if isinstance(value, Message):
        return None
    if known.kind == "enum":
        return None if value.content in known.words else f"one of {', '.join(known.words)}"
    if known.kind in ("string", "word"):
        return None if value.kind == "text" or (known.kind == "word" and value.kind == "word") else _WANTED[known.kind]
    if known.kind == "bool":
        return None if value.kind != "text" and value.content in _TRUTH else _WANTED["bool"]
    return None if value.kind != "text" and _is_number(value.content, known.kind) else _WANTED[known.kind]


def _is_number(text: str, kind: str) -> bool:
    try:
        value = number(text)
    except ValueError:
        return False
    if kind == "float":
        return abs(value) <= MAX_FLOAT
    least, most = _BOUNDS[kind]
    return isinstance(value, int) and least <= value <= most
