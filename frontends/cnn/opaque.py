"""`onnx.Op{a, none, outputs=[f32[1, 8]], alpha=0.5}` -> the op that keeps what was written and knows nothing of it."""

from __future__ import annotations

from collections.abc import Sequence

from cnnir.diagnostics import Span
from cnnir.ops.opaque import Attribute, Opaque
from cnnir.types import TensorType

from .arguments import Given
from .numbers import Datum, Text, Word
from .problems import refuse

OUTPUTS = "outputs"
"""The key of the output types. An attribute of that name is written in quotes, as every one may be."""


def opaque_op(kind: str, given: Sequence[Given], span: Span) -> Opaque:
    """The op; raises CnnirError where output types are missing or an attribute is no value."""
    types: tuple[TensorType, ...] | None = None
    payload: dict[str, Attribute] = {}
    for argument in given:
        key = argument.key
        if key == OUTPUTS and not argument.quoted:
            types = _types(argument)
        elif key in payload:
            raise refuse("C0216", f"`{key}` is given twice", argument.span)
        else:
            payload[key] = _attribute(argument.value, argument.span)
    if types is None:
        raise refuse("C0213", f"`{kind}` needs `outputs`", span, help=f"write `{kind}{{outputs=[f32[1, 8]]}}`")
    return Opaque(kind, types, tuple(payload.items()))


def _types(argument: Given) -> tuple[TensorType, ...]:
    found = argument.value if isinstance(argument.value, tuple) else (argument.value,)
    types = tuple(t for t in found if isinstance(t, TensorType))
    if not types or len(types) != len(found):
        raise refuse("C0214", "`outputs` must be a list of types", argument.span, help="write `outputs=[f32[1, 8], i64[1]]`")
    return types


def _attribute(value: Datum, span: Span) -> Attribute:
    if isinstance(value, Word):
        raise refuse("C0214", f"`{value}` must be in quotes here", span, help=f'write `"{value}"`')
    if isinstance(value, Text):
        return str(value)
    return tuple(_attribute(v, span) for v in value) if isinstance(value, tuple) else value
