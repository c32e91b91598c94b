"""Math functions for stages: name -> builder of the TIR expression.

Each gives the same bits in vector lanes and in scalar code. Four ways to get there:
- exp, tanh and log1p are our own arithmetic (`vector_math`), a whole vector at once;
- an LLVM intrinsic on a whole vector. sqrt, abs and the roundings are exact machine instructions; log, sin, cos, atan
  and the rest have none, so LLVM calls the C library's float function lane by lane, the sums staying in registers;
- cosh in float64, rounded once: the C library's float cosh falls where it should rise (glibc 2.36's between 0.99999994 and 1);
- expm1 and erf have no intrinsic: a call of the C function, around which TVM makes the loop scalar.

Not TVM's own operators: `tirx.tanh` becomes a rational approximation (1.3 % off at 1e-6), `tirx.round` is half to even
under LLVM only, and others depend on the target.
"""

from __future__ import annotations

from collections.abc import Callable

from tvm import tirx
from tvm.ir import Expr

from . import vector_math

Builder = Callable[[Expr], Expr]


def llvm(name: str) -> Builder:
    """LLVM's intrinsic, on a vector or a scalar."""
    return lambda x: tirx.call_llvm_pure_intrin("float32", f"llvm.{name}", x)


def libm(name: str) -> Builder:
    """The C library's function, one element at a time."""
    return lambda x: tirx.call_pure_extern("float32", name, x)


def rounded_once(name: str) -> Builder:
    """LLVM's intrinsic in float64, on a vector or a scalar, rounded to float32: as the reference computes it."""
    return lambda x: tirx.Cast("float32", tirx.call_llvm_pure_intrin("float64", f"llvm.{name}", tirx.Cast("float64", x)))


INTRINSICS: dict[str, Builder] = {
    "exp": vector_math.exp,
    "libm_exp": llvm("exp"),
    "log": llvm("log"),
    "sin": llvm("sin"),
    "cos": llvm("cos"),
    "tan": llvm("tan"),
    "asin": llvm("asin"),
    "acos": llvm("acos"),
    "atan": llvm("atan"),
    "sinh": llvm("sinh"),
    "cosh": rounded_once("cosh"),
    "tanh": vector_math.tanh,
    "libm_tanh": llvm("tanh"),
    "log1p": vector_math.log1p,
    "expm1": libm("expm1f"),
    "erf": libm("erff"),
    "asinh": libm("asinhf"),
    "acosh": libm("acoshf"),
    "atanh": libm("atanhf"),
    "sqrt": llvm("sqrt"),
    "abs": llvm("fabs"),
    "floor": llvm("floor"),
    "ceil": llvm("ceil"),
    "trunc": llvm("trunc"),
    "round": llvm("roundeven"),  # half to even, as ONNX, PyTorch and NumPy round
}
