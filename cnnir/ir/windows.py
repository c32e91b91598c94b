"""Which stretches of a network are alike: one value in, one value out, the same ops joined in the same way.

Layers are in an order in which whatever has one way in and one way out lies together. A stretch is described by its pieces and by
how far back each operand was made; an operand from outside is the way in, whichever value it is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from .graph import Value
from .pieces import Piece

LONGEST = 40
"""Most pieces of a stretch."""
WORK = 400_000
"""About how many stretches are looked at; in a long network only shorter ones are."""


@dataclass(eq=False)
class Group:
    """Sequences that are written once: the network itself, the rounds of a repetition, the uses of a block."""

    sequences: list[list[Piece]]
    depth: int | None
    """How many names of blocks stand before those of its layers; None where they have names of another kind."""


@dataclass(frozen=True)
class Alike:
    """Stretches of `length` pieces that are alike: where they begin, in the first sequence of each group."""

    length: int
    places: tuple[tuple[Group, int], ...]


class _Sequence:
    """One sequence with what windows ask of it."""

    def __init__(self, group: Group, strict: bool, escaping: frozenset[Value], known: dict[Hashable, int]) -> None:
        self.group = group
        pieces = group.sequences[0]
        self._made = {value: j for j, piece in enumerate(pieces) for value in piece.values}
        self._pieces = pieces
        self._known = known
        self._shapes = [known.setdefault(("shape", piece.shape(strict)), len(known)) for piece in pieces]
        self.last_use = [-1] * len(pieces)
        self._back: list[tuple[tuple[int, int] | None, ...]] = []
        self.far: list[int] = []
        for j, piece in enumerate(pieces):
            back: list[tuple[int, int] | None] = []
            for value in piece.operands:
                made = None if value is None else self._made.get(value)
                back.append(None if value is None else (len(pieces) + 1, 0) if made is None else (j - made, value.slot))
                if made is not None:
                    self.last_use[made] = j
            self._back.append(tuple(back))
            self.far.append(max((b[0] for b in back if b), default=0))
        for j, piece in enumerate(pieces):
            if self.last_use[j] < 0 or any(value in escaping for value in piece.values):
                self.last_use[j] = len(pieces)
        self.tokens = [self.token(j, 0) for j in range(len(pieces))]

    def __len__(self) -> int:
        return len(self._pieces)

    def token(self, j: int, start: int) -> int:
        """Piece `j` in a window that begins at `start`."""
        reach = j - start
        back = tuple(None if b is None else b if b[0] <= reach else "in" for b in self._back[j])
        return self._known.setdefault(("piece", self._shapes[j], back), len(self._known))

    def entries(self, j: int, start: int) -> set[Value]:
        """The values from before `start` that piece `j` reads."""
        return {
            value
            for value, back in zip(self._pieces[j].operands, self._back[j], strict=True)
            if value is not None and back is not None and back[0] > j - start
        }

    def single(self, j: int) -> bool:
        """Whether piece `j` makes one value."""
        return len(self._pieces[j].values) == 1

    def clumsy(self, start: int, length: int) -> bool:
        """Whether a window is made of smaller ones that say more."""
        return self.periodic(start, length) or self.joined_twice(start, length)

    def periodic(self, start: int, length: int) -> bool:
        """Whether a window is a smaller one several times over."""
        for period in range(1, length // 2 + 1):
            if length % period or self._shapes[start] != self._shapes[start + period]:
                continue
            if all(self.tokens[j] == self.tokens[j + period] for j in range(start + 1, start + length - period)):
                return True
        return False

    def joined_twice(self, start: int, length: int) -> bool:
        """Whether a window is two pieces with branches, one behind the other: each is to be a block of its own first."""
        reach, closed = -1, False
        for j in range(start, start + length):
            joins = len(set(self._pieces[j].operands)) > 1
            if joins and closed:
                return True
            closed = closed or (joins and reach <= j)
            reach = max(reach, self.last_use[j])
        return False


@dataclass(slots=True)
class _Window:
    """A stretch on its way to being longer."""

    sequence: _Sequence
    start: int
    token: int = 0
    entry: Value | None = None
    last_use: int = -1
    """How far the values reach that are made in it, the last piece left out."""


def alike(groups: Sequence[Group], escaping: Iterable[Value], strict: bool) -> Iterator[Alike]:
    """Stretches that occur at least twice, short ones first; `escaping` are the outputs of the network."""
    known: dict[Hashable, int] = {}
    outputs = frozenset(escaping)
    sequences = [_Sequence(group, strict, outputs, known) for group in groups]
    windows = [_Window(s, start) for s in sequences for start in range(len(s))]
    for length in range(1, min(LONGEST, max(4, WORK // max(1, len(windows)))) + 1):
        windows = _longer(windows, length, known)
        counts = Counter([window.token for window in windows])
        windows = [window for window in windows if counts[window.token] > 1]
        if not windows:
            return
        found: defaultdict[int, list[_Window]] = defaultdict(list)
        for window in windows if length > 1 else ():
            if window.entry is not None and window.last_use < window.start + length:
                found[window.token].append(window)
        for same in found.values():
            first = same[0]
            places = tuple(_apart(same, length))
            last = first.start + length - 1
            if len(places) > 1 and first.sequence.single(last) and not first.sequence.clumsy(first.start, length):
                yield Alike(length, places)


def _longer(windows: Sequence[_Window], length: int, known: dict[Hashable, int]) -> list[_Window]:
    """Take one piece more into each; those that can never have one way in and one way out are left out."""
    found: list[_Window] = []
    for window in windows:
        sequence, start = window.sequence, window.start
        j = start + length - 1
        if j >= len(sequence.tokens):
            continue
        token = sequence.tokens[j]
        if sequence.far[j] > j - start:
            token = sequence.token(j, start)
            entries = sequence.entries(j, start)
            if window.entry is not None:
                entries.add(window.entry)
            if len(entries) > 1:
                continue
            window.entry = entries.pop()
        if length > 1:
            window.last_use = max(window.last_use, sequence.last_use[j - 1])
            if window.last_use >= len(sequence.tokens):
                continue
        window.token = known.setdefault((window.token, token), len(known))
        found.append(window)
    return found


def _apart(windows: Sequence[_Window], length: int) -> Iterator[tuple[Group, int]]:
    """Those that do not overlap, from the left."""
    sequence, free = None, 0
    for window in windows:
        if window.sequence is not sequence or window.start >= free:
            sequence, free = window.sequence, window.start + length
            yield window.sequence.group, window.start
