"""A model's protocol buffer without its large weights, which stay where they are: in the file.

Parsing a model of 500 MB makes a second copy of its weights. Here the message is copied without them, and where they lie is
noted, so that each is mapped when it is asked for. Field numbers are those of onnx.proto.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..wire import BYTES, Buffer, Entry, Wire

GRAPH, INITIALIZER, NAME, RAW_DATA = 7, 5, 8, 9
NODE, ATTRIBUTE, SUBGRAPH, SUBGRAPHS = 1, 5, 0, (6, 11)
DEEPEST = 24
"""Subgraphs inside subgraphs at most; protocol buffers end at 33."""
LEFT_IN_PLACE = 4096
"""Bytes of raw data from which on they stay in the file."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Where something lies in a file."""

    offset: int
    length: int


def without_weights(data: Buffer) -> tuple[bytes, dict[str, Extent]]:
    """The message without the raw data of large initializers, and where these are, by name; raises ValueError if it is none."""
    wire = Wire(data)
    found: dict[str, Extent] = {}
    pieces: list[bytes] = []
    for field in wire.fields(0, len(data)):
        if field.number == GRAPH and field.kind == BYTES:
            pieces.append(_nested(GRAPH, _graph(wire, field, found)))
        else:
            pieces.append(wire.content(field.tag, field.end))
    return b"".join(pieces), found


def _graph(wire: Wire, graph: Entry, found: dict[str, Extent]) -> bytes:
    pieces: list[bytes] = []
    kept = graph.begin  # up to here everything is copied
    for field in wire.fields(graph.begin, graph.end):
        if field.number != INITIALIZER or field.kind != BYTES or field.end - field.begin < LEFT_IN_PLACE:
            continue
        tensor = _tensor(wire, field, found)
        if tensor is not None:
            pieces += [wire.content(kept, field.tag), _nested(INITIALIZER, tensor)]
            kept = field.end
    return b"".join([*pieces, wire.content(kept, graph.end)])


def _tensor(wire: Wire, tensor: Entry, found: dict[str, Extent]) -> bytes | None:
    """The tensor without its raw data; None where they are small, or the tensor is odd and better read as a whole."""
    fields = list(wire.fields(tensor.begin, tensor.end)) if tensor.end - tensor.begin else []
    raw = [f for f in fields if f.number == RAW_DATA and f.kind == BYTES]
    names = [wire.content(f.begin, f.end) for f in fields if f.number == NAME and f.kind == BYTES]
    if len(raw) != 1 or len(names) != 1 or raw[0].end - raw[0].begin < LEFT_IN_PLACE:
        return None
    name = names[0].decode()
    if name in found:  # a name that is taken: the second is read as it is, and refused for its name
        return None
    found[name] = Extent(raw[0].begin, raw[0].end - raw[0].begin)
    return wire.content(tensor.begin, raw[0].tag) + wire.content(raw[0].end, tensor.end)


def too_deep(data: Buffer) -> bool:
    """Whether a model's graphs are nested more than `DEEPEST` deep; False where it is no model."""
    wire = Wire(data)
    pending = [(GRAPH, 0, 0, len(data))]  # looking for this field, inside so many graphs, from here to there
    inside = {GRAPH: NODE, NODE: ATTRIBUTE}
    while pending:
        wanted, depth, at, end = pending.pop()
        if depth > DEEPEST:
            return True
        try:
            for field in wire.fields(at, end):
                if field.kind != BYTES:
                    continue
                if wanted == SUBGRAPH and field.number in SUBGRAPHS:
                    pending.append((NODE, depth + 1, field.begin, field.end))
                elif wanted and field.number == wanted:
                    pending.append((inside.get(wanted, SUBGRAPH), depth, field.begin, field.end))
        except ValueError:
            continue
    return False


def _nested(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | BYTES]) + _written(len(content)) + content


def _written(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
