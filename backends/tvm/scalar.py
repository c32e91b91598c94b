"""Scalar expressions as TIR: one fold, the same primitives in every kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from tvm import tirx
from tvm.ir import Expr as PrimExpr

from cnnir.scalar.expr import Const, Expr, Param, Var, fold
from cnnir.scalar.primitives import Primitive

from .kernels.intrinsics import INTRINSICS

Builder = Callable[..., PrimExpr]


def _sign(x: PrimExpr) -> PrimExpr:
    one, zero = tirx.const(1, x.ty.dtype), tirx.const(0, x.ty.dtype)
    return tirx.Select(x > zero, one, tirx.Select(x < zero, -one, zero))


_ARITHMETIC: Mapping[str, Builder] = {
    "add": tirx.Add,  # the node, not Python's operator: that one folds x * 0, and the kernel would lose its operand
    "sub": tirx.Sub,
    "mul": tirx.Mul,
    "div": tirx.Div,
    "max": tirx.Max,
    "min": tirx.Min,
    "neg": lambda x: tirx.Mul(tirx.const(-1, x.ty.dtype), x),
    "sign": _sign,
    "square": lambda x: tirx.Mul(x, x),
    "select": lambda a, b, greater, otherwise: tirx.Select(a > b, greater, otherwise),
}

_EXACT = {"sqrt": "sqrt", "abs": "fabs", "floor": "floor", "ceil": "ceil", "round": "rint"}
"""Primitives that are one correctly rounded function of C in any precision: cnnir's name -> C's."""


def _c_function(name: str) -> Builder:
    """The precise C function, `expf` or `exp`, one element at a time; 16-bit numbers go through float32 and back."""

    def call(x: PrimExpr) -> PrimExpr:
        dtype, stem = str(x.ty.dtype), _EXACT.get(name, name)
        if dtype in ("float32", "float64"):
            return tirx.call_pure_extern(dtype, stem + ("f" if dtype == "float32" else ""), x)
        return tirx.Cast(dtype, tirx.call_pure_extern("float32", stem + "f", tirx.Cast("float32", x)))

    return call


def builders(kind: str, dtype: str) -> Mapping[str, Builder]:
    """Primitive name -> TIR builder: our vector functions and LLVM's for float32 on `llvm`, C functions for all else."""
    if kind == "llvm" and dtype == "float32":
        return {**INTRINSICS, **_ARITHMETIC}
    return {**{name: _c_function(name) for name in INTRINSICS}, **_ARITHMETIC}


def build(expr: Expr, variables: Sequence[PrimExpr], coefficients: Mapping[str, PrimExpr], kind: str) -> PrimExpr:
    """`expr` with `Var(i)` = variables[i] and `Param(role)` = coefficients[role], for a target kind."""
    dtype = str(variables[0].ty.dtype)
    table = builders(kind, dtype)

    def leaf(expression: Expr) -> PrimExpr:
        if isinstance(expression, Var):
            return variables[expression.index]
        if isinstance(expression, Const):
            return tirx.const(np.dtype(dtype).type(expression.value), dtype)
        if isinstance(expression, Param):
            return coefficients[expression.role]
        raise TypeError(f"no TIR for {expression!r}")

    def node(primitive: Primitive, args: Sequence[PrimExpr]) -> PrimExpr:
        return table[primitive.name](*args)

    return fold(expr, leaf, node)
