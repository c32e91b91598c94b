"""Reductions over axes. Over all spatial axes the mean and the extremes are the pools that they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnnir.ops import reduce
from cnnir.ops.arithmetic import Div, Sub
from cnnir.ops.pooling import GlobalAvgPool, GlobalMaxPool, GlobalMinPool, GlobalPool
from cnnir.ops.reduce import Reduction
from cnnir.ops.smooth import primitive_op
from cnnir.ops.tensor import Flatten

from ..build import Build, Operand, Unsupported
from .table import Number, Rule, cast

Axes = int | Sequence[int] | None
_POOLS: Mapping[type[Reduction], type[GlobalPool]] = {
    reduce.ReduceMean: GlobalAvgPool, reduce.ReduceMax: GlobalMaxPool, reduce.ReduceMin: GlobalMinPool,
}  # fmt: skip


def _axes(build: Build, input: Operand, dim: Axes) -> tuple[int, ...]:
    """The axes, counted from the front; all of them where none is named."""
    rank = len(build.shape(input))
    given = (dim,) if isinstance(dim, int) else tuple(dim or ())
    return tuple(sorted(build.axis(d, rank) for d in given)) or tuple(range(rank))


def reduced(build: Build, make: type[Reduction], input: Operand, dim: Axes, keepdim: bool) -> Operand:
    """The reduction, or the global pool that it is."""
    axes, rank = _axes(build, input, dim), len(build.shape(input))
    if 3 <= rank <= 5 and axes == tuple(range(2, rank)) and make in _POOLS:
        pooled = build.add(_POOLS[make](), input)
        return pooled if keepdim else build.add(Flatten(), pooled)
    return build.add(make(axes, keepdim), input)


def _rule(make: type[Reduction]) -> Rule:
    def rule(build: Build, input: Operand, dim: Axes = None, keepdim: bool = False, dtype: str | None = None) -> Operand:
        wanted = dtype or build.wanted
        return reduced(build, make, cast(build, input, wanted) if wanted else input, dim, keepdim)

    return rule


def _extreme(make: type[Reduction], position: type[reduce.Position]) -> Rule:
    """With an axis: the values, and where they are."""

    def rule(build: Build, input: Operand, dim: int, keepdim: bool = False) -> tuple[Operand | None, ...]:
        values = reduced(build, make, input, dim, keepdim)
        where = build.add(position(_axes(build, input, dim)[0], keepdim), input) if build.needed[1] else None
        return values, where

    return rule


def _position(make: type[reduce.Position]) -> Rule:
    def rule(build: Build, input: Operand, dim: int | None = None, keepdim: bool = False) -> Operand:
        if dim is None:
            raise Unsupported("a position counted over all axes")
        return build.add(make(_axes(build, input, dim)[0], keepdim), input)

    return rule


def _variance(build: Build, input: Operand, dim: Axes = None, correction: Number | None = 1, keepdim: bool = False) -> Operand:
    """The mean square distance from the mean, divided by n - correction."""
    axes = _axes(build, input, dim)
    count = float(np.prod([build.shape(input)[a] for a in axes]))
    apart = build.add(Sub(), input, build.add(reduce.ReduceMean(axes), input))
    total = build.add(reduce.ReduceSum(axes, keepdim), build.add(primitive_op("square"), apart))
    return build.add(Div(count - float(1 if correction is None else correction)), total)


def _biased(build: Build, input: Operand, dim: Axes = None, unbiased: bool = True, keepdim: bool = False) -> Operand:
    return _variance(build, input, dim, int(unbiased), keepdim)


def _deviation(build: Build, input: Operand, **how: Any) -> Operand:
    variance = _biased if "unbiased" in how else _variance
    return build.add(primitive_op("sqrt"), variance(build, input, **how))


def _var_mean(build: Build, input: Operand, dim: Axes = None, correction: Number | None = 1, keepdim: bool = False) -> tuple[Operand, ...]:
    return _variance(build, input, dim, correction, keepdim), build.add(reduce.ReduceMean(_axes(build, input, dim), keepdim), input)


def _norm(build: Build, input: Operand, ord: Number = 2, dim: Axes = None, keepdim: bool = False, dtype: str | None = None) -> Operand:
    makes: Mapping[Number, type[Reduction]] = {1: reduce.ReduceL1, 2: reduce.ReduceL2}
    if ord not in makes or dtype is not None:
        raise Unsupported(f"a norm of order {ord}")
    return build.add(makes[ord](_axes(build, input, dim), keepdim), input)


def _p_norm(
    build: Build, input: Operand, p: Number | None = 2, dim: Axes = None, keepdim: bool = False, dtype: str | None = None
) -> Operand:
    return _norm(build, input, 2 if p is None else p, dim, keepdim, dtype)


def _cumsum(build: Build, input: Operand, dim: int, dtype: str | None = None) -> Operand:
    data = cast(build, input, dtype or build.wanted or build.type(input).dtype)
    return build.add(reduce.CumSum(_axes(build, data, dim)[0]), data)


def _logsumexp(build: Build, input: Operand, dim: Axes, keepdim: bool = False) -> Operand:
    return build.add(reduce.ReduceLogSumExp(_axes(build, input, dim), keepdim), input)


def _prod(build: Build, input: Operand, dim: int | None = None, keepdim: bool = False, dtype: str | None = None) -> Operand:
    if dtype is not None:
        raise Unsupported("a product that converts")
    return build.add(reduce.ReduceProd(_axes(build, input, dim), keepdim), input)


RULES: Mapping[str, Rule] = {
    "sum": _rule(reduce.ReduceSum), "mean": _rule(reduce.ReduceMean), "amax": _rule(reduce.ReduceMax), "amin": _rule(reduce.ReduceMin),
    "max.default": _rule(reduce.ReduceMax), "min.default": _rule(reduce.ReduceMin),
    "max.dim": _extreme(reduce.ReduceMax, reduce.ArgMax), "min.dim": _extreme(reduce.ReduceMin, reduce.ArgMin),
    "argmax": _position(reduce.ArgMax), "argmin": _position(reduce.ArgMin),
    "var.correction": _variance, "var.dim": _biased, "var.default": _biased, "std": _deviation, "var_mean.correction": _var_mean,
    "linalg_vector_norm": _norm, "norm": _p_norm, "cumsum": _cumsum, "logsumexp": _logsumexp, "prod": _prod,
}  # fmt: skip
