"""A network on its way to text: layers, repetitions of pieces, and uses of blocks, in sequences.

Where a piece stands for several others (the rounds of a repetition, the uses of a block), all of them are kept, alike in shape
and in order: whatever is done to one is done to all, and each layer keeps its place in what is written.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from . import spelling
from .graph import Layer, Value


class Slot(NamedTuple):
    """A number in a piece, which may differ from one use of a block to the next."""

    field: str
    value: int | float
    usual: bool = False
    """Whether leaving it out says the same."""


@dataclass(frozen=True, slots=True)
class Spelled:
    """How an op is written, whatever the layer."""

    called: str
    arguments: tuple[spelling.Argument, ...]
    text: str
    slots: tuple[Slot, ...]
    strict: Hashable
    """What layers of a repeated piece must share: everything but how large they are."""
    loose: Hashable
    """Everything but numbers."""
    heavy: bool = False
    """Whether it multiplies and sums, as convolutions do: people begin a stage with such a layer."""
    chained: bool = True
    """Whether it may follow an arrow."""


@dataclass(slots=True, eq=False)
class Leaf:
    """One layer. `pinned` is what is written in its call about its name and weights."""

    layer: Layer
    spelled: Spelled
    operands: Sequence[Value | None]
    values: Sequence[Value]
    place: int
    pinned: tuple[str, ...] = ()

    @property
    def slots(self) -> Sequence[Slot]:
        """Its numbers."""
        return self.spelled.slots

    @property
    def width(self) -> int:
        """About how many characters it takes."""
        return len(self.spelled.text)

    def shape(self, strict: bool) -> Hashable:
        """What pieces share that may stand for one another."""
        return (self.spelled.strict if strict else self.spelled.loose, self.pinned)


@dataclass(slots=True, eq=False)
class Repeat:
    """`[...]*n`: a chain several times over, the same each time; of one round alone nobody sees that it is one."""

    copies: list[list[Piece]]
    operands: Sequence[Value | None] = field(init=False)
    values: Sequence[Value] = field(init=False)
    place: int = field(init=False)

    def __post_init__(self) -> None:
        first, last = self.copies[0][0], self.copies[-1][-1]
        self.operands, self.values, self.place = first.operands, last.values, last.place

    @property
    def slots(self) -> Sequence[Slot]:
        """The numbers of one round, and their count."""
        return [*(slot for piece in self.copies[0] for slot in piece.slots), Slot("n", len(self.copies))]

    @property
    def width(self) -> int:
        """About how many characters it takes."""
        return sum(piece.width + 4 for piece in self.copies[0]) + 2

    def shape(self, strict: bool) -> Hashable:
        """What pieces share that may stand for one another."""
        return ("repeat", *(piece.shape(strict) for piece in self.copies[0]))


@dataclass(slots=True, eq=False)
class Use:
    """A call of a block, and what it stands for."""

    block: Block
    pieces: list[Piece]
    arguments: list[int | float] = field(default_factory=list["int | float"])
    operands: Sequence[Value | None] = field(init=False)
    values: Sequence[Value] = field(init=False)
    place: int = field(init=False)

    def __post_init__(self) -> None:
        inside = {value for piece in self.pieces for value in piece.values}
        self.operands = [next(v for piece in self.pieces for v in piece.operands if v is not None and v not in inside)]
        self.values, self.place = self.pieces[-1].values, self.pieces[-1].place

    @property
    def slots(self) -> Sequence[Slot]:
        """The arguments."""
        return [Slot(p.field, value) for p, value in zip(self.block.parameters, self.arguments, strict=True)]

    @property
    def width(self) -> int:
        """About how many characters it takes."""
        return len(self.block.name) + 4 * len(self.arguments)

    def shape(self, strict: bool) -> Hashable:
        """What pieces share that may stand for one another."""
        fixed = [slot.value for slot in self.slots if slot.field not in ("out", "n")] if strict else ()
        return ("use", self.block, *fixed)


Piece = Leaf | Repeat | Use


@dataclass(frozen=True)
class Parameter:
    """A parameter of a block; `field` is what the first number that it stands for says."""

    name: str
    field: str
    values: tuple[int | float, ...]
    """Its argument in each use."""


@dataclass(eq=False)
class Block:
    """A named piece of network and all its uses."""

    name: str
    uses: list[Use]
    depth: int | None
    """How many names of blocks stand before those of its layers; None where the layers have names of another kind."""
    parameters: list[Parameter] = field(default_factory=list["Parameter"])
    texts: list[str | None] = field(default_factory=list["str | None"])
    """What stands for each number of the body, None where nothing does."""

    def solve(self) -> None:
        """Find the parameters: one for numbers that differ from use to use, shared by those that always agree."""
        self.parameters, self.texts = [], []
        rows = [[slot for piece in use.pieces for slot in piece.slots] for use in self.uses]
        for column in zip(*rows, strict=True):
            self.texts.append(self._text(column))
        self.parameters.sort(key=lambda parameter: parameter.field != "n")  # how often comes first
        for place, use in enumerate(self.uses):
            use.arguments = [parameter.values[place] for parameter in self.parameters]

    def _text(self, column: Sequence[Slot]) -> str | None:
        if all(slot.usual for slot in column):
            return None
        values, name = tuple(slot.value for slot in column), column[0].field
        if len(set(values)) == 1 and len(set(map(str, values if values[0] == 0 else values[:1]))) == 1:  # 0.0 equals -0.0
            return spelling.number(values[0])
        for parameter in self.parameters:
            times = _times(parameter.values, values) if parameter.field == name else 0
            if times:
                return parameter.name if times == 1 else f"{times}*{parameter.name}"
        count = sum(p.field == name for p in self.parameters)
        self.parameters.append(Parameter(f"{name}{count + 1}" if count else name, name, values))
        return self.parameters[-1].name


def _times(base: Sequence[int | float], values: Sequence[int | float]) -> int:
    """The whole number that makes `values` of `base`; 0 where there is none."""
    if all(type(a) is type(b) and str(a) == str(b) for a, b in zip(base, values, strict=True)):
        return 1
    if not all(isinstance(v, int) and v > 0 for v in (*base, *values)) or values[0] % base[0]:
        return 0
    times = int(values[0] // base[0])
    return times if times > 1 and all(a * times == b for a, b in zip(base, values, strict=True)) else 0


def leaves(pieces: Sequence[Piece]) -> Iterator[Leaf]:
    """All layers, of repetitions and blocks too."""
    pending = [iter(pieces)]
    while pending:
        piece = next(pending[-1], None)
        if piece is None:
            pending.pop()
        elif isinstance(piece, Leaf):
            yield piece
        else:
            pending.append(iter(piece.pieces if isinstance(piece, Use) else [p for copy in piece.copies for p in copy]))
