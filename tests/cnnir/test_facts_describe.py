"""Facts in words."""

from __future__ import annotations

import pytest

from cnnir.analysis.derive import derive
from cnnir.facts import lattice
from cnnir.facts.describe import describe, direction
from cnnir.facts.fact import identity
from cnnir.facts.interval import unknown
from cnnir.facts.precision import precision
from cnnir.ops.activation import UserActivation
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.piecewise import Abs, Relu6
from cnnir.ops.smooth import Sigmoid, Silu, Softsign
from cnnir.scalar.expr import X, apply

F32 = precision("f32")


@pytest.mark.parametrize(
    ("op", "words"),
    [
        (Relu6(), "non-decreasing; range [0, 6]; exact (E)"),
        (Abs(), "non-increasing, then non-decreasing (turning at 0); range [0, max]; exact (E)"),
        (Sigmoid(), "non-decreasing; range [0, 1]; exact for a monotone library (C, assumed)"),
        (Softsign(), "non-decreasing; range [-1, 1]; re-rounds (U), within 2.44e-07"),
    ],
)
def test_one_line_for_each_fact(op: Elementwise, words: str) -> None:
    found = describe(derive(op, [identity(unknown(F32))], {}, F32))
    assert found == words


def test_what_is_not_known_is_said() -> None:
    wide, exponential = precision("f64"), UserActivation("e", apply("exp", X))
    assert describe(derive(exponential, [identity(unknown(wide))], {}, wide)).endswith("re-rounds (U), no bound known")
    assert "turning in [-1.27846456, -1.27846444]" in describe(derive(Silu(), [identity(unknown(F32))], {}, F32))


def test_directions_in_words() -> None:
    words = {"constant": lattice.CONSTANT, "monotone, direction unknown": lattice.MONOTONE, "direction unknown": lattice.UNKNOWN}
    assert {w: direction(d) for w, d in words.items()} == {w: w for w in words}
    assert direction(lattice.peak(1, 1)) == "non-decreasing, then non-increasing (turning at 1)"
