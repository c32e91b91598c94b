"""A Winograd transform along one axis as vector code: sums of a few vectors with small exact coefficients.

The rows (or columns) of the points a and -a differ only in the sign of their odd part, which halves the products. Every
product is part of an explicit fma or rounded by itself: no code around a transform changes a bit of what it gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from .strict import rounded
from .winograd_matrices import Matrix


def combine(coefficients: Sequence[Fraction], values: Sequence[Expr], lanes: int) -> Expr | None:
    """The sum of the values times their coefficients, from the left but a product never first; None if all are 0."""
    terms = [(c, v) for c, v in zip(coefficients, values, strict=True) if c]
    terms.sort(key=lambda term: (term[0] != 1, abs(term[0]) != 1))  # stable: else in order
    result: Expr | None = None
    for c, v in terms:
        if result is None:
            result = v if c == 1 else rounded(v * _vector(c, lanes))
        elif abs(c) == 1:
            result = result + v if c == 1 else result - v
        else:
            result = T.fma(v, _vector(c, lanes), result)
    return result


def transform_input(matrix: Matrix, values: Sequence[Expr], lanes: int) -> list[Expr]:
    """`matrix` (B^T) times the values: the rows of a and -a are E + O and E - O."""
    results: list[Expr] = []
    row = 0
    while row < len(matrix):
        pair = matrix[row : row + 2]
        mirrored = len(pair) == 2 and all(abs(p) == abs(q) for p, q in zip(*pair, strict=True))
        if not mirrored:
            results.append(_required(combine(matrix[row], values, lanes)))
            row += 1
            continue
        even = [p if p == q else Fraction(0) for p, q in zip(*pair, strict=True)]
        odd = [p if p != q else Fraction(0) for p, q in zip(*pair, strict=True)]
        e, o = (T.bind(_required(combine(part, values, lanes))) for part in (even, odd))
        results += [e + o, e - o]
        row += 2
    return results


def transform_output(matrix: Matrix, values: Sequence[Expr], lanes: int) -> list[Expr]:
    """`matrix` (A^T) times the values: the columns of a and -a act on their sum and their difference."""
    pairs = [(j, j + 1) for j in range(1, len(values) - 1, 2)]
    sums = {j: T.bind(values[j] + values[k]) for j, k in pairs}
    differences = {j: T.bind(values[j] - values[k]) for j, k in pairs}
    results: list[Expr] = []
    for row in matrix:
        terms = [(row[0], values[0]), (row[-1], values[-1])]
        terms[1:1] = [(row[j], sums[j] if row[j] == row[k] else differences[j]) for j, k in pairs]
        results.append(_required(combine([c for c, _ in terms], [v for _, v in terms], lanes)))
    return results


def _vector(value: Fraction, lanes: int) -> Expr:
    """A constant in every lane; the coefficients of our points are exact in float32."""
    return tirx.Broadcast(tirx.const(float(value), "float32"), lanes)


def _required(value: Expr | None) -> Expr:
    assert value is not None, "a row of zeros"
    return value
