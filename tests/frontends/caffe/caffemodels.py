"""Small `.caffemodel` files, made byte by byte: what `protoc` would write, and what it would not."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def varint(value: int) -> bytes:
    found = b""
    while value >= 128:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


def field(number: int, content: bytes | int) -> bytes:
    """A field of bytes, or a varint."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def shape(dims: Sequence[int], packed: bool = True) -> bytes:
    return field(7, field(1, b"".join(map(varint, dims))) if packed else b"".join(field(1, n) for n in dims))


def blob(values: Array, dims: Sequence[int] | None = None) -> bytes:
    """As Caffe writes it: a shape, packed floats."""
    return shape(values.shape if dims is None else dims) + field(5, values.astype("<f4").tobytes())


def old_blob(values: Array) -> bytes:
    """Four sizes instead of a shape."""
    dims = (1,) * (4 - values.ndim) + values.shape
    return b"".join(field(place, n) for place, n in enumerate(dims, start=1)) + field(5, values.astype("<f4").tobytes())


def doubles(values: Array) -> bytes:
    return shape(values.shape) + field(8, values.astype("<f8").tobytes())


def unpacked(values: Array, number: int = 5) -> bytes:
    """A tag before each number, as writers of proto2 do where nobody says `packed`."""
    form, kind = ("<f", 5) if number in (5, 6) else ("<d", 1)
    return shape(values.shape, packed=False) + b"".join(varint(number << 3 | kind) + struct.pack(form, v) for v in values.ravel().tolist())


def layer(name: str, blobs: Sequence[bytes]) -> bytes:
    return field(100, field(1, name.encode()) + field(2, b"Convolution") + b"".join(field(7, b) for b in blobs))


def old_layer(name: str, blobs: Sequence[bytes]) -> bytes:
    return field(2, field(2, b"data") + field(3, b"top") + field(4, name.encode()) + field(5, 4) + b"".join(field(6, b) for b in blobs))


def oldest_layer(name: str, blobs: Sequence[bytes]) -> bytes:
    inner = field(1, name.encode()) + field(2, b"conv") + b"".join(field(50, b) for b in blobs)
    return field(2, field(1, inner) + field(2, b"data"))


def model(layers: Mapping[str, Sequence[Array]]) -> bytes:
    """A file of layers with their blobs."""
    return field(1, b"net") + b"".join(layer(name, [blob(b) for b in blobs]) for name, blobs in layers.items())
