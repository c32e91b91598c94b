"""Convolutions, with weights that are known; and their transposes."""

from __future__ import annotations

from cnnir.ir.graph import Value
from cnnir.ops.border import Pad
from cnnir.ops.conv_transpose import ConvTranspose
from cnnir.ops.convolution import Conv

from ..context import Context
from ..node import Node, Operand
from ..problems import refuse
from ..registry import Unreadable, reads
from .windows import numbers, window


@reads("Conv")
def conv(node: Node, context: Context) -> Operand:
    """Conv."""
    weight, bias = context.known(1), None if node.input(2) is None else context.known(2)
    data, kernel = context.type(node.data()), weight.type.shape
    if len(kernel) < 3 or data.rank != len(kernel):
        raise refuse("C0202", f"{node.title} has data {data} and a weight {weight.type}", node.span)
    w = window(node, data.spatial, node.ints("kernel_shape") or kernel[2:])
    op = Conv(kernel[0], w.kernel, w.stride, w.pad, w.dilation, node.int("group", 1), bias is not None)
    _check(node, (kernel, op.parameters([data])["weight"].shape))
    if bias is not None:
        _check(node, (bias.type.shape, (kernel[0],)))
    return context.emit(op, node.data(), weight=weight, bias=bias)


def _check(node: Node, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    given, needed = shapes
    if given != needed:
        raise refuse("C0304", f"{node.title} has a weight of shape {list(given)}, and needs {list(needed)}", node.span)


@reads("ConvTranspose")
def conv_transpose(node: Node, context: Context) -> Operand:
    """ConvTranspose, with its three ways of saying how large the output is."""
    weight, bias = context.known(1), None if node.input(2) is None else context.known(2)
    data, shape = context.type(node.data()), weight.type.shape
    if len(shape) < 3 or data.rank != len(shape):
        raise refuse("C0202", f"{node.title} has data {data} and a weight {weight.type}", node.span)
    axes, groups = len(shape) - 2, node.int("group", 1)
    kernel = node.ints("kernel_shape") or shape[2:]
    stride, dilation, extra = (numbers(node, n, axes, d) for n, d in (("strides", 1), ("dilations", 1), ("output_padding", 0)))
    pad = _pads(node, data.spatial, kernel, stride, dilation, extra)
    crop = tuple(max(0, p) for p in pad)
    op = ConvTranspose(shape[1] * groups, kernel, stride, crop, extra, dilation, groups, bias is not None)
    _check(node, (shape, op.parameters([data])["weight"].shape))
    made = context.emit(op, node.data(), weight=weight, bias=bias)
    return made if crop == pad else _widened(context, made, pad, bias is not None)


def _widened(context: Context, made: Value, pad: tuple[int, ...], biased: bool) -> Value:
    """Negative pads ask for more than the kernels reach."""
    if biased:
        raise Unreadable("its output is larger than its kernels reach, with a bias there")
    axes = len(pad) // 2
    return context.emit(Pad(tuple(max(0, -p) for p in pad[:axes]), tuple(max(0, -p) for p in pad[axes:])), made)


def _pads(
    node: Node, n: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...], extra: tuple[int, ...]
) -> tuple[int, ...]:
    axes, auto, shape = len(n), node.text("auto_pad", "NOTSET"), node.ints("output_shape")
    if shape is None and auto not in ("SAME_UPPER", "SAME_LOWER"):
        return (0,) * (2 * axes) if auto == "VALID" else numbers(node, "pads", 2 * axes, 0)
    wanted = tuple(i * s for i, s in zip(n, stride, strict=True)) if shape is None else shape[-axes:]
    begins, ends = list[int](), list[int]()
    for i, s, k, d, e, out in zip(n, stride, kernel, dilation, extra, wanted, strict=True):
        total = (i - 1) * s + e + (k - 1) * d + 1 - out
        half = total // 2
        begins.append(half if auto == "SAME_UPPER" else total - half)
        ends.append(total - begins[-1])
    return (*begins, *ends)
