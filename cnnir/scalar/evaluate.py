"""NumPy evaluation of scalar expressions: the reference meaning of every elementwise layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cnnir.types import broadcast, dtype_name, numpy_dtype

from .expr import Const, Expr, Param, Var
from .primitives import Array
from .typed import fold_typed


def evaluate(expr: Expr, variables: Sequence[Array], coefficients: Mapping[str, Array] | None = None) -> Array:
    """The value of `expr` with `Var(i)` = `variables[i]` and `Param(role)` = `coefficients[role]`, broadcast together.

    Computed in the dtype of the variables until a primitive converts it, one rounding per primitive, never contracted.
    """

    def leaf(expression: Expr, dtype: str) -> Array:
        if isinstance(expression, Var):
            return variables[expression.index]
        if isinstance(expression, Const):
            with np.errstate(over="ignore"):  # 1e308 is infinite in float32, and that is what it means there
                return np.asarray(expression.value, numpy_dtype(dtype))
        if isinstance(expression, Param) and coefficients is not None:
            return np.asarray(coefficients[expression.role], numpy_dtype(dtype))
        raise TypeError(f"no value for {expression!r}")

    dtypes = [dtype_name(np.asarray(v).dtype) for v in variables]
    result = fold_typed(expr, dtypes, leaf, lambda primitive, args, _dtype: primitive.evaluate(*args))
    shape = broadcast(np.shape(result.value), *(np.shape(v) for v in variables))
    return np.asarray(np.broadcast_to(np.asarray(result.value, numpy_dtype(result.dtype)), shape), order="C")
