"""A plan: the kernel calls that run a network, before any TVM module exists. Counted, printed and built from here."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cnnir.ir.graph import Value

if TYPE_CHECKING:
    from tvm.tirx import PrimFunc

Array = np.ndarray[Any, Any]
Layout = Literal["plain", "blocked"]
Convert = Callable[[Value, "Buffer"], "Buffer"]


@dataclass(frozen=True)
class Buffer:
    """A tensor in memory: its name in the module, physical shape and NumPy dtype name."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"

    @property
    def bytes(self) -> int:
        """Size in bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, eq=False)
class Constant:
    """A kernel argument computed once, at compile time, from the network's weights."""

    buffer: Buffer
    make: Callable[[], Array]


@dataclass(frozen=True, eq=False)
class KernelCall:
    """One launch. Calls with equal `kernel` keys share one function, made by `build(name)`."""

    kernel: Hashable
    build: Callable[[str], PrimFunc]
    operands: tuple[Buffer, ...]
    output: Buffer
    layers: tuple[str, ...] = ()
    """Layers computed here; none for a change of layout."""
    scheduled: bool = True
    """Whether a template made it; what is plain has the loops of its TE, and can be tuned."""


@dataclass
class Plan:
    """Everything `main` does: inputs and constants in, calls in order, outputs out."""

    inputs: dict[str, Buffer] = field(default_factory=dict[str, Buffer])
    constants: list[Constant] = field(default_factory=list[Constant])
    calls: list[KernelCall] = field(default_factory=list[KernelCall])
    outputs: dict[str, Buffer] = field(default_factory=dict[str, Buffer])

    @property
    def results(self) -> list[Buffer]:
        """The outputs that calls fill, each once: an input that is an output too lies where it lay."""
        filled = {call.output for call in self.calls}
        return [buffer for buffer in dict.fromkeys(self.outputs.values()) if buffer in filled]

    @property
    def bytes(self) -> int:
        """Bytes that the kernels read and write in one run, each operand once a call."""
        return sum(b.bytes for call in self.calls for b in (*call.operands, call.output))


class Values:
    """Where each value of the network lies, in which layouts; makes a missing layout by a conversion call.

    `convert` maps a (from, to) pair to the function that plans the conversion of a value's buffer.
    """

    def __init__(self, convert: Mapping[tuple[Layout, Layout], Convert]) -> None:
        self._convert = convert
        self._held: dict[tuple[Value, Layout], Buffer] = {}

    def put(self, value: Value, layout: Layout, buffer: Buffer) -> None:
        """Record that `value` lies in `buffer`."""
        self._held[value, layout] = buffer

    def get(self, value: Value, layout: Layout) -> Buffer:
        """The buffer that holds `value` in `layout`, converted now if it must be."""
        if (value, layout) not in self._held:
            other: Layout = "plain" if layout == "blocked" else "blocked"
            self.put(value, layout, self._convert[other, layout](value, self._held[value, other]))
        return self._held[value, layout]
