"""exp as plain arithmetic, so that a whole vector is computed at once, with no library underneath.

exp(x) = 2^n exp(r) with n = round(x / ln 2) and r = x - n ln 2, |r| <= 0.3466, ln 2 in two parts so that r is accurate.
Every step is an fma written out or an exact operation: the same bits in lanes, in scalar code, and on every target.
Checked over all float32 in [-104, 89]: non-decreasing, and at most 1 ulp from the exact value (see the tests).
"""

from __future__ import annotations

from tvm import tirx
from tvm.ir import Expr

from .strict import rounded

LOWEST, HIGHEST = -104.0, 89.0  # exp is 0 below and infinite above; beyond them 2^n would not be representable
LOG2_E = 1.44269504088896341
LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4  # the high part has 9 bits: n * LN2_HIGH is exact
# (exp(r) - 1 - r) / r^2 on |r| <= ln(2)/2, minimax for the relative error of exp
TAIL = (0.49999994, 0.1666652, 0.041668393, 0.008368781, 0.0013814467)


def constant(value: float) -> Expr:
    return tirx.const(value, "float32")


def fma(a: Expr, b: Expr, c: Expr) -> Expr:
    """a * b + c rounded once, on every target (in software where the CPU has no fma)."""
    return tirx.call_llvm_pure_intrin("float32", "llvm.fma", a, b, c)


def power_of_two(exponent: Expr) -> Expr:
    """2^exponent for an int32 in [-126, 127], built from its bits."""
    return tirx.reinterpret("float32", tirx.shift_left(exponent + 127, tirx.const(23, "int32")))


def let(value: Expr, body) -> Expr:  # noqa: ANN001 - a function of the bound variable
    var = tirx.Var("shared", value.ty)
    return tirx.Let(var, value, body(var))


def exp(x: Expr) -> Expr:
    """e^x; 0 far below, infinite far above, NaN for NaN."""
    clipped = tirx.max(constant(LOWEST), tirx.min(constant(HIGHEST), x))

    def reduced(x: Expr) -> Expr:
        n = tirx.call_llvm_pure_intrin("float32", "llvm.roundeven", rounded(x * constant(LOG2_E)))
        return let(n, lambda n: let(remainder(x, n), lambda r: scaled(mantissa(r), n)))

    return let(clipped, reduced)


def remainder(x: Expr, n: Expr) -> Expr:
    return fma(n, constant(-LN2_LOW), fma(n, constant(-LN2_HIGH), x))


def mantissa(r: Expr) -> Expr:
    """exp(r) = 1 + (r + r^2 tail(r))."""
    tail = constant(TAIL[-1])
    for coefficient in reversed(TAIL[:-1]):
        tail = fma(tail, r, constant(coefficient))
    return constant(1.0) + fma(rounded(r * r), tail, r)


def scaled(value: Expr, n: Expr) -> Expr:
    """value * 2^n in two steps, the first exact: n may lie outside what one float's exponent can hold."""

    def by(n: Expr) -> Expr:
        half = tirx.shift_right(n, tirx.const(1, "int32"))
        return rounded(rounded(value * power_of_two(half)) * power_of_two(n - half))

    return let(n.astype("int32"), by)
