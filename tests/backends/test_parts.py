"""Formulas that are too large written out are computed in parts, which give the same bits."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnnir
from cnnir.backends.tvm.parts import parts, reads, written
from cnnir.backends.tvm.regions import MOST_READS
from cnnir.ops.smooth import Mish
from cnnir.scalar.expr import Apply, Const, Expr, Var, X, apply, fold, has_variable
from cnnir.testing import feeds

REMAINDERS = apply("mod", X, apply("mul", apply("mod", X, 2), apply("tanh", apply("softplus", apply("mod", X, 2))))) - 0.5


@st.composite
def formulas(draw: st.DrawFn) -> Expr:
    """Formulas of one variable whose nodes share what they are made of."""
    known: list[Expr] = [X, Var(1), Const(2.0)]
    for _ in range(draw(st.integers(1, 12))):
        name, arity = draw(st.sampled_from([("mod", 2), ("add", 2), ("tanh", 1), ("softplus", 1), ("select", 4), ("to_f64", 1)]))
        known.append(apply(name, *(draw(st.sampled_from(known[-4:])) for _ in range(arity))))
    return known[-1]


def together(found: list[Expr], first: int) -> Expr:
    """The last part, with those before it in the place of their variables."""
    whole: list[Expr] = []
    for part in found:
        whole.append(
            fold(
                part, lambda leaf: whole[leaf.index - first] if isinstance(leaf, Var) and leaf.index >= first else leaf,
                lambda primitive, args: Apply(primitive, tuple(args)),
            )
        )  # fmt: skip
    return whole[-1]


@given(formulas(), st.integers(1, 5_000))
def test_parts_make_the_formula_and_none_is_large(formula: Expr, most: int) -> None:
    found = parts(formula, 2, most)
    assert together(found, 2) == formula
    assert all(written(part) <= most or not any(map(_could_be_stored, part.args)) for part in found if isinstance(part, Apply))


def _could_be_stored(part: Expr) -> bool:
    return isinstance(part, Apply) and has_variable(part)


def test_a_formula_that_is_small_stays_whole() -> None:
    assert parts(X * 2 + 1, 1, MOST_READS) == [X * 2 + 1]


def test_truth_values_and_numbers_get_no_part() -> None:
    for formula in (apply("where", apply("less", X, 1), X, 2), apply("mod", X, apply("tanh", Const(2.0)))):
        assert parts(formula, 1, 0) == [formula]


def test_what_remainders_and_mish_write_again_and_again() -> None:
    assert reads(apply("mod", X, 2)) == 4
    assert reads(apply("mod", Const(2.0), X)) == 6
    assert reads(Mish().formula()) > MOST_READS
    assert reads(REMAINDERS) > 20 * reads(Mish().formula())
    found = parts(REMAINDERS, 1, MOST_READS)
    assert len(found) > 1
    assert max(map(written, found)) <= MOST_READS


@pytest.mark.parametrize("dtype", ["f32", "f64", "f16"])
def test_parts_give_the_bits_of_layers(dtype: str) -> None:
    network = f"network n(x: {dtype}[1, 3, 8]) {{"
    whole = cnnir.parse(f"activation f(x) = mod(x, mod(x, 2) * tanh(softplus(mod(x, 2)))) - 0.5\n{network} x -> f -> maxpool(2) }}")
    apart = cnnir.parse(f"{network} a = x -> mod(2); b = a -> softplus -> tanh; mod(x, mul(a, b)) -> sub(0.5) -> maxpool(2) }}")
    one, other = cnnir.compile(whole, threads=1), cnnir.compile(apart, threads=1, fusion="none")
    for feed in itertools.islice(feeds(whole, 3), 8):
        (a,), (b,) = one(feed).values(), other(feed).values()
        np.testing.assert_array_equal(a.view(np.uint8), b.view(np.uint8))
