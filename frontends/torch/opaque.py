"""Operations without a rule, kept word for word: `torch.aten.grid_sampler_2d.default{x, grid, ...}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from cnnir.ir.graph import Value
from cnnir.ops.opaque import KIND, Attribute, Opaque
from cnnir.types import DTYPES, TensorType

from .build import Build, Known, Operand, Unsupported
from .program import Call


def keep(build: Build, call: Call, arguments: Mapping[str, Any]) -> tuple[Value, ...]:
    """An opaque layer for a call; raises Unsupported where its results are no tensors of known types.

    Tensors are inputs; the payload says which arguments they are, and holds the others.
    """
    types = [r.hint for r in call.results]
    shapes = [None if t is None else tuple(n for n in t.shape if n is not None) for t in types]
    known = all(t is not None and len(s or ()) == len(t.shape) and t.dtype in DTYPES for t, s in zip(types, shapes, strict=True))
    kind = f"torch.{call.target}"
    if not known or not types or not KIND.fullmatch(kind):
        raise Unsupported("what it gives has no place in a network")
    tensors: list[Operand] = []
    payload: list[tuple[str, Attribute]] = []
    for name, value in arguments.items():
        if value is not None:
            payload.append((name, _attribute(value, tensors)))
    outputs = tuple(TensorType(t.dtype, s or ()) for t, s in zip(types, shapes, strict=True) if t is not None)
    made = build.outputs(Opaque(kind, outputs, tuple(payload)), *(build.value(t) for t in tensors))
    return tuple(map(build.value, made))


def _attribute(value: Any, tensors: list[Operand]) -> Attribute:
    """An argument as data: a tensor is the word `input 0` for the first input of the layer."""
    if isinstance(value, Value | Known):
        tensors.append(value)
        return f"input {len(tensors) - 1}"
    if isinstance(value, tuple | list):
        return tuple("none" if part is None else _attribute(part, tensors) for part in cast("list[Any]", value))
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float | str):
        return value
    raise Unsupported(f"an argument of it is {type(value).__name__}")
