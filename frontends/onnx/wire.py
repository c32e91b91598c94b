"""The bytes of a protocol buffer, as far as needed to leave large weights where they are: in the file.

Parsing a model of 500 MB makes a second copy of its weights. Here the message is copied without them, and where they lie is
noted, so that each is mapped when it is asked for. Field numbers are those of onnx.proto.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass

Buffer = mmap.mmap | bytes
GRAPH, INITIALIZER, NAME, RAW_DATA = 7, 5, 8, 9
NODE, ATTRIBUTE, SUBGRAPH, SUBGRAPHS = 1, 5, 0, (6, 11)
DEEPEST = 24
"""Subgraphs inside subgraphs at most; protocol buffers end at 33."""
LENGTH_DELIMITED = 2
_FIXED = {1: 8, 5: 4}
LEFT_IN_PLACE = 4096
"""Bytes of raw data from which on they stay in the file."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Where something lies in a file."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class _Field:
    number: int
    kind: int
    start: int  # of the tag
    content: int
    end: int


def without_weights(data: Buffer) -> tuple[bytes, dict[str, Extent]]:
    """The message without the raw data of large initializers, and where these are, by name; raises ValueError if it is none."""
    found: dict[str, Extent] = {}
    pieces: list[bytes] = []
    for field in _fields(data, 0, len(data)):
        if field.number == GRAPH and field.kind == LENGTH_DELIMITED:
            pieces.append(_nested(GRAPH, _graph(data, field, found)))
        else:
            pieces.append(data[field.start : field.end])
    return b"".join(pieces), found


def _graph(data: Buffer, graph: _Field, found: dict[str, Extent]) -> bytes:
    pieces: list[bytes] = []
    kept = graph.content  # up to here everything is copied
    for field in _fields(data, graph.content, graph.end):
        if field.number != INITIALIZER or field.kind != LENGTH_DELIMITED or field.end - field.content < LEFT_IN_PLACE:
            continue
        tensor = _tensor(data, field, found)
        if tensor is not None:
            pieces += [data[kept : field.start], _nested(INITIALIZER, tensor)]
            kept = field.end
    return b"".join([*pieces, data[kept : graph.end]])


def _tensor(data: Buffer, tensor: _Field, found: dict[str, Extent]) -> bytes | None:
    """The tensor without its raw data; None where they are small, or the tensor is odd and better read as a whole."""
    fields = list(_fields(data, tensor.content, tensor.end)) if tensor.end - tensor.content else []
    raw = [f for f in fields if f.number == RAW_DATA and f.kind == LENGTH_DELIMITED]
    names = [data[f.content : f.end] for f in fields if f.number == NAME and f.kind == LENGTH_DELIMITED]
    if len(raw) != 1 or len(names) != 1 or raw[0].end - raw[0].content < LEFT_IN_PLACE:
        return None
    name = names[0].decode()
    if name in found:  # a name that is taken: the second is read as it is, and refused for its name
        return None
    found[name] = Extent(raw[0].content, raw[0].end - raw[0].content)
    return data[tensor.content : raw[0].start] + data[raw[0].end : tensor.end]


def too_deep(data: Buffer) -> bool:
    """Whether a model's graphs are nested more than `DEEPEST` deep; False where it is no model."""
    pending = [(GRAPH, 0, 0, len(data))]  # looking for this field, inside so many graphs, from here to there
    inside = {GRAPH: NODE, NODE: ATTRIBUTE}
    while pending:
        wanted, depth, at, end = pending.pop()
        if depth > DEEPEST:
            return True
        try:
            for field in _fields(data, at, end):
                if field.kind != LENGTH_DELIMITED:
                    continue
                if wanted == SUBGRAPH and field.number in SUBGRAPHS:
                    pending.append((NODE, depth + 1, field.content, field.end))
                elif wanted and field.number == wanted:
                    pending.append((inside.get(wanted, SUBGRAPH), depth, field.content, field.end))
        except ValueError:
            continue
    return False


def _nested(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | LENGTH_DELIMITED]) + _written(len(content)) + content


def _written(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _number(data: Buffer, at: int, end: int) -> tuple[int, int]:
    """A variable-length number, and where it ends."""
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("a number does not end")


def _fields(data: Buffer, at: int, end: int) -> Iterator[_Field]:
    """The fields of a message; raises ValueError where it is none."""
    while at < end:
        tag, content = _number(data, at, end)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            _, stop = _number(data, content, end)
        elif kind == LENGTH_DELIMITED:
            length, content = _number(data, content, end)
            stop = content + length
        elif kind in _FIXED:
            stop = content + _FIXED[kind]
        else:
            raise ValueError(f"a field of kind {kind}")
        if not number or stop > end:
            raise ValueError("a field goes beyond the end")
        yield _Field(number, kind, at, content, stop)
        at = stop
