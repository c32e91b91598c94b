"""What the kernel tests share: data, running one function, geometries of convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tvm
from tvm import tirx

from cnnir.backends.tvm.kernels import blocked
from cnnir.backends.tvm.kernels.epilogue import Extra, PoolKind, PoolWindow, Stage
from cnnir.backends.tvm.kernels.geometry import ConvGeometry
from cnnir.backends.tvm.kernels.intrinsics import INTRINSICS
from cnnir.backends.tvm.target import host_target, lanes

HOST = host_target()
LANES = lanes(HOST)
RNG = np.random.default_rng(20261123)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def run(function, arguments: Sequence[np.ndarray], shape: Sequence[int], target=HOST) -> np.ndarray:
    """Compile, fill the output with NaN, run."""
    library = tvm.compile(function, target=target)
    output = tvm.runtime.tensor(np.full(shape, np.nan, np.float32))
    library[function.attrs["global_symbol"]](*(tvm.runtime.tensor(np.asarray(a, np.float32)) for a in arguments), output)
    return output.numpy()


def differing(left: np.ndarray, right: np.ndarray) -> int:
    assert left.shape == right.shape
    return int((left.view(np.uint32) != right.view(np.uint32)).sum())


def constant(value: float):
    return tirx.const(value, "float32")


CHANNEL, TENSOR = Extra("channel"), Extra("tensor")
BIAS = Stage(lambda v, bias: v + bias, (CHANNEL,))
RELU = Stage(lambda v: tirx.max(v, constant(0)))
ADD = Stage(lambda v, other: v + other, (TENSOR,))
AFFINE = Stage(lambda v: v * constant(0.2) + constant(0.5))
STAGES = {
    "affine": AFFINE,
    "scale_shift": Stage(lambda v, scale, shift: v * scale + shift, (CHANNEL, CHANNEL)),
    "quarter": Stage(lambda v: v / constant(4) + constant(0.1)),
    "add": ADD,
    "hard_swish": Stage(lambda v: v * tirx.min(tirx.max(v * constant(1 / 6) + constant(0.5), constant(0)), constant(1))),
    "sigmoid": Stage(lambda v: constant(1) / (constant(1) + INTRINSICS["exp"](-v))),
    "tanh": Stage(INTRINSICS["tanh"]),
    "gelu": Stage(lambda v: v * constant(0.5) * (constant(1) + INTRINSICS["erf"](v * constant(0.70710678)))),
    "leaky": Stage(lambda v: tirx.Select(v > constant(0), v, v * constant(0.1))),
}


def convolution(N, C, size, K, kernel, stride=(1, 1), pad=(0, 0, 0, 0), dilation=(1, 1), groups=1) -> ConvGeometry:
    out = tuple((size[axis] + pad[axis] + pad[axis + 2] - (kernel[axis] - 1) * dilation[axis] - 1) // stride[axis] + 1 for axis in (0, 1))
    return ConvGeometry(N, C, size, K, kernel, out, stride, pad, dilation, groups)


def convolve(x: np.ndarray, weight: np.ndarray, conv: ConvGeometry) -> np.ndarray:
    """The definition, in float64."""
    top, left, bottom, right = conv.pad
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (top, bottom), (left, right)))
    (OH, OW), groups = conv.out_size, conv.groups
    out = np.zeros((conv.batch, conv.out_channels, OH, OW))
    ins, outs = conv.in_channels // groups, conv.out_channels // groups
    for r in range(conv.kernel[0]):
        for s in range(conv.kernel[1]):
            y, z = r * conv.dilation[0], s * conv.dilation[1]
            tap = x[:, :, y : y + (OH - 1) * conv.stride[0] + 1 : conv.stride[0], z : z + (OW - 1) * conv.stride[1] + 1 : conv.stride[1]]
            for g in range(groups):
                part = slice(g * outs, (g + 1) * outs)
                out[:, part] += np.einsum("nchw,kc->nkhw", tap[:, g * ins : (g + 1) * ins], weight[part, :, r, s])
    return out


ONE, TWO, THREE = (1, 1, 1, 1), (2, 2, 2, 2), (3, 3, 3, 3)
CONVOLUTIONS = {
    "lenet1": convolution(1, 1, (32, 32), 6, (5, 5)),
    "lenet2": convolution(1, 6, (14, 14), 16, (5, 5)),
    "lenet3": convolution(2, 16, (5, 5), 120, (5, 5)),
    "first": convolution(1, 3, (35, 31), 64, (3, 3), pad=ONE),
    "alexnet1": convolution(1, 3, (227, 227), 16, (11, 11), (4, 4)),
    "resnet1": convolution(1, 3, (41, 41), 32, (7, 7), (2, 2), THREE),
    "13x13": convolution(1, 32, (13, 13), 64, (3, 3), pad=ONE),
    "7x7": convolution(2, 32, (7, 7), 48, (3, 3), pad=ONE),
    "1x1": convolution(1, 16, (17, 19), 16, (1, 1)),
    "1x1/2": convolution(1, 24, (13, 13), 10, (1, 1), (2, 2)),
    "prime width": convolution(1, 16, (9, 149), 16, (1, 1)),
    "asymmetric pad": convolution(1, 32, (28, 28), 32, (3, 3), (2, 2), (0, 0, 1, 1)),
    "everything": convolution(1, 17, (9, 9), 13, (3, 2), (1, 2), (2, 0, 1, 3), (2, 3)),
    "depthwise": convolution(1, 32, (29, 29), 32, (3, 3), pad=ONE, groups=32),
    "depthwise 24/2": convolution(1, 24, (29, 29), 24, (3, 3), (2, 2), ONE, groups=24),
    "multiplier": convolution(1, 32, (15, 15), 64, (3, 3), pad=ONE, groups=32),
    "resnext": convolution(1, 64, (14, 14), 64, (3, 3), pad=ONE, groups=16),
    "shufflenet": convolution(1, 272, (7, 7), 272, (1, 1), groups=4),
    "odd groups": convolution(1, 12, (9, 9), 18, (3, 3), pad=ONE, groups=3),
    "alexnet2": convolution(1, 96, (27, 27), 64, (5, 5), pad=TWO, groups=2),
    "one pixel": convolution(1, 10, (1, 1), 10, (1, 1)),
}


def conv_arguments(conv: ConvGeometry, lanes: int = LANES) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    x = normal(conv.batch, conv.in_channels, *conv.in_size)
    weight = normal(conv.out_channels, conv.in_channels // conv.groups, *conv.kernel)
    return x, weight, [blocked.pack(x, lanes), blocked.pack_conv_weight(weight, conv.groups, lanes)]


def out_shape(conv: ConvGeometry, pool: PoolWindow | None = None, lanes: int = LANES) -> tuple[int, ...]:
    return blocked.blocked_shape((conv.batch, conv.out_channels, *(pool.output if pool else conv.out_size)), lanes)


def windows(kind: PoolKind, kernel: tuple[int, int], size: tuple[int, int]) -> PoolWindow:
    return PoolWindow(kind, kernel, kernel, (size[0] // kernel[0], size[1] // kernel[1]))
