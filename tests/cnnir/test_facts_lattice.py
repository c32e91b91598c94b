"""The lattice of directions: its laws, and its soundness against functions given by their samples."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnir.facts import lattice
from cnnir.facts.lattice import CONSTANT, DOWN, LEVEL, MONOTONE, UNKNOWN, UP, Direction, Seam, Turn

POINTS = list(range(6))
Samples = tuple[int, ...]

points = st.sampled_from([-np.inf, *map(float, POINTS), np.inf])
turns = st.none() | st.builds(Turn, points, points)
directions = st.builds(Direction, turns, turns) | st.sampled_from([CONSTANT, UP, DOWN, MONOTONE, UNKNOWN])
samples = st.tuples(*[st.integers(-2, 2)] * len(POINTS))


def rises(values: Samples) -> bool:
    """Non-decreasing."""
    return all(a <= b for a, b in pairwise(values))


def is_valley(values: Samples, turn: Turn) -> bool:
    """The meaning of a turn, by looking at every sample."""
    falling = tuple(v for x, v in zip(POINTS, values, strict=True) if x <= turn.until)
    rising = tuple(v for x, v in zip(POINTS, values, strict=True) if x >= turn.since)
    falls_then_rises = any(rises(values[:k][::-1]) and rises(values[max(k - 1, 0) :]) for k in range(1, len(values) + 1))
    return rises(falling[::-1]) and rises(rising) and falls_then_rises


def holds(direction: Direction, values: Samples) -> bool:
    """Whether the sampled function has this direction."""
    negated = tuple(-v for v in values)
    valley = direction.valley is None or is_valley(values, direction.valley)
    return valley and (direction.peak is None or is_valley(negated, direction.peak))


def known_of(values: Samples) -> Direction:
    """The best direction of a sampled function."""
    found = UNKNOWN
    for named in [CONSTANT, UP, DOWN, MONOTONE, *(Direction(valley=Turn(u, s)) for u in POINTS for s in POINTS)]:
        for candidate in (named, named.negated()):
            found = found.meet(candidate) if holds(candidate, values) else found
    return found


def test_the_order_of_the_named_directions() -> None:
    anywhere = (lattice.valley(), lattice.peak())
    assert CONSTANT <= UP <= MONOTONE and CONSTANT <= DOWN <= MONOTONE
    assert all(MONOTONE <= d <= UNKNOWN for d in anywhere)
    assert not UP <= DOWN and not DOWN <= UP and UP.join(DOWN) == MONOTONE
    assert lattice.valley().meet(lattice.peak()) == MONOTONE
    assert lattice.valley(0, 1) <= lattice.valley(-1, 2)


@given(directions, directions, directions)
def test_meet_and_join_make_a_lattice(a: Direction, b: Direction, c: Direction) -> None:
    assert a.meet(b) == b.meet(a) and a.join(b) == b.join(a)
    assert a.meet(b).meet(c) == a.meet(b.meet(c)) and a.join(b).join(c) == a.join(b.join(c))
    assert a.meet(a.join(b)) == a == a.join(a.meet(b))
    assert CONSTANT <= a <= UNKNOWN
    assert (a <= b) == (a.meet(b) == a)


def test_the_table_of_compositions() -> None:
    valley, peak = lattice.valley(), lattice.peak()
    up_down = {(UP, UP): UP, (DOWN, DOWN): UP, (UP, DOWN): DOWN, (DOWN, UP): DOWN}
    bent = {(UP, valley): valley, (DOWN, valley): peak, (UP, peak): peak, (DOWN, peak): valley}
    through = {(valley, MONOTONE): valley, (peak, MONOTONE): peak, (valley, valley): UNKNOWN, (UNKNOWN, UP): UNKNOWN}
    for (outer, inner), expected in {**up_down, **bent, **through}.items():
        assert lattice.compose(outer, inner) == expected, (str(outer), str(inner))


@settings(max_examples=300, deadline=None)
@given(samples, samples)
def test_compose_is_sound(inner: Samples, outer: Samples) -> None:
    steps = tuple(v + 2 for v in inner)
    composed = tuple(outer[v] for v in steps)
    assert holds(lattice.compose(known_of(outer), known_of(inner)), composed)


@settings(max_examples=300, deadline=None)
@given(samples, samples)
def test_sum_largest_and_smallest_are_sound(f: Samples, g: Samples) -> None:
    combine: list[tuple[Callable[..., Direction], Callable[[int, int], int]]] = [
        (lattice.add, lambda a, b: a + b),
        (lattice.largest, max),
        (lattice.smallest, min),
    ]
    for rule, meaning in combine:
        assert holds(rule([known_of(f), known_of(g)]), tuple(meaning(a, b) for a, b in zip(f, g, strict=True))), rule


@settings(max_examples=300, deadline=None)
@given(samples, st.integers(1, len(POINTS) - 1))
def test_glue_is_sound(f: Samples, cut: int) -> None:
    left, right = _part(f, 0, cut), _part(f, cut, len(f))
    seam = Seam(f[cut - 1] <= f[cut], f[cut - 1] >= f[cut])
    assert holds(lattice.glue(left, cut - 1, seam, cut, right).within(0, 5), f)
    shared = _part(f, cut - 1, len(f))
    assert holds(lattice.glue(left, cut - 1, LEVEL, cut - 1, shared).within(0, 5), f)


def _part(f: Samples, start: int, stop: int) -> Direction:
    """The best direction of f on samples start to stop - 1, found by extending the ends level."""
    padded = tuple(f[min(max(i, start), stop - 1)] for i in range(len(f)))
    return known_of(padded).within(start, stop - 1)


def test_a_sum_of_valleys_needs_a_shared_turning_point() -> None:
    assert lattice.add([lattice.valley(0, 0), lattice.valley(0, 0)]) == lattice.valley(0, 0)
    assert lattice.add([lattice.valley(0, 0), lattice.valley(1, 1)]) == UNKNOWN
    assert lattice.add([lattice.valley(-1.3, -1.2), UP]) == UNKNOWN
    assert lattice.largest([lattice.valley(0, 0), lattice.valley(1, 1)]) == lattice.valley(0, 1)
    assert lattice.largest([UP, DOWN]).valley and lattice.smallest([UP, DOWN]).peak
    assert lattice.smallest([lattice.valley(0, 0), lattice.valley(1, 1)]) == UNKNOWN
