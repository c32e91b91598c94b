"""Repetitions and blocks of a network: where it repeats itself, and where saying so makes the text shorter.

Chains that are the same several times over become repetitions. Then, one after the other, the stretches whose second and later
occurrences save most characters become blocks, whatever numbers they differ in; stretches inside blocks may become blocks too.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from heapq import nlargest
from itertools import islice

from . import spelling
from .graph import Value
from .pieces import Block, Leaf, Piece, Repeat, Use, leaves
from .repetition import eager, repetitions
from .windows import Alike, Group, alike

ROUNDS = 12
"""Most blocks."""
WORTH = 24
"""Characters that a block must save: every name costs its reader something."""
NAME = 60
"""About what it costs in characters to say a name that is not the usual one."""
UNEASY = 40
"""What it costs a block to begin with a layer without weights though it has some with: people begin with a convolution."""
FORK = 30
"""Characters that it takes to give a value a name and a statement of its own."""
SHARE = 0.05
"""Part of the whole text that a block must save: a long network without order has small pieces that occur often."""
FEW = 8
"""Of so many occurrences one may be left out, where the others then need one parameter less."""
MANY = 5_000
"""Pieces of a network in which stretches are not looked for that agree in most numbers."""
EXACTLY = 24
"""Candidates whose worth is counted, of those that look best."""
SAMPLE = 100
"""Occurrences by whose numbers the worth of a block is judged."""
_CALL = re.compile(r"(.*?)([0-9]+)")


def recover(pieces: list[Piece], outputs: Sequence[Value], taken: set[str]) -> list[Block]:
    """Put repetitions and uses of blocks into a sequence of layers; the blocks, those that others use first."""
    blocks: list[Block] = []
    repetitions(pieces, outputs)
    for _ in range(ROUNDS):
        best: tuple[float, Alike, str] | None = None
        groups = list(_groups(pieces, blocks))
        least = SHARE * sum(piece.width + 4 for group in groups for piece in group.sequences[0])
        for strict in (True, False) if len(pieces) < MANY else (False,):
            for candidate in _promising(alike(groups, outputs, strict)):
                for each in (candidate, *_without_outliers(candidate)):
                    gain, stem = _gain(each)
                    if gain > max(0 if stem else WORTH, least) and (best is None or gain > best[0]):
                        best = gain, each, stem
        if best is None:
            break
        _, candidate, stem = best
        block = Block(_unused(stem or _description(candidate), taken), [], _depth(candidate) if stem else None)
        _replace(candidate, block)
        blocks.append(block)
        blocks = _callees_first(blocks)
        for each in blocks:
            each.solve()
        repetitions(pieces, outputs)
    return blocks


def _groups(pieces: list[Piece], blocks: Sequence[Block]) -> Iterator[Group]:
    """Everything that is written once."""
    found = [Group([pieces], 0), *(Group([use.pieces for use in b.uses], b.depth) for b in blocks)]
    for group in found:  # which grows
        yield group
        for place, piece in enumerate(group.sequences[0]):
            if isinstance(piece, Repeat):
                rounds = [copy for sequence in group.sequences for copy in _copies(sequence[place])]
                found.append(Group(rounds, group.depth))


def _copies(piece: Piece) -> list[list[Piece]]:
    assert isinstance(piece, Repeat)
    return piece.copies


def _callees_first(blocks: Sequence[Block]) -> list[Block]:
    found: dict[Block, None] = {}

    def visit(block: Block) -> None:  # as deep as blocks are nested, which is no more than there are
        pending = list(block.uses[0].pieces)
        while pending:
            piece = pending.pop()
            if isinstance(piece, Repeat):
                pending += piece.copies[0]
            elif isinstance(piece, Use) and piece.block not in found:
                visit(piece.block)
        found[block] = None

    for block in blocks:
        if block not in found:
            visit(block)
    return list(found)


def _promising(found: Iterator[Alike]) -> list[Alike]:
    """Those that may be worth most."""

    def most(candidate: Alike) -> int:
        group, start = candidate.places[0]
        return (len(candidate.places) - 1) * sum(p.width + 4 for p in group.sequences[0][start : start + candidate.length])

    return nlargest(EXACTLY, found, key=most)


def _without_outliers(candidate: Alike) -> Iterator[Alike]:
    """The candidate without the few occurrences in which one number is another: they would make it a parameter everywhere."""
    if len(candidate.places) > MANY:
        return
    rows = [[(s.field, str(s.value)) for p in g.sequences[0][i : i + candidate.length] for s in p.slots] for g, i in candidate.places]
    for column in zip(*rows, strict=True):
        (most, count), *others = Counter(column).most_common()
        if others and FEW * (len(rows) - count) <= len(rows):
            yield Alike(candidate.length, tuple(place for place, own in zip(candidate.places, column, strict=True) if own == most))


def _gain(candidate: Alike) -> tuple[float, str]:
    """The characters that a block would save, and what it is called where the names of layers say it."""
    length, places = candidate.length, candidate.places
    written = [group.sequences[0][start : start + length] for group, start in places]
    stem, names = _named(places, length)
    trial = Block(stem or _description(candidate), [], None)
    trial.uses = [Use(trial, pieces) for pieces in islice(_all(candidate), SAMPLE)]
    trial.solve()
    saved = sum(sum(piece.width + 4 for piece in pieces) - 4 for pieces in written)
    arguments = [sum(len(spelling.number(v)) + 2 for v in use.arguments) for use in trial.uses]
    calls = len(written) * (len(trial.name) + 6 + sum(arguments) / len(arguments))
    names_of = {parameter.name for parameter in trial.parameters}
    variables = [text for text in trial.texts if text is not None and text.rpartition("*")[2] in names_of]
    body = sum(piece.width + 4 for piece in written[0]) + sum(len(text) + 2 for text in variables)
    header = len("block  = ") + len(trial.name) + sum(len(p.name) + 2 for p in trial.parameters)
    forks = FORK * (len(written) - 1) * _forks(written[0])
    return saved - calls - body - header + names + forks - UNEASY * eager(written[0]), stem


def _forks(pieces: Sequence[Piece]) -> int:
    """How many values are read twice, and need a name therefore."""
    readers = Counter(value for piece in pieces for value in set(piece.operands))
    return sum(count > 1 for count in readers.values())


def _all(candidate: Alike) -> Iterator[list[Piece]]:
    for group, start in candidate.places:
        for sequence in group.sequences:
            yield sequence[start : start + candidate.length]


def _depth(candidate: Alike) -> int | None:
    depth = candidate.places[0][0].depth
    return None if depth is None else depth + 1


def _named(places: Sequence[tuple[Group, int]], length: int) -> tuple[str, float]:
    """What the block is called by the names of its layers, and what it saves or costs to say names."""
    stems: set[str] = set()
    calls: list[str] = []
    count = 0
    for group, start in places:
        homes = [h for leaf in leaves(group.sequences[0][start : start + length]) if (h := _home(leaf)) is not None]
        if group.depth is None or not homes:
            return "", 0
        if any(len(home) <= group.depth for home in homes):  # they are named as if they stood in no block
            return "", -float(NAME) * sum(len(home) <= group.depth for home in homes) * len(places)
        first = {home[group.depth] for home in homes}
        if len(first) > 1:
            return "", 0
        call = _CALL.fullmatch(first.pop())
        assert call is not None  # `_home` has looked
        stems.add(call[1])
        calls.append(call[0])
        count += len(homes)
    if len(stems) > 1 or len(set(calls)) < len(calls):
        return "", 0
    return stems.pop(), float(NAME) * count


def _home(leaf: Leaf) -> tuple[str, ...] | None:
    """The uses of blocks that the name of a layer with weights speaks of; None where it is not one that the parser gives."""
    layer = leaf.layer
    if not layer.weights or any(key != f"{layer.name}.{role}" for role, key in layer.weights):
        return None
    *home, own = layer.name.split("/")
    usual = own.startswith(leaf.spelled.called) and own[len(leaf.spelled.called) :].isdigit()
    return tuple(home) if usual and all(_CALL.fullmatch(each) and spelling.name(each) == each for each in home) else None


def _description(candidate: Alike) -> str:
    """A word for a block, by what it does."""
    group, start = candidate.places[0]
    pieces = group.sequences[0][start : start + candidate.length]
    *_, last = leaves(pieces)
    joins = [piece for piece in pieces if len(piece.operands) > 1]
    if joins and not any(isinstance(piece, Repeat) for piece in pieces):
        outside = {v for piece in pieces for v in piece.operands} - {v for piece in pieces for v in piece.values}
        around = any(v in outside for v in joins[-1].operands)
        concat = any(isinstance(piece, Leaf) and piece.spelled.called == "concat" for piece in joins)
        return ("dense" if around else "branches") if concat else ("residual" if around else "shortcut")
    pools = last.spelled.called.endswith("pool")
    return "stage" if pools or any(isinstance(piece, Repeat | Use) for piece in pieces) else "unit"


def _unused(stem: str, taken: set[str]) -> str:
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}_{number}", number + 1
    taken.add(name)
    return name


def _replace(candidate: Alike, block: Block) -> None:
    """Put uses of the block where the stretches are."""
    starts: defaultdict[Group, list[int]] = defaultdict(list)
    for group, start in candidate.places:
        starts[group].append(start)
    for group, places in starts.items():
        for sequence in group.sequences:
            found: list[Piece] = []
            end = 0
            for start in places:
                use = Use(block, sequence[start : start + candidate.length])
                block.uses.append(use)
                found += [*sequence[end:start], use]
                end = start + candidate.length
            sequence[:] = [*found, *sequence[end:]]
