"""Blobs of a `.caffemodel` as arrays on the mapped file: a shape, old or new, and numbers, packed or one by one."""

from __future__ import annotations

import math

import numpy as np

from cnnir.diagnostics import CnnirError
from cnnir.ops.base import Array

from ...problems import refuse
from ...wire import BYTES, FIXED32, FIXED64, VARINT, Entry, Wire, WireError
from ..net import Layer

_SHAPE, _SHAPE_DIM, _OLD_SHAPE = 7, 1, (1, 2, 3, 4)
_NUMBERS = {5: np.dtype("<f4"), 8: np.dtype("<f8")}
"""BlobProto: `data` and `double_data`; `diff` (6, 9) is what training leaves behind."""
_RUNS = {5, 6, 8, 9}
_MOST_AXES = 32
"""Caffe's own limit."""
_CHUNK = 1 << 22


class Blob:
    """One array of a layer, found but not yet read."""

    def __init__(self, wire: Wire, begin: int, end: int) -> None:
        self._wire = wire
        self._begin = begin
        self._end = end

    def array(self) -> tuple[tuple[int, ...], Array]:
        """The shape that the file gives and the numbers, one after the other; raises WireError where these are not as many.

        The numbers lie in the mapped file, not aligned; only those that are not packed in one piece are copied.
        """
        dims: tuple[int, ...] | None = None
        old = dict.fromkeys(_OLD_SHAPE, 0)
        parts: list[Array] = []
        place = self._begin
        while place < self._end:
            entry = next(self._wire.fields(place, self._end))
            place = entry.end
            if entry.number in _RUNS and entry.kind in (FIXED32, FIXED64):
                numbers, place = self._run(entry)
                parts += [numbers] if entry.number in _NUMBERS else []
            elif entry.number in _NUMBERS and entry.kind == BYTES:
                parts.append(self._packed(entry))
            elif entry.number == _SHAPE and entry.kind == BYTES:
                dims = tuple(self._dims(entry))
            elif entry.number in old and entry.kind == VARINT:
                old[entry.number] = entry.value
        shape = tuple(old.values()) if dims is None else dims
        values = parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.zeros(0, np.float32)
        if math.prod(shape) != len(values):
            raise WireError(f"a blob of shape {list(shape)} holds {len(values):,} numbers")
        return shape, values

    def _packed(self, entry: Entry) -> Array:
        dtype = _NUMBERS[entry.number]
        if (entry.end - entry.begin) % dtype.itemsize:
            raise WireError(f"{entry.end - entry.begin:,} bytes of numbers of {dtype.itemsize} bytes")
        return np.frombuffer(self._wire.data, dtype, (entry.end - entry.begin) // dtype.itemsize, entry.begin)

    def _run(self, entry: Entry) -> tuple[Array, int]:
        """Numbers one by one, each behind its own tag, as long as the same tag comes again; and where they end."""
        size = entry.end - entry.begin
        first = entry.begin - 1  # the tags of fields below 16 take one byte
        item = np.dtype([("tag", "u1"), ("value", f"<f{size}")])
        most = (self._end - first) // item.itemsize
        count, step = 1, 16
        while count < most:  # further and further: a run of one must not cost a look at all that follows
            part = np.frombuffer(self._wire.data, item, min(step, most - count), first + count * item.itemsize)
            same = part["tag"] == self._wire.data[first]
            reached = len(part) if same.all() else int(np.argmin(same))
            count, step = count + reached, step * 4
            if reached < len(part):
                break
        return np.frombuffer(self._wire.data, item, count, first)["value"], first + count * item.itemsize

    def _dims(self, entry: Entry) -> list[int]:
        """Sizes, packed or one by one."""
        found: list[int] = []
        for size in self._wire.fields(entry.begin, entry.end):
            if size.number == _SHAPE_DIM and size.kind == VARINT:
                found.append(size.value)
            elif size.number == _SHAPE_DIM and size.kind == BYTES and size.end - size.begin <= 10 * _MOST_AXES:
                found += self._wire.varints(size)
        if len(found) > _MOST_AXES:
            raise WireError(f"a shape of {len(found)} axes")
        return found


def fitted(blobs: list[Blob], place: int, shape: tuple[int, ...], layer: Layer) -> Array:
    """The numbers of one of a layer's blobs in the shape that the layer needs; raises CnnirError where they do not fit.

    Leading sizes of 1 do not count: until 2014 every blob had four axes.
    """
    if place >= len(blobs):
        found = f"only {len(blobs)} of the weights" if blobs else "no weights"
        raise refuse("C0404", f"the weights file has {found} of layer `{layer.name}`", layer.span)
    try:
        found, values = blobs[place].array()
    except WireError as error:
        raise refuse("C0845", f"weight {place} of layer `{layer.name}` is damaged: {error}", layer.span) from None
    if _bare(found) != _bare(shape):
        message = f"weight {place} of layer `{layer.name}` is {list(found)} in the weights file, and must be {list(shape)} here"
        raise refuse("C0304", message, layer.span)
    bad = _first_strange(values)
    if bad is not None:
        raise _strange(values, bad, place, layer)
    return values.reshape(shape)


def _bare(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its leading ones."""
    start = next((i for i, n in enumerate(shape) if n != 1), len(shape))
    return shape[start:]


def _first_strange(values: Array) -> int | None:
    """Where the first number is that no float32 is: NaN, an infinity, or beyond float32; None where all are finite."""
    for begin in range(0, len(values), _CHUNK):
        with np.errstate(over="ignore"):
            part = values[begin : begin + _CHUNK].astype(np.float32)
        finite = np.isfinite(part)
        if not finite.all():
            return begin + int(np.argmin(finite))
    return None


def _strange(values: Array, place: int, weight: int, layer: Layer) -> CnnirError:
    message = f"weight {weight} of layer `{layer.name}` holds {float(values[place])} at place {place:,}"
    return refuse("C0846", message, layer.span, help="train or save the network again: with such a weight its answers are not numbers")
