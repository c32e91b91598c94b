"""Weights by name, computed or read only when asked for: checking a network must not draw 400 MB of random numbers."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cnnir.diagnostics import CnnirError, Diagnostic
from cnnir.memory import memory
from cnnir.ops.base import Parameter
from cnnir.types import numpy_dtype

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Seeded:
    """Random weights that depend on their key and parameter alone, not on the order they are asked in."""

    key: str
    parameter: Parameter

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.parameter.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the array."""
        return numpy_dtype(self.parameter.dtype)

    def array(self) -> Array:
        """Draw the array from `numpy.random.default_rng` seeded by the SHA-256 of the key."""
        seed = int.from_bytes(hashlib.sha256(self.key.encode()).digest()[:8], "little")
        rng, shape = np.random.default_rng(seed), self.parameter.shape
        draw: Mapping[str, Callable[[], Array]] = {
            "he": lambda: self._normal(rng, float(np.sqrt(2 / self.parameter.fan_in))),
            "around_one": lambda: rng.random(shape, dtype=np.float32) + np.float32(0.5),
            "around_zero": lambda: self._normal(rng, 0.1),
            "slope": lambda: np.full(shape, 0.25, np.float32),
        }
        return np.asarray(draw[self.parameter.init](), numpy_dtype(self.parameter.dtype))

    def _normal(self, rng: np.random.Generator, deviation: float) -> Array:
        values = np.asarray(rng.standard_normal(self.parameter.shape, dtype=np.float32))
        values *= np.float32(deviation)  # in place: a VGG's first dense layer is 400 MB
        return values


@dataclass(frozen=True)
class Stored:
    """One tensor of a `.safetensors` file, memory-mapped when read."""

    path: Path
    key: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any] = np.dtype(np.float32)

    def array(self) -> Array:
        """Read the tensor."""
        if self.dtype.name.startswith("float8"):
            return self._bytes().view(self.dtype).reshape(self.shape)
        from safetensors import safe_open

        opened: Any = safe_open(self.path, framework="numpy")  # its class is Rust and has no types
        with opened as file:
            return file.get_tensor(self.key)

    def _bytes(self) -> Array:
        """The tensor's bytes, by the format's own description: safetensors looks for 8-bit floats in NumPy, which has none."""
        with self.path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            begin, end = json.loads(file.read(length))[self.key]["data_offsets"]
            file.seek(8 + length + begin)
            return np.frombuffer(file.read(end - begin), np.uint8)


Kind = Literal["parameter", "buffer", "constant"]
"""What training makes of a weight: it changes parameters, updates buffers, and knows constants only by what they do."""


@dataclass(frozen=True, eq=False)
class Held:
    """An array that is already in memory."""

    values: Array
    kind: Kind = "parameter"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.values.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the array."""
        return self.values.dtype

    def array(self) -> Array:
        """The array itself."""
        return self.values


@dataclass(frozen=True)
class Mapped:
    """Bytes of a file, little-endian and in C order, memory-mapped when read."""

    path: Path
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def array(self) -> Array:
        """Map the array; copied where its place in the file is none that numbers may begin at. Raises CnnirError where the file is gone."""
        if not math.prod(self.shape):
            return np.zeros(self.shape, self.dtype)
        try:
            raw = np.memmap(self.path, np.uint8, "r", self.offset, (math.prod(self.shape) * self.dtype.itemsize,))
        except (OSError, ValueError) as error:  # a ValueError where it has become shorter
            reason = getattr(error, "strerror", None) or "it is shorter than it was"
            raise CnnirError(Diagnostic("C0401", f"weights in `{self.path}` cannot be read: {reason}")) from None
        if self.offset % self.dtype.alignment:
            return np.frombuffer(raw.tobytes(), self.dtype).reshape(self.shape)
        return raw.view(np.ndarray).view(self.dtype).reshape(self.shape)


@dataclass(frozen=True, eq=False)
class Computed:
    """An array that is made of others when it is asked for."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    make: Callable[[], Array]

    def array(self) -> Array:
        """Make it."""
        return self.make()


WeightSource = Seeded | Stored | Held | Mapped | Computed


class Weights:
    """A store of named arrays; layers refer to them by name, and sharing a name is sharing the weight."""

    def __init__(self, sources: Mapping[str, WeightSource] | None = None) -> None:
        self._sources: dict[str, WeightSource] = dict(sources or {})
        self._read: dict[str, Array] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._sources

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __setitem__(self, name: str, source: WeightSource | Array) -> None:
        self._sources[name] = Held(source) if isinstance(source, np.ndarray) else source
        self._read.pop(name, None)

    def fresh(self, stem: str) -> str:
        """A name that is not taken: the stem, or the stem with a number."""
        names = chain([stem], (f"{stem}_{number}" for number in count(2)))
        return next(name for name in names if name not in self._sources)

    def __getitem__(self, name: str) -> Array:
        """The array called `name`, read or drawn at first use and kept; raises KeyError, CnnirError where memory cannot hold it."""
        if name not in self._read:
            source = self._sources[name]
            if math.prod(source.shape) * source.dtype.itemsize > memory():  # asking for it might end the process
                raise CnnirError(Diagnostic("C0513", f"weight `{name}` {list(source.shape)} is too large for this machine's memory"))
            self._read[name] = source.array()
        return self._read[name]

    def source(self, name: str) -> WeightSource:
        """Where the array comes from, without reading it; raises KeyError."""
        return self._sources[name]

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of the array, without reading it."""
        return self._sources[name].shape

    def dtype(self, name: str) -> np.dtype[Any]:
        """Dtype of the array, without reading it."""
        return self._sources[name].dtype

    @property
    def drawn(self) -> frozenset[str]:
        """Names that have been read or drawn so far."""
        return frozenset(self._read)

    def forget(self) -> None:
        """Drop what was read; it is read again when next asked for."""
        self._read.clear()

    def same(self, name: str, others: Weights, other: str) -> bool:
        """Whether two stores hold the same array; seeded sources are compared without drawing them."""
        mine, theirs = self._sources[name], others.source(other)
        if mine == theirs:
            return True
        if mine.shape != theirs.shape:
            return False
        a, b = self[name], others[other]
        return a.dtype == b.dtype and a.tobytes() == b.tobytes()
