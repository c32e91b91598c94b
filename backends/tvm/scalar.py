"""Scalar expressions as TIR: one fold, the same primitives in every kernel."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tvm import tirx
from tvm.ir import Expr as PrimExpr

from cnnir.scalar.expr import Const, Expr, Param, Var, fold
from cnnir.scalar.primitives import Primitive
from cnnir.scalar.typed import fold_typed
from cnnir.types import dtype_name, numpy_dtype

from .kernels.intrinsics import INTRINSICS
from .kernels.strict import rounded
from .kernels.wrapping import wrapping

Builder = Callable[..., PrimExpr]


def _sign(x: PrimExpr) -> PrimExpr:
    dtype = str(x.ty.dtype)
    one, zero = tirx.const(1, dtype), tirx.const(0, dtype)
    rest = tirx.Select(tirx.EQ(x, zero), zero, x) if "float" in dtype else zero  # NaN has no sign, and stays
    below = zero if dtype.startswith("uint") else tirx.Select(x < zero, tirx.const(-1, dtype), rest)
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


def _softplus(functions: Mapping[str, Builder], dtype: str) -> Builder:
    """log(1 + exp(x)), which is never below x; far enough to the right it is x, before exp overflows.

    A maximum of two that never decrease never decreases either, whatever the library rounds to at the limit. 16-bit
    numbers go through float32 and back.
    """
    limit, wide = (40.0, dtype) if dtype == "float64" else (20.0, "float32")

    def build(x: PrimExpr) -> PrimExpr:
        own = x if dtype == wide else tirx.Cast(wide, x)
        found = tirx.Max(own, functions["log1p"](functions["exp"](tirx.Min(own, tirx.const(limit, wide)))))
        return found if dtype == wide else tirx.Cast(dtype, found)

    return build


def _chosen(condition: PrimExpr, a: PrimExpr, b: PrimExpr) -> PrimExpr:
    return tirx.Select(condition, a, b)


def _whole_modulo(a: PrimExpr, b: PrimExpr) -> PrimExpr:
    """With the sign of b. By 0 it is 0; by -1 too, but the machine traps at the least number."""
    safe = tirx.Select(tirx.any(b == 0, b == -1) if str(b.ty.dtype).startswith("i") else b == 0, tirx.const(1, b.ty.dtype), b)
    return tirx.floormod(a, safe)


def _modulo(remainder: Builder) -> Builder:
    """With the sign of b, from the remainder that has the sign of a."""

    def modulo(a: PrimExpr, b: PrimExpr) -> PrimExpr:
        rest, zero = remainder(a, b), tirx.const(0, a.ty.dtype)
        return tirx.Select(tirx.Select(b < zero, rest > zero, rest < zero), tirx.Add(rest, b), rest)

    return modulo


def _product(a: PrimExpr, b: PrimExpr) -> PrimExpr:
    """a b on llvm, where TVM would take 0 times an infinity for 0."""
    a, b = (rounded(x) if isinstance(x, tirx.FloatImm) and float(x.value) == 0.0 else x for x in (a, b))
    return tirx.Mul(a, b)


def _difference(a: PrimExpr, b: PrimExpr) -> PrimExpr:
    """a - b on llvm, where TVM would take x - x for 0, which it is not of infinities."""
    return tirx.Sub(a, b if isinstance(b, tirx.FloatImm) else rounded(b))


def _equal(a: PrimExpr, b: PrimExpr) -> PrimExpr:
    """a == b on llvm, where TVM would take x for equal to x, which it is not where it is no number."""
    return tirx.EQ(a, b if isinstance(b, tirx.FloatImm) else rounded(b))


def _not_equal(a: PrimExpr, b: PrimExpr) -> PrimExpr:
    """a != b on llvm, where TVM would have it that no number differs from nothing."""
    return tirx.Select(_equal(a, b), tirx.const(False, "bool"), tirx.const(True, "bool"))


_LOGIC: Mapping[str, Builder] = {
    "equal": tirx.EQ, "not_equal": tirx.NE, "less": tirx.LT, "less_equal": tirx.LE, "greater": tirx.GT, "greater_equal": tirx.GE,
    "and": tirx.And, "or": tirx.Or, "xor": lambda a, b: tirx.Or(tirx.And(a, tirx.Not(b)), tirx.And(tirx.Not(a), b)), "not": tirx.Not,
    "where": _chosen,
}  # fmt: skip
_ARITHMETIC: Mapping[str, Builder] = {
    **_LOGIC,
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


def _negated(x: PrimExpr) -> PrimExpr:
    return wrapping("sub")(tirx.const(0, x.ty.dtype), x)


_WHOLE: Mapping[str, Builder] = {
    **_ARITHMETIC,
    **{name: wrapping(name) for name in ("add", "sub", "mul")},
    "neg": _negated,
    "square": lambda x: wrapping("mul")(x, x),
    "mod": _whole_modulo,
    "abs": lambda x: x if str(x.ty.dtype).startswith("u") else tirx.Select(x < 0, _negated(x), x),
}
"""Primitives of integers and truth values."""

_EXACT = {"sqrt": "sqrt", "abs": "fabs", "floor": "floor", "ceil": "ceil", "round": "rint"}
"""Primitives that are one correctly rounded function of C in any precision: cnnir's name -> C's."""


_WIDE = ("cosh",)
"""Primitives whose float32 function of C breaks its direction: float64's, rounded once, does not."""


