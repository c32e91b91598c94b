"""Layers that came from PyTorch as they are, and go back to it."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from typing import Any

import torch

from cnnir.ir.graph import Layer
from cnnir.ops.opaque import Attribute, Opaque
from cnnir.types import TensorType

from .builder import DTYPES, Builder, Node, unsupported

_KIND = re.compile(r"torch\.aten\.([a-z_0-9]+)\.([A-Za-z_0-9]+)")
_INPUT = re.compile(r"input (\d+)")


def call(build: Builder, layer: Layer, data: Sequence[Node], types: Sequence[TensorType]) -> tuple[Node, ...]:
    """The ATen operation that the layer is called after.

    The name may come from a file, so only operations on tensors that change nothing are looked up.
    """
    op = layer.op
    assert isinstance(op, Opaque)
    function = _operation(op.kind)
    named = {name: _argument(value, data) for name, value in op.payload}
    kinds = {a.name: str(a.type) for a in function._schema.arguments}
    given = {("self" if name == "input" and "self" in kinds else name): value for name, value in named.items()}
    for name, kind in kinds.items():
        if "ScalarType" in kind or (name == "dtype" and isinstance(given.get(name), str)):
            given = {**given, name: DTYPES.get(given[name])} if name in given else given
        if "bool" in kind and isinstance(given.get(name), int):
            given[name] = bool(given[name])
    whole = build.call(function, **given)
    if len(layer.outputs) == 1 and len(function._schema.returns) == 1:
        return (whole,)
    return tuple(build.call(operator.getitem, whole, i) for i in range(len(layer.outputs)))


def _operation(kind: str) -> Any:
    match = _KIND.fullmatch(kind)
    packet = getattr(torch.ops.aten, match[1], None) if match else None
    function = getattr(packet, match[2], None) if match and packet is not None else None
    if function is None or function._schema.is_mutable or not any("Tensor" in str(a.type) for a in function._schema.arguments):
        unsupported(f"`{kind}` is no operation of PyTorch on tensors")
    return function


def _argument(value: Attribute, data: Sequence[Node]) -> Any:
    if isinstance(value, tuple):
        return [None if part == "none" else _argument(part, data) for part in value]
    match = _INPUT.fullmatch(value) if isinstance(value, str) else None
    return data[int(match[1])] if match and int(match[1]) < len(data) else value
