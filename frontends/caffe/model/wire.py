"""Protobuf's wire format, as much of it as finds fields in a mapped file: nothing is copied, no schema is needed.

Field numbers and wire types: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_FIELDS = 500_000
"""Fields of one file that are looked at: runs of numbers count once."""


class WireError(Exception):
    """The bytes are not protobuf's; the message says what is wrong, and where."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One field: its value where it is a varint, else the bytes from `begin` to `end`."""

    number: int
    kind: int
    begin: int
    end: int
    value: int = 0


class Wire:
    """A file's bytes, and how many more fields may be read of them."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self._left = MAX_FIELDS

    def fields(self, begin: int, end: int) -> Iterator[Entry]:
        """The fields of the message between two places; raises WireError where they are none."""
        place = begin
        while place < end:
            entry = self._entry(place, end)
            self._left -= 1
            if self._left < 0:
                raise WireError(f"more than {MAX_FIELDS:,} fields")
            yield entry
            place = entry.end

    def _entry(self, place: int, end: int) -> Entry:
        tag, at = self._varint(place, end)
        number, kind = tag >> 3, tag & 7
        if number == 0 or number >= 1 << 29:
            raise WireError(f"no field at byte {place:,}")
        if kind == VARINT:
            value, after = self._varint(at, end)
            return Entry(number, kind, at, after, value)
        if kind == BYTES:
            length, at = self._varint(at, end)
        elif kind in (FIXED64, FIXED32):
            length = 8 if kind == FIXED64 else 4
        else:
            raise WireError(f"a field of an unknown kind at byte {place:,}")
        if at + length > end:
            raise WireError(
                f"the field at byte {place:,} has {length:,} bytes, and {end - at:,} are left: the file is cut short or damaged"
            )
        return Entry(number, kind, at, at + length)

    def _varint(self, place: int, end: int) -> tuple[int, int]:
        """A number of 7 bits a byte, and where it ends."""
        value = 0
        for shift in range(0, 70, 7):
            if place >= end:
                raise WireError(f"the file ends within a number, at byte {place:,}")
            byte = self.data[place]
            place += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & (1 << 64) - 1, place
        raise WireError(f"a number of more than 10 bytes at byte {place - 10:,}")

    def text(self, entry: Entry) -> str:
        """The bytes of a field as text."""
        return bytes(self.data[entry.begin : entry.end]).decode("utf-8", "replace")

    def varints(self, entry: Entry) -> list[int]:
        """Packed varints."""
        found, place = list[int](), entry.begin
        while place < entry.end:
            value, place = self._varint(place, entry.end)
            found.append(value)
        return found
