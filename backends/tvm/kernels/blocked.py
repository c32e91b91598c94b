"""The blocked layout, and how tensors and weights are packed into it with NumPy.

[N, C, H, W] is stored as [N, C/b, H, W, b] with b = block(C): a pixel's b neighbouring channels are one vector.
A per-channel vector [C] is stored as [C/b, b]. Every other rank stays as it is, row-major.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
TURNED = 256
"""Columns of a weight that are transposed at a time."""


def block(channels: int, lanes: int = 16) -> int:
    """Channels in a block: `lanes` if it divides, else half of it (8 or more), else the largest divisor below.

    Half a register (8 of 16) goes before an odd fit such as 10 or 15: whole aligned loads beat a few lanes more.
    """
    for size in (lanes, lanes // 2):
        if size >= 8 and channels % size == 0:
            return size
    return max(size for size in range(1, lanes + 1) if channels % size == 0)


def blocked_shape(shape: tuple[int, int, int, int], lanes: int = 16) -> tuple[int, int, int, int, int]:
    """The stored shape of a plain [N, C, H, W]."""
    N, C, H, W = shape
    b = block(C, lanes)
    return (N, C // b, H, W, b)


def pack(tensor: Floats, lanes: int = 16) -> Floats:
    """[N, C, H, W] -> [N, C/b, H, W, b]."""
    N, C, H, W = tensor.shape
    b = block(C, lanes)
    return np.ascontiguousarray(tensor.reshape(N, C // b, b, H, W).transpose(0, 1, 3, 4, 2))


def unpack(tensor: Floats) -> Floats:
    """[N, C/b, H, W, b] -> [N, C, H, W]."""
    N, blocks, H, W, b = tensor.shape
    return np.ascontiguousarray(tensor.transpose(0, 1, 4, 2, 3).reshape(N, blocks * b, H, W))


def pack_channel(vector: Floats, lanes: int = 16) -> Floats:
    """[C] -> [C/b, b]."""
    b = block(vector.shape[0], lanes)
    return np.ascontiguousarray(vector.reshape(-1, b))


def is_depthwise(in_channels: int, out_channels: int, groups: int) -> bool:
    """One filter per channel: its own lane computes it, no sum over channels."""
    return groups == in_channels == out_channels and groups > 1


def first_in_block(out_block: int, in_channels: int, out_channels: int, groups: int, lanes: int = 16):
    """The first block of input channels that `out_block` (a number or a TIR expression) sums over, before clipping."""
    first_group = (out_block * block(out_channels, lanes)) // (out_channels // groups)
    return (first_group * (in_channels // groups)) // block(in_channels, lanes)


def in_block_span(in_channels: int, out_channels: int, groups: int, lanes: int = 16) -> int:
    """How many blocks of input channels one block of output channels needs, at most."""
    in_block, out_block = block(in_channels, lanes), block(out_channels, lanes)
    spans = []
    for k in range(out_channels // out_block):
        last_group = (k * out_block + out_block - 1) // (out_channels // groups)
        last = ((last_group + 1) * (in_channels // groups) - 1) // in_block
        spans.append(last - first_in_block(k, in_channels, out_channels, groups, lanes) + 1)
    return max(spans)


def pack_conv_weight(weight: Floats, groups: int = 1, lanes: int = 16) -> Floats:
    """[K, C/groups, R, S] -> [K/bo, span, R, S, bi, bo], or [C/b, R, S, b] when depthwise.

    With groups, a block of output channels reads `span` consecutive blocks of input channels; where a channel of those
    belongs to another group the weight is 0, so whole vectors are computed even when groups and blocks don't line up. (Data are finite by
    contract: an infinity times such a 0 would be NaN.)
    """
    K, group_in, R, S = weight.shape
    C = group_in * groups
    bi, bo = block(C, lanes), block(K, lanes)
    if is_depthwise(C, K, groups):
        return np.ascontiguousarray(weight.reshape(K // bo, bo, R, S).transpose(0, 2, 3, 1))
    span = in_block_span(C, K, groups, lanes)
    packed = np.zeros((K // bo, span, R, S, bi, bo), np.float32)
    for k in range(K):
        start = min(first_in_block(k // bo, C, K, groups, lanes), C // bi - span) * bi
        channels = (k // (K // groups)) * group_in + np.arange(group_in) - start
        packed[k // bo, channels // bi, :, :, channels % bi, k % bo] = weight[k]
    return packed


def dense_panel(batch: int, out_features: int, lanes: int = 16) -> int:
    """Output features computed together: up to 4 vectors, fewer where that pads much or a batch needs the registers."""
    for vectors in (4, 2, 1):
        panel = vectors * lanes
        padded = -(-out_features // panel) * panel
        if vectors == 1 or (vectors * min(batch, 8) <= 16 and padded <= 1.05 * out_features and padded // panel >= 8):
            return panel
    raise AssertionError("one vector always fits")


def pack_dense_weight(weight: Floats, batch: int = 1, lanes: int = 16) -> Floats:
    """[O, I] -> [O/panel, I, panel], O padded with zero rows: a panel is read once, front to back."""
    O, I = weight.shape  # noqa: E741 - the field's names
    panel = dense_panel(batch, O, lanes)
    packed = np.zeros((-(-O // panel), I, panel), np.float32)
    for p, rows in enumerate(packed):
        own = weight[p * panel : (p + 1) * panel]
        for i in range(0, I, TURNED):  # what is turned at a time stays in the cache
            rows[i : i + TURNED, : len(own)] = own[:, i : i + TURNED].T
    return packed
