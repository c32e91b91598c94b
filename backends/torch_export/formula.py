"""Formulas as calls of PyTorch: every elementwise op, also one that this folder has never heard of."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from cnnir.scalar.expr import Const, Expr, Param, Var
from cnnir.scalar.primitives import Primitive
from cnnir.scalar.typed import fold_typed

from .builder import Builder, Node, unsupported

_SAME: Mapping[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv, "neg": operator.neg,
    "equal": operator.eq, "not_equal": operator.ne, "less": operator.lt, "less_equal": operator.le, "greater": operator.gt,
    "greater_equal": operator.ge, "and": torch.logical_and, "or": torch.logical_or, "xor": torch.logical_xor, "not": torch.logical_not,
    "pow": torch.pow, "mod": torch.remainder, "fmod": torch.fmod, "where": torch.where,
    **{name: getattr(torch, name) for name in (
        "abs", "sign", "floor", "ceil", "round", "sqrt", "square", "exp", "expm1", "log", "log1p", "tanh", "erf", "sin", "cos", "tan",
        "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh")},
    "softplus": functional.softplus,
}  # fmt: skip
"""Primitive -> the function with the same meaning."""
_TENSORS_ONLY = ("fmod", "where", "and", "or", "xor", "not")
"""Functions that take no plain numbers in some place."""


def _bounded(build: Builder, args: Sequence[Node], bound: str, both: Callable[..., Any]) -> Node:
    """The larger or the smaller of two, of which one may be a number."""
    numbers = [a for a in args if isinstance(a, int | float)]
    if not numbers:
        return build.call(both, *args)
    other = next(a for a in args if not isinstance(a, int | float))
    return build.call(torch.clamp, other, **{bound: numbers[0]})


def _apply(build: Builder, primitive: Primitive, args: Sequence[Node], dtype: str) -> Node:
    if all(isinstance(a, int | float) for a in args):
        with np.errstate(all="ignore"):
            return np.asarray(primitive.numpy(*map(np.float64, args))).item()
    if primitive.converts and primitive.to:
        return build.call(torch.Tensor.to, args[0], build.dtype(primitive.to))
    if primitive.name == "max":
        return _bounded(build, args, "min", torch.maximum)
    if primitive.name == "min":
        return _bounded(build, args, "max", torch.minimum)
    if primitive.name == "select":
        left, right, greater, otherwise = args
        return build.call(torch.where, build.call(operator.gt, left, right), greater, otherwise)
    if primitive.name not in _SAME:
        unsupported(f"no function of PyTorch computes `{primitive.name}`")
    if primitive.name in _TENSORS_ONLY:
        args = [_tensor(build, a, dtype) for a in args]
    return build.call(_SAME[primitive.name], *args)


def _tensor(build: Builder, value: Node, dtype: str) -> Node:
    return build.call(torch.full, (), value, dtype=build.dtype(dtype)) if isinstance(value, int | float) else value


def emit(build: Builder, formula: Expr, variables: Sequence[Node], coefficients: Callable[[str], Node], dtypes: Sequence[str]) -> Node:
    """Write a formula over `variables` of these dtypes and return its value; `coefficients` gives the tensor of a role."""

    def leaf(expr: Expr, dtype: str) -> Node:
        if isinstance(expr, Var):
            return variables[expr.index]
        if isinstance(expr, Const):
            return expr.value if dtype[0] == "f" or dtype == "bf16" else int(expr.value)
        assert isinstance(expr, Param)
        return coefficients(expr.role)

    return fold_typed(formula, dtypes, leaf, lambda primitive, args, dtype: _apply(build, primitive, args, dtype)).value
