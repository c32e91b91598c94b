"""NumPy evaluation of scalar expressions: the reference meaning of every elementwise layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cnnir.types import broadcast

from .expr import Const, Expr, Param, Var, fold
from .primitives import Array


def evaluate(expr: Expr, variables: Sequence[Array], coefficients: Mapping[str, Array] | None = None) -> Array:
    """The value of `expr` with `Var(i)` = `variables[i]` and `Param(role)` = `coefficients[role]`, broadcast together.

    Everything is computed in the dtype of the variables, one rounding per primitive, never contracted.
    """
    dtype = np.result_type(*variables)

    def leaf(expression: Expr) -> Array:
        if isinstance(expression, Var):
            return variables[expression.index]
        if isinstance(expression, Const):
            with np.errstate(over="ignore"):  # 1e308 is infinite in float32, and that is what it means there
                return np.asarray(expression.value, dtype)
        if isinstance(expression, Param) and coefficients is not None:
            return np.asarray(coefficients[expression.role], dtype)
        raise TypeError(f"no value for {expression!r}")

    result = fold(expr, leaf, lambda primitive, args: primitive.evaluate(*args))
    shape = broadcast(np.shape(result), *(np.shape(v) for v in variables))
    return np.asarray(np.broadcast_to(np.asarray(result, dtype), shape), order="C")  # ascontiguousarray gives a number an axis
