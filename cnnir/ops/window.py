"""Sliding windows along one axis, and the output-size rules of convolution and pooling."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from cnnir.diagnostics import OpError

from .base import Array

MAX_TAPS = 1 << 26
"""Greatest number of (window, element) pairs on one axis: half a gigabyte of indices."""

SMALL = 1 << 12
"""Tables up to this size are kept: a network of many pools has few different ones."""


@dataclass(frozen=True)
class Windows:
    """The windows of one axis: output o looks at the input positions `taps[o]`, those that are `real[o]`.

    `taps` is (outputs, taps per window) int64; a tap outside 0..length-1 falls into padding.
    """

    length: int
    taps: Array

    @property
    def outputs(self) -> int:
        """Number of windows."""
        return len(self.taps)

    @cached_property
    def real(self) -> Array:
        """Which taps are elements of the input, not padding."""
        return (self.taps >= 0) & (self.taps < self.length)

    @cached_property
    def empty(self) -> Array:
        """Indices of the windows without any real element (enumerated: with dilation pad < kernel is not enough)."""
        return np.flatnonzero(~self.real.any(axis=1))


def _check_size(outputs: int, taps: int) -> None:
    """Refuse windows whose table of taps would not fit in memory."""
    if outputs * taps > MAX_TAPS:
        raise OpError("C0210", f"the windows are too large: {outputs:,} of {taps:,} elements on one axis")


def sliding(length: int, outputs: int, kernel: int, stride: int, dilation: int, begin: int) -> Windows:
    """Windows that start `stride` apart, the first at -begin, with `kernel` taps `dilation` apart."""
    _check_size(outputs, kernel)
    made = _sliding if outputs * kernel <= SMALL else _sliding.__wrapped__
    return made(length, outputs, kernel, stride, dilation, begin)


@lru_cache(maxsize=1024)
def _sliding(length: int, outputs: int, kernel: int, stride: int, dilation: int, begin: int) -> Windows:
    starts = np.arange(outputs)[:, None] * stride - begin
    taps = starts + np.arange(kernel)[None, :] * dilation
    taps.flags.writeable = False
    return Windows(length, taps)


def adaptive(length: int, outputs: int) -> Windows:
    """PyTorch's adaptive windows: output o covers floor(o n / O) to ceil((o + 1) n / O); short ones repeat their last tap."""
    _check_size(outputs, length // outputs + 2)
    starts = np.arange(outputs) * length // outputs
    ends = -(-(np.arange(1, outputs + 1) * length) // outputs)
    offsets = np.arange(int((ends - starts).max(initial=1)))
    return Windows(length, np.where(offsets < (ends - starts)[:, None], starts[:, None] + offsets, -1))


def output_size(length: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int], ceil: bool = False) -> int:
    """Number of windows on an axis; raises OpError where not even one fits.

    Ceil mode as PyTorch, ONNX >= 1.16 and TVM: one more window, unless it would start past the input and its begin pad.
    """
    span = length + sum(pads) - dilation * (kernel - 1) - 1
    if span < 0:
        raise OpError(
            "C0203",
            "a window does not fit its input",
            remark=f"needs at least {dilation * (kernel - 1) + 1 - sum(pads)} elements on an axis that has {length}",
            help="use a smaller kernel, or `pad`",
        )
    if not ceil:
        return span // stride + 1
    outputs = -(-span // stride) + 1
    return outputs - 1 if (outputs - 1) * stride >= length + pads[0] else outputs


def same_pads(length: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Pads that make the output ceil(length / stride) long, the odd one at the end (SAME_UPPER)."""
    outputs = -(-length // stride)
    total = max(0, (outputs - 1) * stride + dilation * (kernel - 1) + 1 - length)
    return total // 2, total - total // 2


def axis_pads(pad: tuple[int, ...], axis: int) -> tuple[int, int]:
    """The (begin, end) pads of spatial axis `axis`; `pad` holds all begins, then all ends."""
    return pad[axis], pad[len(pad) // 2 + axis]
