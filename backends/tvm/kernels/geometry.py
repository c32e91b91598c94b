"""The shape of a convolution, and the register tile it is computed in."""

from __future__ import annotations

from dataclasses import dataclass

from .blocked import block, in_block_span, is_depthwise
from .epilogue import PoolWindow

LATENCY_TILE = 8  # accumulators that keep the fma units busy: 4 cycles of latency, 2 units


@dataclass(frozen=True)
class ConvGeometry:
    """A 2-D convolution. Sizes are (h, w), pad is (top, left, bottom, right)."""

    batch: int
    in_channels: int
    in_size: tuple[int, int]
    out_channels: int
    kernel: tuple[int, int]
    out_size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def depthwise(self) -> bool:
        return is_depthwise(self.in_channels, self.out_channels, self.groups)

    @property
    def multiplies(self) -> int:
        positions = self.batch * self.out_channels * self.out_size[0] * self.out_size[1]
        return positions * self.kernel[0] * self.kernel[1] * (self.in_channels // self.groups)

    def in_span(self, lanes: int) -> int:
        """Blocks of input channels that one block of output channels sums over."""
        return in_block_span(self.in_channels, self.out_channels, self.groups, lanes)

    def taps_extent(self, axis: int, outputs: int) -> int:
        """How many padded input rows (axis 0) or columns (axis 1) the first `outputs` outputs read."""
        return (outputs - 1) * self.stride[axis] + (self.kernel[axis] - 1) * self.dilation[axis] + 1


@dataclass(frozen=True)
class Tile:
    """What one thread holds in registers: `columns` outputs (pooled ones, if a pool is fused) x `blocks` of channels."""

    columns: int
    blocks: int


def accumulators(lanes: int) -> int:
    """Vector registers we let a tile use: of AVX-512's 32, or of 16, all but a few for weights and inputs."""
    return 28 if lanes >= 16 else 12


def can_fuse_pool(conv: ConvGeometry, pool: PoolWindow, lanes: int = 16) -> bool:
    """Can the pool be done in the convolution's registers, nothing computed twice?

    Its windows must not overlap, nor be padded, dilated or overhang, and one window must fit the registers.
    """
    inside = all(pool.output[axis] * pool.kernel[axis] <= conv.out_size[axis] for axis in (0, 1))
    fits = pool.kernel[0] * pool.kernel[1] <= accumulators(lanes)
    return pool.kernel == pool.stride and pool.pad == (0, 0, 0, 0) and pool.dilation == (1, 1) and inside and fits


def choose_tile(conv: ConvGeometry, pool: PoolWindow | None, lanes: int) -> Tile:
    """The tile that wastes least: columns past the edge, waits for an fma, loads, chunks that threads can't share.

    Two blocks of output channels use each input twice; more only where the image is too narrow to keep the fma units
    busy with two. No choice changes a bit of the result.
    """
    out_h, width = pool.output if pool else conv.out_size
    window = pool.kernel[0] * pool.kernel[1] if pool else 1
    out_blocks = conv.out_channels // block(conv.out_channels, lanes)

    def cost(tile: Tile) -> float:
        inputs = tile.columns * window
        sums = inputs * tile.blocks
        past_edge = -(-width // tile.columns) * tile.columns / width
        stalls = max(1.0, LATENCY_TILE / sums)
        loads = 1 + 0.04 * (inputs + tile.blocks) / sums
        chunks = conv.batch * out_h * out_blocks // tile.blocks
        many_blocks = 1.0 if tile.blocks <= 2 else 1.05
        return past_edge * stalls * loads * (1 + 0.5 / chunks) * many_blocks

    def fits(tile: Tile) -> bool:
        """Sums, one weight per block and an input or two: 7 x 4 needs more than 32 registers and runs at half speed."""
        sums, limit = tile.columns * window * tile.blocks, accumulators(lanes)
        return sums <= limit and (tile.blocks == 1 or sums + tile.blocks <= limit + 2 or tile.columns * window == 1)

    blocks = [1] if conv.depthwise else [n for n in range(1, out_blocks + 1) if out_blocks % n == 0]
    tiles = [Tile(columns, n) for columns in range(1, width + 1) for n in blocks]
    return min(filter(fits, tiles), key=cost)
