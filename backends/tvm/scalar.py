"""Scalar expressions as TIR: one fold, the same primitives in every kernel."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tvm import tirx
from tvm.ir import Expr as PrimExpr

from cnnir.scalar.expr import Const, Expr, Param, Var, fold
from cnnir.scalar.primitives import Primitive
from cnnir.types import numpy_dtype

from .kernels.intrinsics import INTRINSICS
from .kernels.strict import occurrences, rounded

Builder = Callable[..., PrimExpr]


def _sign(x: PrimExpr) -> PrimExpr:
    dtype = str(x.ty.dtype)
    one, zero = tirx.const(1, dtype), tirx.const(0, dtype)
    below = zero if dtype.startswith("uint") else tirx.Select(x < zero, tirx.const(-1, dtype), zero)
    return tirx.Select(x > zero, one, below)


def _quotient(kind: str) -> Builder:
    """a / b, for a target kind.

    TVM refuses to compile a division whose divisor it can simplify to 0, such as x - x. So a constant 0 is written as the
    product with its infinity, and what is no constant stands behind a call that no simplifier sees through.
    """

    def divide(a: PrimExpr, b: PrimExpr) -> PrimExpr:
        dtype = str(b.ty.dtype)
        if isinstance(b, tirx.FloatImm):
            zero = float(b.value) == 0.0
            return tirx.Mul(a, tirx.const(math.copysign(math.inf, float(b.value)), dtype)) if zero else tirx.Div(a, b)
        if kind == "llvm":  # nor one whose dividend is 0, which 0 / 0 is not
            return tirx.Div(rounded(a) if isinstance(a, tirx.FloatImm) and float(a.value) == 0.0 else a, rounded(b))
        exact = {"float32": "__fdiv_rn", "float64": "__ddiv_rn"}.get(dtype)
        return tirx.call_pure_extern(dtype, exact, a, b) if exact else tirx.Div(a, b)

    return divide


def _product(a: PrimExpr, b: PrimExpr) -> PrimExpr:
    """a b on llvm, where TVM would take 0 times an infinity for 0."""
    a, b = (rounded(x) if isinstance(x, tirx.FloatImm) and float(x.value) == 0.0 else x for x in (a, b))
    return tirx.Mul(a, b)


def _difference(a: PrimExpr, b: PrimExpr) -> PrimExpr:
    """a - b on llvm, where TVM would take x - x for 0, which it is not of infinities."""
    return tirx.Sub(a, b if isinstance(b, tirx.FloatImm) else rounded(b))


_ARITHMETIC: Mapping[str, Builder] = {
    "add": tirx.Add,  # the node, not Python's operator: that one folds x * 0, and the kernel would lose its operand
    "sub": tirx.Sub,
    "mul": tirx.Mul,
    "max": tirx.Max,
    "min": tirx.Min,
    "neg": lambda x: tirx.Mul(tirx.const(-1, x.ty.dtype), x),
    "sign": _sign,
    "square": lambda x: tirx.Mul(x, x),
    "select": lambda a, b, greater, otherwise: tirx.Select(a > b, greater, otherwise),
}

_EXACT = {"sqrt": "sqrt", "abs": "fabs", "floor": "floor", "ceil": "ceil", "round": "rint"}
"""Primitives that are one correctly rounded function of C in any precision: cnnir's name -> C's."""


_WHOLE: Mapping[str, Builder] = {
    "neg": lambda x: tirx.Sub(tirx.const(0, x.ty.dtype), x),
    "abs": lambda x: x if str(x.ty.dtype).startswith("uint") else tirx.Max(x, tirx.Sub(tirx.const(0, x.ty.dtype), x)),
}
"""What integers do their own way: they wrap, and no float holds all of them."""


def _c_function(name: str) -> Builder:
    """The precise C function, `expf` or `exp`, one element at a time; 16-bit numbers go through float32 and back."""

    def call(x: PrimExpr) -> PrimExpr:
        dtype, stem = str(x.ty.dtype), _EXACT.get(name, name)
        if dtype in ("float32", "float64"):
            return tirx.call_pure_extern(dtype, stem + ("f" if dtype == "float32" else ""), x)
        return tirx.Cast(dtype, tirx.call_pure_extern("float32", stem + "f", tirx.Cast("float32", x)))

    return call


def builders(kind: str, dtype: str) -> Mapping[str, Builder]:
    """Primitive name -> TIR builder: our vector functions and LLVM's for float32 on `llvm`, C functions for other floats."""
    if dtype.startswith(("int", "uint")):
        return {**_ARITHMETIC, **_WHOLE}
    if kind == "llvm" and dtype == "float32":
        return {**INTRINSICS, **_ARITHMETIC, "mul": _product, "sub": _difference, "div": _quotient(kind)}
    own = {"mul": _product, "sub": _difference} if kind == "llvm" else {}
    return {**{name: _c_function(name) for name in INTRINSICS}, **_ARITHMETIC, **own, "div": _quotient(kind)}


def numpy_of(dtype: str) -> np.dtype[Any]:
    """The NumPy dtype of a TVM dtype name, bfloat16 included."""
    return numpy_dtype("bf16") if dtype == "bfloat16" else np.dtype(dtype)


def literal(value: float, dtype: str) -> PrimExpr:
    """A number as a kernel of this dtype holds it: rounded to it once."""
    with np.errstate(over="ignore"):  # 1e308 is infinite in float32, and that is what it means there
        exact = int(value) if dtype.startswith(("int", "uint")) else float(numpy_of(dtype).type(value))
    return tirx.const(exact, dtype)


def build(expr: Expr, variables: Sequence[PrimExpr], coefficients: Mapping[str, PrimExpr], kind: str) -> PrimExpr:
    """`expr` with `Var(i)` = variables[i] and `Param(role)` = coefficients[role], for a target kind."""
    dtype = str(variables[0].ty.dtype)
    table = builders(kind, dtype)

    def leaf(expression: Expr) -> PrimExpr:
        if isinstance(expression, Var):
            return variables[expression.index]
        if isinstance(expression, Const):
            return literal(expression.value, dtype)
        if isinstance(expression, Param):
            return coefficients[expression.role]
        raise TypeError(f"no TIR for {expression!r}")

    def node(primitive: Primitive, args: Sequence[PrimExpr]) -> PrimExpr:
        return table[primitive.name](*args)

    return fold(expr, leaf, node)


def reads(expr: Expr) -> int:
    """How often a float32 kernel reads its first variable once every Let is written out.

    TVM's analyzer writes them out, to no purpose, for each value that the code generator binds: its time is the product of
    this number over the stages of a kernel.
    """

    def leaf(expression: Expr) -> int:
        return int(expression == Var(0))

    def node(primitive: Primitive, args: Sequence[int]) -> int:
        return sum(args) * (_reads(primitive.name) if primitive.arity == 1 else 1)

    return fold(expr, leaf, node)


@functools.cache
def _reads(name: str) -> int:
    x = tirx.Var("x", "float32")
    return occurrences(builders("llvm", "float32")[name](x), {x: 1})
