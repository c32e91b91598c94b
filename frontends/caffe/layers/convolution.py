"""Convolution, Deconvolution, InnerProduct."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cnnir.ir.graph import Value
from cnnir.ops.base import Op
from cnnir.ops.conv_transpose import ConvTranspose
from cnnir.ops.convolution import Conv, Dense
from cnnir.ops.shape import Reshape
from cnnir.ops.tensor import Flatten

from ..record import Record
from ..site import Site
from .registry import layer


@layer("Convolution", "ConvolutionDepthwise", "DepthwiseConvolution")
def convolution(site: Site) -> Sequence[Value]:
    """A convolution over one to three axes."""
    said = site.parameter("convolution_param")
    kernel, stride, pad, dilation = _window(site, said)
    op = Conv(_count(site, said), kernel, stride, pad + pad, dilation, said.whole("group"), said.flag("bias_term"))
    return [_weighted(site, op)]


@layer("Deconvolution")
def deconvolution(site: Site) -> Sequence[Value]:
    """A transposed convolution; blobs are (C, out / group, *kernel), as ours."""
    said = site.parameter("convolution_param")
    kernel, stride, pad, dilation = _window(site, said)
    none = (0,) * len(kernel)
    op = ConvTranspose(_count(site, said), kernel, stride, pad + pad, none, dilation, said.whole("group"), said.flag("bias_term"))
    return [_weighted(site, op)]


def _weighted(site: Site, op: Op) -> Value:
    """The layer with weight and bias from its first two blobs."""
    needed = op.parameters([site.type])
    return site.emit(op, weights={role: site.numbers(place, p.shape) for place, (role, p) in enumerate(needed.items())})


def _count(site: Site, said: Record) -> int:
    if "num_output" not in said:
        raise site.refuse(f"layer `{site.layer.name}` needs `num_output`", code="C0842")
    return said.whole("num_output")


def _window(site: Site, said: Record) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Kernel, stride, pad and dilation, a number an axis."""
    if said.whole("axis") % max(1, site.type.rank) != 1:
        raise site.refuse("channels on another axis than 1", said, "axis")
    axes = site.type.rank - 2
    if not 1 <= axes <= 3:
        raise site.refuse(f"layer `{site.layer.name}` needs an input of rank 3 to 5, this is {site.type}", code="C0202")
    kernel = _sizes(site, said, "kernel_size", "kernel", axes, None)
    return (
        kernel, _sizes(site, said, "stride", "stride", axes, 1), _sizes(site, said, "pad", "pad", axes, 0),
        _sizes(site, said, "dilation", "", axes, 1),
    )  # fmt: skip


def _sizes(site: Site, said: Record, field: str, stem: str, axes: int, usual: int | None) -> tuple[int, ...]:
    """A field that is given once, once an axis, or as `stem_h` and `stem_w`."""
    if stem and (f"{stem}_h" in said or f"{stem}_w" in said):
        if axes != 2 or field in said:
            raise site.refuse(f"`{stem}_h` and `{stem}_w` are for maps of two axes, in the place of `{field}`", said, f"{stem}_h", "C0842")
        return said.whole(f"{stem}_h"), said.whole(f"{stem}_w")
    given = said.wholes(field)
    if len(given) not in (0, 1, axes) or (not given and usual is None):
        raise site.refuse(f"`{field}` is given once, or once for each of {axes} axes", said, field, "C0842")
    return tuple(given) if len(given) == axes else tuple(given or [usual or 0]) * axes


@layer("InnerProduct")
def inner_product(site: Site) -> Sequence[Value]:
    """A dense layer over all that lies behind an axis; what lies before it is kept."""
    said = site.parameter("inner_product_param")
    data = site.type
    axis = site.axis(said)
    before, features = data.shape[:axis], math.prod(data.shape[axis:])
    op, value = Dense(_count(site, said), said.flag("bias_term")), site.data
    if axis == 1 and data.rank > 2:
        value = site.emit(Flatten(), suffix="flatten")
    elif data.rank != 2 or axis != 1:
        value = site.emit(Reshape((math.prod(before), features)), suffix="flatten")
    weight = site.numbers(0, (features, op.out) if said.flag("transpose") else (op.out, features))
    if weight is not None and said.flag("transpose"):
        weight = weight.T
    bias = site.numbers(1, (op.out,)) if op.bias else None
    value = site.emit(op, value, weights={"weight": weight, "bias": bias})
    return [value if len(before) == 1 else site.emit(Reshape((*before, op.out)), value, suffix="reshape")]
