"""Convolutions and products of matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cnnir.ops.arithmetic import Add, Mul
from cnnir.ops.conv_transpose import ConvTranspose
from cnnir.ops.convolution import Conv, Dense
from cnnir.ops.matmul import MatMul
from cnnir.ops.shape import Reshape, Squeeze, Transpose
from cnnir.ops.tensor import Softmax
from cnnir.ops.window import same_pads

from ..build import Build, Known, Operand, Unsupported
from .table import Number, Rule, batched, both_sides, known, optional, spread

Sizes = int | Sequence[int]


def conv(
    build: Build, input: Operand, weight: Operand, bias: Operand | None = None, stride: Sizes = 1, padding: Sizes | str = 0,
    dilation: Sizes = 1, groups: int = 1,
) -> Operand:  # fmt: skip
    """conv1d, conv2d, conv3d; `padding` may be `same` or `valid`."""
    kernel, offset = known(weight, "the weight of a convolution"), optional(bias, "the bias of a convolution")
    out, size = kernel.values.shape[0], kernel.values.shape[2:]
    axes = len(size)
    data, single = batched(build, input, axes)
    steps, spacing = spread(stride, axes), spread(dilation, axes)
    if padding == "same":
        lengths = build.shape(data)[2:]
        sides = [same_pads(n, k, s, d) for n, k, s, d in zip(lengths, size, steps, spacing, strict=True)]
        pads = (*(b for b, _ in sides), *(e for _, e in sides))
    else:
        pads = (0,) * (2 * axes) if isinstance(padding, str) else both_sides(padding, axes)
    op = Conv(out, size, steps, pads, spacing, groups, offset is not None)
    result = build.add(op, data, weight=kernel, bias=offset)
    return build.add(Squeeze((0,)), result) if single else result


def conv_transpose(
    build: Build, input: Operand, weight: Operand, bias: Operand | None = None, stride: Sizes = 1, padding: Sizes = 0,
    output_padding: Sizes = 0, groups: int = 1, dilation: Sizes = 1,
) -> Operand:  # fmt: skip
    """conv_transpose1d, 2d, 3d."""
    kernel, offset = known(weight, "the weight of a convolution"), optional(bias, "the bias of a convolution")
    size = kernel.values.shape[2:]
    axes = len(size)
    data, single = batched(build, input, axes)
    op = ConvTranspose(
        kernel.values.shape[1] * groups, size, spread(stride, axes), both_sides(padding, axes), spread(output_padding, axes),
        spread(dilation, axes), groups, offset is not None,
    )  # fmt: skip
    result = build.add(op, data, weight=kernel, bias=offset)
    return build.add(Squeeze((0,)), result) if single else result


def convolution(
    build: Build, input: Operand, weight: Operand, bias: Operand | None, stride: Sizes, padding: Sizes, dilation: Sizes,
    transposed: bool, output_padding: Sizes, groups: int,
) -> Operand:  # fmt: skip
    """The one convolution of the core ATen operations."""
    if transposed:
        return conv_transpose(build, input, weight, bias, stride, padding, output_padding, groups, dilation)
    return conv(build, input, weight, bias, stride, padding, dilation, groups)


def linear(build: Build, input: Operand, weight: Operand, bias: Operand | None = None) -> Operand:
    """x W^T + b over the last axis: `fc` where the weight is known, on data of two axes."""
    shape = build.shape(input)
    if not isinstance(weight, Known):
        product = build.add(MatMul(), input, build.add(Transpose((1, 0)), weight))
        return product if bias is None else build.add(Add(), product, bias)
    offset = optional(bias, "the bias of a linear layer")
    if isinstance(input, Known):
        raise Unsupported("a linear layer of what is known")
    out = weight.values.shape[0]
    flat = input if len(shape) == 2 else build.add(Reshape((-1, shape[-1])), input)
    result = build.add(Dense(out, offset is not None), flat, weight=weight, bias=offset)
    return result if len(shape) == 2 else build.add(Reshape((*shape[:-1], out)), result)


def _product(build: Build, a: Operand, b: Operand) -> Operand:
    """a b, by the layer that holds the matrix as a weight where it can."""
    if isinstance(b, Known) and b.transposed is not None and not isinstance(a, Known):
        return linear(build, a, b.transposed)
    return build.add(MatMul(), a, b)


def mm(build: Build, input: Operand, mat2: Operand) -> Operand:
    """The product of two matrices, or of two batches of them."""
    return _product(build, input, mat2)


def matmul(build: Build, input: Operand, other: Operand) -> Operand:
    """The product as NumPy's `matmul`."""
    return _product(build, input, other)


def addmm(build: Build, input: Operand, mat1: Operand, mat2: Operand, beta: Number = 1, alpha: Number = 1) -> Operand:
    """beta input + alpha mat1 mat2: how a linear layer is spelled in core ATen."""
    plain = beta == 1 and alpha == 1 and isinstance(mat2, Known) and mat2.transposed is not None
    if plain and isinstance(input, Known) and input.values.ndim == 1 and not isinstance(mat1, Known):
        return linear(build, mat1, mat2.transposed, input)  # type: ignore[union-attr]  # `plain` has looked
    product = _product(build, mat1, mat2)
    scaled = product if alpha == 1 else build.add(Mul(float(alpha)), product)
    return build.add(Add(), input if beta == 1 else build.add(Mul(float(beta)), input), scaled)


def attention(
    build: Build, query: Operand, key: Operand, value: Operand, attn_mask: Operand | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> Operand:  # fmt: skip
    """softmax(Q K^T scale) V."""
    if attn_mask is not None or is_causal or enable_gqa:
        raise Unsupported("attention with a mask or shared heads")
    shape = build.shape(key)
    rank = len(shape)
    order = (*range(rank - 2), rank - 1, rank - 2)
    factor = scale if scale is not None else 1 / float(np.sqrt(build.shape(query)[-1]))
    scores = build.add(MatMul(), build.add(Mul(factor), query), build.add(Transpose(order), key))
    return build.add(MatMul(), build.add(Softmax(rank - 1), scores), value)


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), conv),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), conv_transpose),
    "convolution": convolution, "linear": linear, "mm": mm, "bmm": mm, "matmul": matmul, "addmm": addmm,
    "scaled_dot_product_attention": attention,
}  # fmt: skip