def _c_function(name: str) -> Builder:
    """The precise C function, `expf` or `exp`, one element at a time; 16-bit numbers go through float32 and back."""

    def call(*args: PrimExpr) -> PrimExpr:
        dtype, stem = str(args[0].ty.dtype), _EXACT.get(name, name)
        if name in _WIDE and dtype != "float64":
            return tirx.Cast(dtype, tirx.call_pure_extern("float64", stem, *(tirx.Cast("float64", x) for x in args)))
        if dtype in ("float32", "float64"):
            return tirx.call_pure_extern(dtype, stem + ("f" if dtype == "float32" else ""), *args)
        return tirx.Cast(dtype, tirx.call_pure_extern("float32", stem + "f", *(tirx.Cast("float32", x) for x in args)))

    return call


def builders(kind: str, dtype: str, vector: bool = True) -> Mapping[str, Builder]:
    """Primitive name -> TIR builder: our vector functions and LLVM's for float32 on `llvm` if `vector`, C functions for all else."""
    if dtype.startswith(("int", "uint", "bool")):
        return _WHOLE
    functions = INTRINSICS if kind == "llvm" and dtype == "float32" and vector else {name: _c_function(name) for name in INTRINSICS}
    remainder = _c_function("fmod")
    modulo = {"fmod": remainder, "mod": _modulo(remainder)}
    further = {"softplus": _softplus(functions, dtype), "pow": _c_function("pow"), "div": _quotient(kind), **modulo}
    equal = {"equal": _equal, "not_equal": _not_equal}
    signed = {"mul": _product, "sub": _difference, **equal} if kind == "llvm" else {}
    return {**functions, **_ARITHMETIC, **signed, **further}


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

    def leaf(expression: Expr, dtype: str) -> PrimExpr:
        if isinstance(expression, Var):
            return variables[expression.index]
        if isinstance(expression, Const):
            return literal(expression.value, str(numpy_dtype(dtype)))
        if isinstance(expression, Param):
            return converted(coefficients[expression.role], dtype)
        raise TypeError(f"no TIR for {expression!r}")

    def node(primitive: Primitive, args: Sequence[PrimExpr], dtype: str) -> PrimExpr:
        if primitive.converts and primitive.to:
            return converted(args[0], primitive.to)
        if kind == "llvm" and dtype == "bf16" and small:
            return _brief(primitive, args)
        return builders(kind, str(numpy_dtype(dtype)))[primitive.name](*args)

    small = _written_out(expr) <= MOST_WRITTEN
    dtypes = [dtype_name(numpy_of(str(v.ty.dtype))) for v in variables]
    return fold_typed(expr, dtypes, leaf, node).value


MOST_WRITTEN = 2_000
"""Larger formulas of bfloat16 (the gelu of tanh) are rounded once, at their end: TVM would compile them for hours."""


def _written_out(expr: Expr) -> int:
    """How many leaves a formula has where each rounding to bfloat16 writes its operand three times."""
    return fold(expr, lambda leaf: 1, lambda primitive, args: (1 if primitive.rounding == "exact" else 3) * sum(args))


def _brief(primitive: Primitive, args: Sequence[PrimExpr]) -> PrimExpr:
    """A primitive of bfloat16, computed in float32 and rounded as its own step.

    TVM takes casts to bfloat16 out of llvm kernels and computes in float32 throughout: without this, how often a region rounds
    would depend on which of its layers share a kernel.
    """
    found = builders("llvm", "float32", vector=False)[primitive.name](*map(_wide, args))  # a Let and a bf16 buffer do not mix
    if str(found.ty.dtype) != "float32":
        return found
    return tirx.Cast("bfloat16", found if primitive.rounding == "exact" else brief(found))


def _wide(value: PrimExpr) -> PrimExpr:
    if str(value.ty.dtype) != "bfloat16":
        return value
    return tirx.const(float(value.value), "float32") if isinstance(value, tirx.FloatImm) else tirx.Cast("float32", value)


def brief(value: PrimExpr) -> PrimExpr:
    """A float32 rounded to the nearest bfloat16, ties to even, as a float32; by its bits, which nothing optimizes away."""
    bits = tirx.reinterpret("uint32", value)
    even = tirx.bitwise_and(tirx.shift_right(bits, tirx.const(16, "uint32")), tirx.const(1, "uint32"))
    up = tirx.bitwise_and(tirx.Add(tirx.Add(bits, tirx.const(0x7FFF, "uint32")), even), tirx.const(0xFFFF0000, "uint32"))
    missing = tirx.bitwise_and(bits, tirx.const(0x7FFFFFFF, "uint32")) > tirx.const(0x7F800000, "uint32")
    return tirx.reinterpret("float32", tirx.Select(missing, tirx.const(0x7FC00000, "uint32"), up))


def converted(value: PrimExpr, to: str) -> PrimExpr:
    """A number in another dtype."""
    own, target = str(value.ty.dtype), str(numpy_dtype(to))
    if own == target:
        return value
    if to == "bool":
        return _not_equal(value, tirx.const(0, own)) if "float" in own else tirx.NE(value, tirx.const(0, own))
    if target == "bfloat16":
        return tirx.Cast(target, brief(value if own == "float32" else tirx.Cast("float32", value)))
    return _whole(value, target) if own.startswith(("float", "bfloat")) and target.startswith(("int", "uint")) else tirx.Cast(target, value)


def _whole(value: PrimExpr, target: str) -> PrimExpr:
    """A float cut towards 0, within what an integer dtype holds; NaN is 0. The machine's own conversion leaves that open."""
    wide = value if str(value.ty.dtype) in ("float32", "float64") else tirx.Cast("float32", value)
    own, limits = str(wide.ty.dtype), np.iinfo(target)
    least, beyond = tirx.const(float(limits.min) - 1, own), tirx.const(float(limits.max) + 1, own)
    inside = tirx.Select(tirx.isnan(wide), tirx.const(0, target), tirx.Cast(target, wide))
    kept = tirx.Select(wide >= beyond, tirx.const(limits.max, target), inside)
    return tirx.Select(wide <= least, tirx.const(limits.min, target), kept)
