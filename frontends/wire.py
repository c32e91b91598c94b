"""Protobuf's wire format, as much of it as finds fields in a mapped file: nothing is copied, no schema is needed.

Field numbers and wire types: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass

Buffer = mmap.mmap | memoryview | bytes
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: 8, FIXED32: 4}
_WORD = (1 << 64) - 1


class WireError(ValueError):
    """The bytes are not protobuf's; the message says what is wrong, and where."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One field: its tag begins at `tag`, its content goes from `begin` to `end`. `value` is that of a varint."""

    number: int
    kind: int
    tag: int
    begin: int
    end: int
    value: int = 0


class Wire:
    """A file's bytes, and how many more fields may be read of them: `most`, or as many as there are."""

    def __init__(self, data: Buffer, most: int | None = None) -> None:
        self.data = data
        self._most = most
        self._read = 0

    def fields(self, begin: int, end: int) -> Iterator[Entry]:
        """The fields of the message between two places; raises WireError where they are none."""
        place = begin
        while place < end:
            entry = self._entry(place, end)
            self._read += 1
            if self._most is not None and self._read > self._most:
                raise WireError(f"more than {self._most:,} fields")
            yield entry
            place = entry.end

    def _entry(self, place: int, end: int) -> Entry:
        tag, at = self._varint(place, end)
        number, kind = tag >> 3, tag & 7
        if number == 0 or number >= 1 << 29:
            raise WireError(f"no field at byte {place:,}")
        if kind == VARINT:
            value, after = self._varint(at, end)
            return Entry(number, kind, place, at, after, value & _WORD)
        if kind == BYTES:
            length, at = self._varint(at, end)
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            raise WireError(f"a field of an unknown kind at byte {place:,}")
        if at + length > end:
            raise WireError(
                f"the field at byte {place:,} has {length:,} bytes, and {end - at:,} are left: the file is cut short or damaged"
            )
        return Entry(number, kind, place, at, at + length)

    def _varint(self, place: int, end: int) -> tuple[int, int]:
        """A number of 7 bits a byte, of which 64 count, and where it ends."""
        value = 0
        for shift in range(0, 70, 7):
            if place >= end:
                raise WireError(f"the file ends within a number, at byte {place:,}")
            byte = self.data[place]
            place += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, place
        raise WireError(f"a number of more than 10 bytes at byte {place - 10:,}")

    def content(self, begin: int, end: int) -> bytes:
        """The bytes between two places, copied."""
        return bytes(self.data[begin:end])

    def text(self, entry: Entry) -> str:
        """The bytes of a field as text; those that are not UTF-8 are U+FFFD."""
        return self.content(entry.begin, entry.end).decode("utf-8", "replace")

    def varints(self, entry: Entry) -> list[int]:
        """Packed varints."""
        found, place = list[int](), entry.begin
        while place < entry.end:
            value, place = self._varint(place, entry.end)
            found.append(value & _WORD)
        return found
