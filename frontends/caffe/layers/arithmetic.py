"""Eltwise."""

from __future__ import annotations

from collections.abc import Sequence

from cnnir.ir.graph import Value
from cnnir.ops.arithmetic import Add, Binary, Maximum, Mul, Sub

from ..site import Site
from .registry import MANY, layer


@layer("Eltwise", bottoms=(2, MANY))
def eltwise(site: Site) -> Sequence[Value]:
    """Product, weighted sum or maximum of tensors of one shape."""
    said = site.parameter("eltwise_param")
    operation, coefficients = said.text("operation"), said.reals("coeff")
    if len({t.shape for t in site.types}) > 1:
        raise site.refuse(f"`Eltwise` needs inputs of one shape, got {' and '.join(map(str, site.types))}", code="C0204")
    if operation != "SUM" and coefficients:
        raise site.refuse("`coeff` goes with SUM", said, "coeff", "C0842")
    if coefficients and len(coefficients) != len(site.inputs):
        raise site.refuse(f"{len(coefficients)} `coeff` for {len(site.inputs)} inputs", said, "coeff", "C0842")
    if operation == "SUM":
        return [_sum(site, coefficients or [1.0] * len(site.inputs))]
    op: type[Binary] = {"PROD": Mul, "MAX": Maximum}[operation]
    value = site.data
    for other in site.inputs[1:]:
        value = site.emit(op(), value, other)
    return [value]


def _sum(site: Site, coefficients: Sequence[float]) -> Value:
    """From the left, as Caffe adds."""
    value = site.data if coefficients[0] == 1 else site.emit(Mul(coefficients[0]), suffix="scale")
    for other, coefficient in zip(site.inputs[1:], coefficients[1:], strict=True):
        if coefficient in (1, -1):
            value = site.emit(Add() if coefficient == 1 else Sub(), value, other)
        else:
            value = site.emit(Add(), value, site.emit(Mul(coefficient), other, suffix="scale"))
    return value
