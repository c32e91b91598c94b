"""Elementwise arithmetic that gives the same bits in whatever kernel it is compiled.

TVM hands LLVM `AllowFPOpFusion = Fast`: on a CPU with fma, a product that feeds a sum becomes one fma, rounded once
instead of twice, whatever the fast-math flags say. Convolutions want that. Epilogues must not have it, or a region
split over two kernels (the product stored by one, the sum done by the next) would differ from the same region in one.

`llvm.arithmetic.fence` is the identity, costs no instruction, survives vectorization, and no contraction sees through it.
"""

from __future__ import annotations

from collections.abc import Mapping

import tvm
from tvm import tirx
from tvm.ir import Call, Expr

FENCE = "llvm.arithmetic.fence"


def is_float(expr: Expr) -> bool:
    """Is its type a floating-point one (indices are not our business)?"""
    return str(expr.ty.dtype).startswith("float")


def rounded(expr: Expr) -> Expr:
    """`expr`, rounded to its type before anything else is done with it: it can't become a part of an fma."""
    return tirx.call_llvm_pure_intrin(str(expr.ty.dtype), FENCE, expr)


def strict(expr: Expr) -> Expr:
    """`expr` with every floating-point product in it rounded. Templates apply it to every stage.

    Quotients too: LLVM divides by 4 by multiplying with 0.25. A Let that occurs twice (a Python value that holds one,
    used twice) gets a variable of its own each time: TIR wants each defined once.
    """
    return _Strict({}).visit(expr)


class _Strict:
    def __init__(self, renamed: dict[tirx.Var, tirx.Var]) -> None:
        self.renamed = renamed

    def visit(self, expr: Expr, fenced: bool = False) -> Expr:
        """`fenced`: the parent is a fence already, so a product here needs none of its own."""
        if isinstance(expr, tirx.Var):
            return self.renamed.get(expr, expr)
        if isinstance(expr, (tirx.Mul, tirx.Div)):
            result = type(expr)(self.visit(expr.a), self.visit(expr.b))
            return rounded(result) if is_float(expr) and not fenced else result
        if isinstance(expr, tirx.Select):
            return tirx.Select(self.visit(expr.condition), self.visit(expr.true_value), self.visit(expr.false_value))
        if isinstance(expr, tirx.Let):
            var = tirx.Var(expr.var.name, expr.var.ty)
            return tirx.Let(var, self.visit(expr.value), _Strict({**self.renamed, expr.var: var}).visit(expr.body))
        if isinstance(expr, tirx.Cast):
            return tirx.Cast(expr.ty, self.visit(expr.value))
        if isinstance(expr, tirx.Not):
            return tirx.Not(self.visit(expr.a))
        if isinstance(expr, Call):
            if getattr(expr.op, "name", "") == "te.tensor_load":
                return expr
            is_fence = calls_llvm_intrinsic(expr, FENCE)
            args = [self.visit(arg, is_fence) for arg in expr.args]
            return Call(expr.op, args, expr.attrs, expr.ty_args, expr.span, ret_ty=expr.ty)
        if hasattr(expr, "a") and hasattr(expr, "b"):  # every other binary operator, comparison or connective
            return type(expr)(self.visit(expr.a), self.visit(expr.b))
        return expr  # constants


def calls_llvm_intrinsic(expr: Expr, name: str) -> bool:
    """Is it a call of that intrinsic?"""
    if not (isinstance(expr, Call) and getattr(expr.op, "name", "") == "tirx.call_llvm_pure_intrin"):
        return False
    return int(expr.args[0]) == tvm.target.codegen.llvm_lookup_intrinsic_id(name)


PARTS = ("a", "b", "value", "body", "condition", "true_value", "false_value")
"""Where the nodes of TIR that are no calls keep their operands."""


def occurrences(expr: Expr, known: Mapping[tirx.Var, int]) -> int:
    """How often the variables of `known` occur, weighted, where every Let is written out."""
    if isinstance(expr, tirx.Var):
        return known.get(expr, 0)
    if isinstance(expr, tirx.Let):
        return occurrences(expr.body, {**known, expr.var: occurrences(expr.value, known)})
    parts = expr.args if isinstance(expr, Call) else [getattr(expr, field, None) for field in PARTS]
    return sum(occurrences(part, known) for part in parts if isinstance(part, Expr))


SCALAR_ONLY = ("tirx.call_pure_extern", "tirx.call_extern", "prim.if_then_else")


def forces_scalar(expr: Expr) -> bool:
    """Does it call a C function or branch (`if_then_else`; use Select)? TVM's vectorizer makes such a loop scalar."""
    if isinstance(expr, Call):
        return getattr(expr.op, "name", "") in SCALAR_ONLY or any(forces_scalar(arg) for arg in expr.args)
    parts = [getattr(expr, field, None) for field in PARTS]
    return any(forces_scalar(part) for part in parts if isinstance(part, Expr))
