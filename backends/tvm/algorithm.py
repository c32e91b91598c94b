"""Which algorithm computes a convolution: the one of least estimated time, from its geometry alone.

Neither what rides in the kernel nor how the network is otherwise arranged has a say: a moved and an unmoved network
compute the same bits. The estimate is in cycles of one core, for a core that does one vector fma a cycle and shares
the memory with another; only its order matters.

The error of F(m x m, 3 x 3) is at most amplification(m) (C + 40) u max |x| sum |w|, where u = 2^-24: the transforms, the rounded
weight and the sum over C channels. That is the worst case; on data as networks have them it is 1e-6 to 3e-5 of the
largest output (`tests/backends/test_winograd.py` holds it below 1e-4, the most that we allow).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from .kernels.blocked import block
from .kernels.geometry import ConvGeometry, accumulators
from .kernels.winograd import Tiling
from .kernels.winograd_matrices import POINTS, TAPS

ConvAlgorithm = Literal["direct", "winograd", "auto", "measure"]
"""`auto`: the faster by estimate; `direct`: plain sums; `winograd`: Winograd wherever it can be; `measure`: the faster by the clock."""
Choose = Callable[[ConvGeometry], Tiling | None]
"""The tiling of a convolution by Winograd, or None for direct convolution."""

LEAST_CHANNELS = 16
WORTH = 0.8
"""Winograd is chosen where it takes this share of the direct time or less: it is less exact, and its weights are larger."""
MEMORY, CACHE = 0.31, 0.015
"""Cycles for a byte of the weights from memory, where nobody has measured it, and from a cache that all cores share."""
TRANSFORM = 16
"""Cycles for a vector to be transformed, data or sums, loads and stores included."""
PRIVATE = 512 * 1024
"""Bytes of transformed input that stay in a core's own cache."""
WORKSPACE = 256 * 1024 * 1024
"""Most bytes of intermediates of all tiles at once."""
LEAST_GROUPS = 8
"""Groups of rows that threads share: fewer leave some idle at the end."""
LATENCY = 8
"""Sums that keep the fma unit busy."""


def choose(conv: ConvGeometry, wanted: Literal["direct", "winograd", "auto"], lanes: int, memory: float = MEMORY) -> Tiling | None:
    """The tiling of Winograd, or None for direct convolution. `memory`: cycles for a byte of the weights from memory."""
    if wanted == "direct" or not can_transform(conv, lanes):
        return None
    if wanted == "auto" and min(conv.in_channels, conv.out_channels) < LEAST_CHANNELS:
        return None
    best = min(tilings(conv, lanes), key=lambda tiling: _winograd_cycles(conv, tiling, lanes, memory))
    if wanted == "auto" and _winograd_cycles(conv, best, lanes, memory) > WORTH * _direct_cycles(conv, lanes, memory):
        return None
    return best


def can_transform(conv: ConvGeometry, lanes: int) -> bool:
    """3x3, dense, stride and dilation 1, and vectors of several channels on both sides."""
    plain = conv.kernel == (TAPS, TAPS) and conv.stride == conv.dilation == (1, 1) and conv.groups == 1
    return plain and min(block(conv.in_channels, lanes), block(conv.out_channels, lanes)) >= 4


def tilings(conv: ConvGeometry, lanes: int) -> list[Tiling]:
    """Every tiling that is worth a look, where `can_transform` holds."""
    found: list[Tiling] = []
    columns = min(accumulators(lanes), 14)
    for m in POINTS:
        rows = conv.batch * -(-conv.out_size[0] // m)
        row_bytes = (m + TAPS - 1) ** 2 * conv.in_channels * -(-conv.out_size[1] // m) * 4
        together = max(1, min(PRIVATE // row_bytes, rows // LEAST_GROUPS))
        grouped, whole = Tiling(m, together, columns), Tiling(m, None, columns)
        fits = rows * row_bytes * (1 + conv.out_channels / conv.in_channels) <= WORKSPACE
        found += [grouped, whole] if fits else [grouped]
    return found


def _winograd_cycles(conv: ConvGeometry, tiling: Tiling, lanes: int, memory: float) -> float:
    """Products of vectors, transforms, and what comes from memory."""
    rows = conv.batch * -(-conv.out_size[0] // tiling.m)
    width, positions = -(-conv.out_size[1] // tiling.m), tiling.extent**2
    in_blocks = conv.in_channels // block(conv.in_channels, lanes)
    out_blocks = conv.out_channels // block(conv.out_channels, lanes)
    together = tiling.rows or rows
    groups = -(-rows // together)
    panel = together * width / -(-together * width // tiling.columns)
    products = positions * rows * width * conv.in_channels * out_blocks * max(1.0, LATENCY / panel)
    transforms = TRANSFORM * positions * rows * width * (in_blocks + out_blocks)
    weights = positions * conv.in_channels * conv.out_channels * 4
    total = products + transforms + weights * memory
    if tiling.rows is None:
        intermediate = positions * rows * width * (conv.in_channels + conv.out_channels) * 4
        return total + intermediate * 2 * (CACHE if intermediate < 8 * PRIVATE else memory / 2)
    overflow = max(1.0, positions * together * width * conv.in_channels * 4 / PRIVATE)
    waste = groups * together / rows * max(1.0, LEAST_GROUPS / groups)
    return (total + (groups - 1) * weights * _again(weights, memory)) * overflow * waste


def _again(weights: int, memory: float) -> float:
    """Cycles for a byte of the weights of which there are so many, read a second time."""
    return CACHE if weights <= 32 * PRIVATE else memory


def _direct_cycles(conv: ConvGeometry, lanes: int, memory: float) -> float:
    weights = conv.in_channels * conv.out_channels * TAPS * TAPS * 4
    return conv.multiplies / block(conv.out_channels, lanes) + weights * memory
