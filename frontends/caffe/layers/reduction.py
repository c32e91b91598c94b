"""Reduction, ArgMax."""

from __future__ import annotations

from collections.abc import Sequence

from cnnir.ir.graph import Value
from cnnir.ops.arithmetic import Mul
from cnnir.ops.convert import Cast
from cnnir.ops.reduce import ArgMax, ReduceL1, ReduceMax, ReduceMean, ReduceSum, ReduceSumSquare, Reduction
from cnnir.ops.shape import Reshape
from cnnir.ops.tensor import Concat

from ..site import Site
from .registry import layer

_REDUCTIONS: dict[str, type[Reduction]] = {"SUM": ReduceSum, "ASUM": ReduceL1, "SUMSQ": ReduceSumSquare, "MEAN": ReduceMean}


@layer("Reduction")
def reduction(site: Site) -> Sequence[Value]:
    """One number for all that lies behind an axis, times a coefficient."""
    said = site.parameter("reduction_param")
    axes = tuple(range(site.axis(said), site.type.rank))
    value = site.emit(_REDUCTIONS[said.text("operation")](axes, keepdims=False))
    return [value if said.real("coeff") == 1 else site.emit(Mul(said.real("coeff")), value, suffix="scale")]


@layer("ArgMax")
def argmax(site: Site) -> Sequence[Value]:
    """The place of the greatest element, as a float, along an axis or in each example; or its value, or both."""
    said = site.parameter("argmax_param")
    if said.whole("top_k") != 1:
        raise site.refuse("the places of more than one of the greatest elements", said, "top_k")
    along, value = "axis" in said, site.data
    axis = site.axis(said) if along else 1
    if not along:
        value = site.emit(Reshape((site.type.shape[0], site.type.elements // site.type.shape[0])), suffix="flatten")
    place = site.emit(Cast(site.type.dtype), site.emit(ArgMax(axis), value, suffix="argmax"), suffix="cast")  # type: ignore[arg-type]
    if along:
        return [site.emit(ReduceMax((axis,))) if said.flag("out_max_val") else place]
    places = site.emit(Reshape((site.type.shape[0], 1, 1)), place, suffix="reshape")
    if not said.flag("out_max_val"):
        return [places]
    most = site.emit(ReduceMax((1,)), value, suffix="max")
    return [site.emit(Concat(1), places, site.emit(Reshape((site.type.shape[0], 1, 1)), most, suffix="reshape"))]
