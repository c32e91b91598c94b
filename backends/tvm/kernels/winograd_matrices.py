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

Matrix = tuple[tuple[Fraction, ...], ...]

POINTS = {
    2: ("0", "1", "-1"),
    4: ("0", "1/2", "-1/2", "2", "-2"),  # 1 and 2 amplify errors four times as much
    6: ("0", "1", "-1", "2", "-2", "1/2", "-1/2"),
}
"""For m outputs along an axis, the points of least `amplification`. A pair a, -a shares its even and its odd part."""
TAPS = 3


@dataclass(frozen=True)
class Matrices:
    """A^T (m x a), G (a x r) and B^T (a x a), where a = m + r - 1 is the extent of a tile of the input."""

    output: Matrix
    weight: Matrix
    input: Matrix


@cache
def matrices(m: int) -> Matrices:
    """The matrices for m outputs and three taps along an axis."""
    r = TAPS
    points = [Fraction(p) for p in POINTS[m]]
    output = [[p**i for p in points] + [Fraction(i == m - 1)] for i in range(m)]
    weight = [[p**k / _product([p - q for q in points if q != p]) for k in range(r)] for p in points]
    weight.append([Fraction(k == r - 1) for k in range(r)])
    data = [[*_polynomial([q for q in points if q != p]), Fraction(0)] for p in points]
    data.append(_polynomial(points))
    return Matrices(_frozen(output), _frozen(weight), _frozen(data))


@cache
def amplification(m: int) -> float:
    """The most that errors grow: max over an output and a tap of sum_j |A^T_ij| |G_jk| sum_l |B^T_jl|, squared for two axes.

    An error of relative size e in the transformed data, weights and products is at most amplification * e * max |x| * sum |w|
    in the result: 16, 210 and 1565 for m = 2, 4 and 6. `cnnir.ops.convolution` counts on it.
    """
    found, a = matrices(m), m + TAPS - 1
    reach = [sum(abs(v) for v in row) for row in found.input]
    most = max(sum(abs(found.output[i][j]) * abs(found.weight[j][k]) * reach[j] for j in range(a)) for i in range(m) for k in range(TAPS))
    return float(most) ** 2


def transform_weight(taps: NDArray[np.float64], m: int) -> NDArray[np.float64]:
    """G g G^T of filters in float64: [..., r * r] -> [a * a, ...]."""
    G = np.array([[float(v) for v in row] for row in matrices(m).weight])
    return np.kron(G, G) @ taps.reshape(-1, taps.shape[-1]).T


def _polynomial(roots: list[Fraction]) -> list[Fraction]:
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
