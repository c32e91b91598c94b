"""The matrices of Winograd's F(m x m, r x r), computed exactly: y = A^T [(G g G^T) * (B^T d B)] A.

Toom and Cook's construction, transposed (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016): m + r - 2
points and infinity. A convolution of m outputs with r taps is a product of polynomials evaluated at the points.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

from .blocked import Floats, block

Matrix = tuple[tuple[Fraction, ...], ...]

POINTS = tuple(Fraction(p) for p in ("0", "1", "-1", "2", "-2", "1/2", "-1/2"))
"""In the order in which they are used; a pair a, -a shares its even and its odd part."""
OUTPUTS = (2, 4, 6)
"""Outputs along an axis of the tiles we know."""
TAPS = 3


@dataclass(frozen=True)
class Matrices:
    """A^T (m x a), G (a x r) and B^T (a x a), where a = m + r - 1 is the extent of a tile of the input."""

    output: Matrix
    weight: Matrix
    input: Matrix


@cache
def matrices(m: int, r: int = TAPS) -> Matrices:
    """The matrices for m outputs and r taps along an axis."""
    points = POINTS[: m + r - 2]
    output = [[p**i for p in points] + [Fraction(i == m - 1)] for i in range(m)]
    weight = [[p**k / _product([p - q for q in points if q != p]) for k in range(r)] for p in points]
    weight.append([Fraction(k == r - 1) for k in range(r)])
    data = [[*_polynomial([q for q in points if q != p]), Fraction(0)] for p in points]
    data.append(_polynomial(points))
    return Matrices(_frozen(output), _frozen(weight), _frozen(data))


def transform_weight(weight: Floats, m: int) -> NDArray[np.float64]:
    """G g G^T of every filter, in float64: [K, C, r, r] -> [a, a, K, C]."""
    G = np.array([[float(v) for v in row] for row in matrices(m).weight])
    return np.einsum("ia,kcab,jb->ijkc", G, weight.astype(np.float64), G, optimize=True)


def pack_winograd_weight(weight: Floats, m: int, lanes: int = 16, by_output: bool = False) -> Floats:
    """[K, C, 3, 3] -> [a*a, K/b, C, b], or [K/b, a*a, C, b] where `by_output`; rounded to float32 once."""
    K, C, *_ = weight.shape
    b = block(K, lanes)
    found = transform_weight(weight, m).reshape(-1, K // b, b, C).transpose((1, 0, 3, 2) if by_output else (0, 1, 3, 2))
    return np.ascontiguousarray(found, np.float32)


def _polynomial(roots: list[Fraction] | tuple[Fraction, ...]) -> list[Fraction]:
    """Coefficients of the product of (x - root), constant first."""
    found = [Fraction(1)]
    for root in roots:
        found = [low - root * high for low, high in zip([Fraction(0), *found], [*found, Fraction(0)], strict=True)]
    return found


def _product(values: list[Fraction]) -> Fraction:
    result = Fraction(1)
    for value in values:
        result *= value
    return result


def _frozen(rows: list[list[Fraction]]) -> Matrix:
    return tuple(tuple(row) for row in rows)
