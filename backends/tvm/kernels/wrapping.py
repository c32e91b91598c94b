"""Sums, differences and products of 32-bit integers that wrap around as NumPy's do.

TVM takes them for indices, which never overflow: it turns max(x + 9, 0) into max(x, -9) + 9, and tells LLVM that no sum wraps.
So they are computed in 64 bits, where they fit, and cut off. What is smaller wraps by itself; 64 bits are left to TVM.
"""

from __future__ import annotations

from collections.abc import Callable

from tvm import tirx
from tvm.ir import Expr

Operation = Callable[[Expr, Expr], Expr]
_NODES = {"add": tirx.Add, "sub": tirx.Sub, "mul": tirx.Mul}


def wrapping(name: str) -> Operation:
    """The builder of `add`, `sub` or `mul` for integers of any size."""
    plain = _NODES[name]

    def build(a: Expr, b: Expr) -> Expr:
        dtype = str(a.ty.dtype)
        if dtype == "uint64" and name == "sub":  # of two's complements the difference is the same, and 0 - x is not 0
            return tirx.Cast(dtype, plain(tirx.Cast("int64", a), tirx.Cast("int64", b)))
        if not dtype.endswith("32"):
            return plain(a, b)
        wide = "uint64" if dtype == "uint32" and name == "mul" else "int64"
        return tirx.Cast(dtype, plain(tirx.Cast(wide, a), tirx.Cast(wide, b)))

    return build
