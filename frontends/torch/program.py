"""An exported program as data: what PyTorch's `ExportedProgram` and a `.pt2` file have in common, without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Union

from cnnir.ir.weights import WeightSource


@dataclass(frozen=True)
class Ref:
    """A value by the name that the exported program gives it."""

    name: str


Argument = Union[None, bool, int, float, str, Ref, tuple["Argument", ...]]  # noqa: UP007 - it names itself
"""What an operation is called with. Element types are spelled as cnnir spells them: `f32`."""


MEMORY = ("layout", "device", "pin_memory", "memory_format")
"""Arguments that say where a tensor lies, which is nothing to a network."""


@dataclass(frozen=True)
class Hint:
    """What the exporter says of a tensor: its element type and its shape, None for sizes that have only a name."""

    dtype: str
    shape: tuple[int | None, ...]
    symbols: tuple[str, ...] = ()
    """The spelling of each size."""


@dataclass(frozen=True)
class Result:
    """An output of a call; without a hint it is no tensor."""

    name: str
    hint: Hint | None = None


@dataclass(frozen=True)
class Where:
    """The module that a call was made in: its path in the model, its class, and the line of the user's own file, if any."""

    path: str = ""
    kind: str = ""
    line: str = ""


@dataclass(frozen=True)
class Call:
    """One operation: `target` is such as `aten.conv2d.default`, arguments are by the names of its schema."""

    name: str
    target: str
    arguments: Mapping[str, Argument]
    results: tuple[Result, ...]
    several: bool = False
    """Whether it gives a list or tuple of results, also of one."""
    where: Where = Where()

    @property
    def operation(self) -> str:
        """The target without `aten.`: `conv2d.default`."""
        return self.target.removeprefix("aten.")


@dataclass(frozen=True)
class Tensor:
    """A tensor that the program brings along: the name in its state dict, and its elements."""

    key: str
    source: WeightSource


@dataclass(frozen=True)
class Program:
    """A whole program. `tensors` are the parameters, buffers and constants by the names that calls know them under."""

    name: str
    source: str
    """What diagnostics call it: its file, or its class."""
    inputs: Sequence[Result]
    tensors: Mapping[str, Tensor]
    calls: Sequence[Call]
    outputs: Sequence[Argument]
    state: Mapping[str, WeightSource] = field(default_factory=dict[str, WeightSource])
    """Everything in the state dict by its name there, also what no call reads."""
