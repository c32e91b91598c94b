"""Quantized networks: QuantizeLinear and its kin, and products of whole numbers, made of layers that are exact."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from onnx import TensorProto

from cnnir.ops.arithmetic import Add, Div, Mul, Round, Scale, Sub
from cnnir.ops.convert import Dequantize, Quantize
from cnnir.ops.convolution import Conv
from cnnir.ops.matmul import MatMul
from cnnir.ops.piecewise import Clip
from cnnir.ops.shape import Reshape
from cnnir.types import TensorType, numpy_dtype

from ..context import Context
from ..elements import DTYPES, NARROW, element_name
from ..node import Array, Known, Node, Operand
from ..problems import refuse
from ..registry import Unreadable, reads
from .shape import FLOAT8_LARGEST
from .windows import window


def _spread(node: Node, array: Array, data: TensorType) -> Array:
    """Scales or zeros as they are broadcast to the data: one, one for each place on an axis, or one a block of it."""
    block, axis = node.int("block_size"), node.int("axis", 1) % max(1, data.rank)
    if array.size == 1:
        return array.reshape(())
    if block:
        return np.repeat(array, block, axis=axis)[tuple(slice(0, n) for n in data.shape)]
    return array.reshape(tuple(-1 if i == axis else 1 for i in range(data.rank)))


def _plain(node: Node, *tensors: Operand | None) -> bool:
    """Whether scales and zeros are known, and one for all or one for each place of an axis."""
    return not node.int("block_size") and all(t is None or (isinstance(t, Known) and t.type.rank < 2) for t in tensors)


def _numbers(scale: Known, zero: Known | None) -> tuple[float | tuple[float, ...], int | tuple[int, ...]]:
    scales = scale.array().astype(np.float64).reshape(-1).tolist()
    zeros = [0] * len(scales) if zero is None else [int(z) for z in zero.array().reshape(-1).tolist()]
    if len(scales) == 1:
        return float(scales[0]), zeros[0]
    return tuple(map(float, scales)), tuple(zeros) if len(zeros) > 1 else (zeros[0],) * len(scales)


@reads("QuantizeLinear")
def quantize(node: Node, context: Context) -> Operand:
    """QuantizeLinear, to whole numbers of 2 to 16 bits or to 8-bit floats."""
    scale, zero = node.data(1), node.input(2)
    element = node.int("output_dtype") or (TensorProto.UINT8 if zero is None else context.element(zero))
    if element in NARROW:
        stored, low, high = NARROW[element]
        value = _quantized(node, context, stored, scale, zero)
        return context.narrowed(context.emit(Clip(low, high), value), element)
    if element not in DTYPES:
        raise refuse("C0812", f"{node.title} makes {element_name(element)}, which has no type here", node.span)
    if DTYPES[element] in FLOAT8_LARGEST:
        return _to_float8(node, context, scale, DTYPES[element])
    return _quantized(node, context, DTYPES[element], scale, zero)


def _quantized(node: Node, context: Context, dtype: str, scale: Operand, zero: Operand | None) -> Operand:
    data = node.data()
    simple = dtype in ("u8", "i8", "u16", "i16") and context.type(scale).dtype == context.type(data).dtype and not node.int("precision")
    if simple and _plain(node, scale, zero) and isinstance(scale, Known):
        scales, zeros = _numbers(scale, zero if isinstance(zero, Known) else None)
        axis = node.int("axis", 1) if isinstance(scales, tuple) else 1
        return context.emit(Quantize(scales, zeros, axis, dtype), data)  # pyright: ignore[reportArgumentType] - one of the four
    return _requantized(node, context, dtype, scale, zero)


def _requantized(node: Node, context: Context, dtype: str, scale: Operand, zero: Operand | None) -> Operand:
    """The steps by themselves, for scales that are computed or in blocks."""
    data = context.type(node.data())
    quotient = context.emit(Div(), node.data(), _as(node, context, scale, data, data.dtype))
    whole = context.cast(context.emit(Round(), quotient), "f32")
    if zero is not None:
        whole = context.emit(Add(), whole, _as(node, context, zero, data, "f32"))
    limits = np.iinfo(numpy_dtype(dtype))
    return context.cast(context.emit(Clip(float(limits.min), float(limits.max)), whole), dtype)


def _as(node: Node, context: Context, operand: Operand, data: TensorType, dtype: str) -> Operand:
    """Scales or zeros in a type, laid out along their axis."""
    if isinstance(operand, Known):
        return context.constant(_spread(node, operand.array().astype(numpy_dtype(dtype)), data), "spread")
    own = context.type(operand)
    if own.rank > 1 or node.int("block_size"):
        raise Unreadable("its scales are computed, and in blocks", [n for n in node.proto.input[1:] if n])
    axis = node.int("axis", 1) % max(1, data.rank)
    if own.elements > 1:
        operand = context.emit(Reshape(tuple(own.elements if i == axis else 1 for i in range(data.rank))), operand)
    return operand if own.dtype == dtype else context.cast(operand, dtype)


def _to_float8(node: Node, context: Context, scale: Operand, dtype: str) -> Operand:
    data = context.type(node.data())
    value = context.emit(Div(), node.data(), _as(node, context, scale, data, data.dtype))
    if node.int("saturate", 1):
        value = context.emit(Clip(-FLOAT8_LARGEST[dtype], FLOAT8_LARGEST[dtype]), value)
    return context.cast(value, dtype)


@reads("DequantizeLinear")
def dequantize(node: Node, context: Context) -> Operand:
    """DequantizeLinear; of known whole numbers it is a weight."""
    data, scale, zero = node.data(), node.data(1), node.input(2)
    t, real = context.type(data), context.type(scale).dtype
    element = node.int("output_dtype")
    to = DTYPES.get(element, real) if element else real
    if isinstance(data, Known) and isinstance(scale, Known) and (zero is None or isinstance(zero, Known)):
        return data.turned("real", t.shape, lambda a: _real(node, a, scale, zero, t).astype(numpy_dtype(to)), to)
    whole = t.dtype in ("u8", "i8", "u16", "i16", "i32")
    if whole and to == real and _plain(node, scale, zero) and isinstance(scale, Known):
        scales, zeros = _numbers(scale, zero if isinstance(zero, Known) else None)
        axis = node.int("axis", 1) if isinstance(scales, tuple) else 1
        return context.emit(Dequantize(scales, zeros, axis, to), data)  # pyright: ignore[reportArgumentType] - a floating type
    wide = context.cast(data, "f32")
    if zero is not None and whole:
        wide = context.emit(Sub(), wide, _as(node, context, zero, t, "f32"))
    product = context.emit(Mul(), wide, _as(node, context, scale, t, "f32"))
    return product if to == "f32" else context.cast(product, to)


def _real(node: Node, array: Array, scale: Known, zero: Known | None, t: TensorType) -> Array:
    wide = array.astype(np.float32)
    if zero is not None:
        wide = wide - _spread(node, zero.array().astype(np.float32), t)
    return wide * _spread(node, scale.array().astype(np.float32), t)


# -- products of whole numbers


def _centred(context: Context, operand: Operand, zero: Operand | None, dtype: str, last: bool = True) -> Operand:
    """Whole numbers less their zero, in a type that holds them; `last` says on which axis a list of zeros is."""
    if isinstance(operand, Known) and (zero is None or isinstance(zero, Known)):
        shift = np.zeros(()) if zero is None else zero.array()
        shape = _along(operand.type.rank, shift.shape, last)
        return operand.turned("centred", operand.type.shape, lambda a: a.astype(np.int64) - shift.astype(np.int64).reshape(shape), dtype)
    wide = context.cast(operand, dtype)
    if zero is None:
        return wide
    own = context.type(zero)
    shift = zero.reshaped(_along(context.type(operand).rank, own.shape, last)) if isinstance(zero, Known) else zero
    return context.emit(Sub(), wide, context.cast(shift, dtype))


def _along(rank: int, shape: tuple[int, ...], last: bool) -> tuple[int, ...]:
    """The shape in which a list is broadcast along the last axis, or the one before it."""
    if math.prod(shape) == 1:
        return ()
    return shape if last or len(shape) != 1 or rank < 2 else (*shape, 1)


@reads("MatMulInteger")
def matmul_integer(node: Node, context: Context) -> Operand:
    """MatMulInteger."""
    return _product(context, (node.data(0), node.input(2)), (node.data(1), node.input(3)))


def _product(context: Context, a: tuple[Operand, Operand | None], b: tuple[Operand, Operand | None]) -> Operand:
    return context.emit(MatMul(), _centred(context, *a, "i32", last=False), _centred(context, *b, "i32"))


@reads("QLinearMatMul")
def qlinear_matmul(node: Node, context: Context) -> Operand:
    """QLinearMatMul: the product of whole numbers, and one rounding."""
    product = _product(context, (node.data(0), node.data(2)), (node.data(3), node.data(5)))
    a, b, y = (context.array(slot).astype(np.float32) for slot in (1, 4, 6))
    rows = a.reshape(-1, 1) if a.ndim == 1 and a.size > 1 else a
    return _scaled(context, product, np.asarray(rows * b / y), context.known(7))


def _scaled(context: Context, whole: Operand, factor: Array, zero: Known) -> Operand:
    """Whole numbers times a factor, rounded to the type of the zero."""
    value = context.cast(whole, "f32")
    if factor.size == 1:
        value = context.emit(Mul(float(factor.reshape(-1)[0])), value)
    else:
        value = context.emit(Mul(), value, context.constant(np.ascontiguousarray(factor, np.float32), "factor"))
    return context.emit(Quantize(1.0, int(zero.array().reshape(-1)[0]), 1, zero.type.dtype), value)  # pyright: ignore[reportArgumentType] - u8 or i8


def _convolved(node: Node, context: Context, slots: Sequence[int], bias: Known | None) -> Operand:
    """The convolution of whole numbers: in float64 or, where no sum can leave 24 bits, in float32; exact in both."""
    x, xz, wz = node.data(slots[0]), node.input(slots[1]), node.input(slots[3])
    w = context.known(slots[2])
    if wz is not None and not isinstance(wz, Known):
        raise Unreadable("the zero of its weight is computed", [node.proto.input[slots[3]]])
    kernel, data = w.type.shape, context.type(x)
    if len(kernel) < 3 or data.rank != len(kernel):
        raise refuse("C0202", f"{node.title} has data {data} and a weight {w.type}", node.span)
    dtype = "f32" if math.prod(kernel[1:]) * 2**16 < 2**24 and bias is None else "f64"
    shift = np.zeros((), np.int64) if wz is None else wz.array().astype(np.int64)
    shift = shift.reshape((-1,) + (1,) * (len(kernel) - 1)) if shift.size > 1 else shift.reshape(())
    weight = w.turned("centred", kernel, lambda a: a.astype(np.int64) - shift, dtype)
    found = window(node, data.spatial, node.ints("kernel_shape") or kernel[2:])
    op = Conv(kernel[0], found.kernel, found.stride, found.pad, found.dilation, node.int("group", 1), bias is not None)
    if op.parameters([TensorType("f32", data.shape)])["weight"].shape != kernel:
        raise refuse("C0304", f"{node.title} has a weight of shape {list(kernel)} on data {data}", node.span)
    wide = None if bias is None else bias.turned(dtype, bias.type.shape, lambda a: a, dtype)
    return context.cast(context.emit(op, _centred(context, x, xz, dtype), weight=weight, bias=wide), "i32")


@reads("ConvInteger")
def conv_integer(node: Node, context: Context) -> Operand:
    """ConvInteger."""
    return _convolved(node, context, (0, 2, 1, 3), None)


@reads("QLinearConv")
def qlinear_conv(node: Node, context: Context) -> Operand:
    """QLinearConv: the convolution of whole numbers, and one rounding."""
    bias = context.known(8) if node.input(8) is not None else None
    whole = _convolved(node, context, (0, 2, 3, 5), bias)
    x, w, y = (context.array(slot).astype(np.float32) for slot in (1, 4, 6))
    factor = np.asarray(x.reshape(()) * w.reshape(-1) / y.reshape(()), np.float32)
    zero = context.known(7)
    if factor.size == 1:
        return _scaled(context, whole, factor, zero)
    scaled = context.emit(Scale(), context.cast(whole, "f32"), factor=context.constant(factor, "factor"))
    return context.emit(Quantize(1.0, int(zero.array().reshape(-1)[0]), 1, zero.type.dtype), scaled)  # pyright: ignore[reportArgumentType] - u8 or i8
