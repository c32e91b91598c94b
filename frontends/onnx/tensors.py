"""`TensorProto` -> known tensor: its claims are checked against each other before anything is allocated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper

from cnnir.diagnostics import Span
from cnnir.ir.weights import Computed, Held, Mapped, WeightSource
from cnnir.types import MAX_RANK, TensorType

from .elements import NARROW, STORED, element_name
from .extents import Extent
from .external import located
from .node import Array, Known
from .problems import refuse

MOST = 2**63 - 1
_LISTS = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")


@dataclass(frozen=True)
class Place:
    """Where tensors are: the model's file, and the raw data of it that stayed there."""

    file: Path | None
    extents: Mapping[str, Extent]


def checked_shape(name: str, dims: list[int], span: Span) -> tuple[int, ...]:
    """Dimensions as a shape; raises CnnirError where one is negative or their product is beyond int64."""
    if any(n < 0 for n in dims):
        raise refuse("C0805", f"tensor `{name}` has the shape {dims[:8]}", span, help="sizes are not negative")
    if math.prod(dims) > MOST or len(dims) > MAX_RANK:
        raise refuse("C0805", f"tensor `{name}` has the shape {dims[:8]}, more elements than can be counted", span)
    return tuple(dims)


def read(tensor: TensorProto, place: Place, span: Span, name: str | None = None) -> Known:
    """The tensor, without reading its elements; raises CnnirError where its data are not as long as its shape says."""
    name = tensor.name if name is None else name
    shape = checked_shape(name, list(tensor.dims), span)
    if tensor.data_type not in STORED:
        kind = element_name(tensor.data_type)
        raise refuse("C0812", f"tensor `{name}` is of {kind}, which has no type here", span)
    dtype = STORED[tensor.data_type]
    narrow = tensor.data_type if tensor.data_type in NARROW else 0
    return Known(name, TensorType(dtype, shape), _source(tensor, name, TensorType(dtype, shape), narrow, place, span), narrow)


def _source(tensor: TensorProto, name: str, t: TensorType, narrow: int, place: Place, span: Span) -> WeightSource:
    needed = stored_bytes(t, narrow)
    raw = left_in_file(tensor, name, place, needed, span)
    if raw is not None:
        if tensor.data_location != TensorProto.EXTERNAL:
            _same_length(name, t, place.extents[name].length, needed, span)
        return _unpacked(raw, t, narrow) if narrow else Mapped(raw.path, raw.offset, t.shape, t.numpy)
    if tensor.HasField("raw_data"):
        _same_length(name, t, len(tensor.raw_data), needed, span)
    else:
        _check_list(tensor, name, t, needed, narrow, span)
    return Held(_array(tensor, t))


def left_in_file(tensor: TensorProto, name: str, place: Place, needed: int, span: Span) -> Mapped | None:
    """The bytes of a tensor whose numbers are in a file, the model's or one beside it; None where the message holds them."""
    if tensor.data_location == TensorProto.EXTERNAL:
        path, offset = located(tensor, needed, place.file, span)
        return Mapped(path, offset, (needed,), np.dtype(np.uint8))
    if name in place.extents and not tensor.HasField("raw_data") and place.file is not None:
        return Mapped(place.file, place.extents[name].offset, (needed,), np.dtype(np.uint8))
    return None


def _array(tensor: TensorProto, t: TensorType) -> Array:
    found: Any = numpy_helper.to_array(tensor)
    return np.ascontiguousarray(np.asarray(found).astype(t.numpy, copy=False)).reshape(t.shape)


def stored_bytes(t: TensorType, narrow: int) -> int:
    """How many bytes a tensor takes in a file, where several narrow elements share one."""
    if not narrow:
        return t.bytes
    per_byte = 2 if NARROW[narrow][2] - NARROW[narrow][1] == 15 else 4
    return -(-t.elements // per_byte)


def _unpacked(raw: Mapped, t: TensorType, narrow: int) -> WeightSource:
    def make() -> Array:
        packed = TensorProto(data_type=narrow, dims=t.shape, raw_data=raw.array().tobytes())
        return _array(packed, t)

    return Computed(t.shape, t.numpy, make)


def _same_length(name: str, t: TensorType, given: int, needed: int, span: Span) -> None:
    if given != needed:
        raise refuse("C0805", f"tensor `{name}` is {t}, which takes {needed:,} bytes, and {given:,} are given", span)


def _check_list(tensor: TensorProto, name: str, t: TensorType, needed: int, narrow: int, span: Span) -> None:
    """Elements in one of the typed lists: as many as the shape says, or bytes in the case of packed ones."""
    counts = [len(getattr(tensor, kind)) for kind in _LISTS]
    wanted = needed if narrow else t.elements
    if max(counts) != wanted or sum(counts) != wanted:
        raise refuse("C0805", f"tensor `{name}` is {t}, {wanted:,} numbers, and {sum(counts):,} are given", span)
