"""A convolution by either algorithm: its packed weight and its kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .kernels.blocked import block, pack_conv_weight
from .kernels.direct import direct_conv
from .kernels.epilogue import Epilogue
from .kernels.geometry import ConvGeometry
from .kernels.winograd import Tiling, pack_weight, weight_shape, winograd_conv

if TYPE_CHECKING:
    from tvm.tirx import PrimFunc

    from .plan import Array


def packed_shape(conv: ConvGeometry, tiling: Tiling | None, lanes: int) -> tuple[int, ...]:
    """Shape of what `packed` makes, without packing. No tiling is direct convolution."""
    if tiling is not None:
        return weight_shape(conv, tiling, lanes)
    inner, outer = block(conv.in_channels, lanes), block(conv.out_channels, lanes)
    blocks = conv.out_channels // outer
    return (blocks, *conv.kernel, outer) if conv.depthwise else (blocks, conv.in_span(lanes), *conv.kernel, inner, outer)


def packed(weight: Array, conv: ConvGeometry, tiling: Tiling | None, lanes: int) -> Array:
    """The weight [K, C / groups, R, S] as the kernel reads it."""
    return pack_conv_weight(weight, conv.groups, lanes) if tiling is None else pack_weight(weight, tiling, lanes)


def kernel(conv: ConvGeometry, tiling: Tiling | None, epilogue: Epilogue, name: str, lanes: int) -> PrimFunc:
    """(data, weight, extras before, extras after, output)."""
    if tiling is None:
        return direct_conv(conv, epilogue, name, lanes)
    return winograd_conv(conv, tiling, epilogue, name, lanes)
