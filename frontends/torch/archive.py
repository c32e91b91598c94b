"""A `.pt2` file: a ZIP archive of JSON and raw tensors. Nothing in it is unpickled, resolved to a function or run."""

from __future__ import annotations

import json
import math
import mmap
import zipfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from cnnir.diagnostics import CnnirError
from cnnir.ir.weights import Held
from cnnir.types import numpy_dtype

from ..files import open_regular
from .problems import malformed, pickled

MOST_JSON = 1 << 28
"""Bytes of the largest description that is read: a network of 200,000 layers has about this."""
MOST_FILES = 1 << 20
_HEADER = 30
"""Bytes of a ZIP entry's own header, before its name."""
SCALAR_TYPES: Mapping[int, str] = {
    1: "u8", 2: "i8", 3: "i16", 4: "i32", 5: "i64", 6: "f16", 7: "f32", 8: "f64", 12: "bool", 13: "bf16",
    28: "u16", 29: "f8e4m3", 30: "f8e5m2", 34: "u32", 35: "u64",
}  # fmt: skip
"""PyTorch's number of an element type -> ours."""


@contextmanager
def opened(path: Path) -> Generator[Archive, None, None]:
    """The archive in a file, closed afterwards; raises CnnirError where there is none. Its tensors stay mapped."""
    with open_regular(path, malformed(str(path), "it is not a file")) as file:
        yield Archive(path, file)


class Archive:
    """The files of one archive, by their paths below its top folder. Raises CnnirError where it is none."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.name = str(path)
        self._file = file
        try:
            self._zip = zipfile.ZipFile(file)
            entries = self._zip.infolist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
            raise self._no_archive(str(error)) from None
        if len(entries) > MOST_FILES:
            raise malformed(self.name, f"it holds {len(entries):,} files")
        self._entries = {entry.filename.partition("/")[2]: entry for entry in entries}
        self._bytes: mmap.mmap | None = None

    def _no_archive(self, reason: str) -> CnnirError:
        self._file.seek(0)
        start = self._file.read(2)
        if start[:1] == b"\x80":
            return pickled(self.name, "is a pickle, not an exported program")
        return malformed(self.name, "it is empty" if not start else f"it is no ZIP archive ({reason})")

    def __contains__(self, path: str) -> bool:
        return path in self._entries

    def __iter__(self) -> Any:
        return iter(self._entries)

    def json(self, path: str) -> Any:
        """A description; raises CnnirError where it is missing, too large or no JSON."""
        entry = self._entries.get(path)
        if entry is None:
            raise malformed(self.name, f"it has no `{path}`")
        if entry.file_size > MOST_JSON:
            raise malformed(self.name, f"`{path}` is larger than any network's: {entry.file_size:,} bytes")
        try:
            with self._zip.open(entry) as file:
                return json.loads(file.read(MOST_JSON))
        except (zipfile.BadZipFile, OSError, ValueError, EOFError, RuntimeError, NotImplementedError, RecursionError) as error:
            raise malformed(self.name, f"`{path}` cannot be read ({error})") from None

    def tensor(self, path: str, meta: Mapping[str, Any]) -> Held:
        """The tensor in a file of raw bytes, laid out as `meta` says; mapped from disk, not read."""
        dtype, shape = SCALAR_TYPES.get(meta["dtype"]), tuple(size["as_int"] for size in meta["sizes"])
        strides, offset = tuple(step["as_int"] for step in meta["strides"]), meta["storage_offset"]["as_int"]
        numbers = [*shape, *strides, offset]
        if dtype is None or len(shape) != len(strides) or not all(isinstance(n, int) and 0 <= n < 1 << 62 for n in numbers):
            raise malformed(self.name, f"`{path}` is a tensor of a type or shape that is not known here")
        kind = numpy_dtype(dtype)
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        content = self._content(path)
        if math.prod(shape) and (last + 1) * kind.itemsize > len(content):
            raise malformed(self.name, f"`{path}` is shorter than the tensor it should hold")
        flat = content[: len(content) // kind.itemsize * kind.itemsize].view(kind)
        bytes_apart = [step * kind.itemsize for step in strides]
        return Held(np.lib.stride_tricks.as_strided(flat[offset:], shape, bytes_apart, writeable=False))

    def _content(self, path: str) -> np.ndarray[Any, Any]:
        """The bytes of an entry where they lie in the file."""
        entry = self._entries.get(path)
        if entry is None:
            raise malformed(self.name, f"it has no `{path}`")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise malformed(self.name, f"`{path}` is compressed, which PyTorch never does")
        if self._bytes is None:
            self._bytes = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        header = self._bytes[entry.header_offset : entry.header_offset + _HEADER]
        if len(header) < _HEADER or header[:4] != b"PK\x03\x04":
            raise malformed(self.name, f"`{path}` does not lie where the archive says")
        begin = entry.header_offset + _HEADER + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        if begin + entry.file_size > len(self._bytes):
            raise malformed(self.name, f"it ends before `{path}` does")
        return np.frombuffer(self._bytes, np.uint8, entry.file_size, begin)
