"""exp, tanh and log1p as plain arithmetic, so that a whole vector is computed at once, with no library underneath.

exp(x) = 2^n exp(r) with n = round(x / ln 2) and r = x - n ln 2, |r| <= 0.3466, ln 2 in two parts so that r is accurate.
tanh(x) is an odd polynomial near 0 and 1 - 2 / (exp(2x) + 1) beyond.
log1p(x) = k ln 2 + log(1 + f) + c with u = 1 + x rounded = 2^k (1 + f), 1 + f in [sqrt(1/2), sqrt 2), and c = (1 + x - u) / u what
the rounding lost; near 0, f = x. log(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)) with s = f / (2 + f), as in FreeBSD's log1pf.
Every product is an fma written out or rounded on its own: the same bits in lanes, in scalar code, and on every target.
Checked over all float32 (exp on [-104, 89], tanh on [0, 12]): non-decreasing; at most 1.1 and 1.4 ulp from the exact value
where that is a normal number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tvm import tirx
from tvm.ir import Expr

from .strict import rounded

LOWEST, HIGHEST = -104.0, 89.0  # exp is 0 below and infinite above; beyond them 2^n would not be representable
LOG2_E = 1.44269504088896341
LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4  # the high part has 9 bits: n * LN2_HIGH is exact
# (exp(r) - 1 - r) / r^2 on |r| <= ln(2)/2, minimax for the relative error of exp
TAIL = (0.49999994, 0.1666652, 0.041668393, 0.008368781, 0.0013814467)

# (tanh(x) - x) / x^3 as a polynomial in x^2 on |x| <= 0.6, minimax for the relative error of tanh
TANH_SMALL = 0.6
TANH_TAIL = (-0.3333333, 0.13333245, -0.053952053, 0.021732012, -0.008260773, 0.002224953)

ONE, ROOT_HALF = 0x3F800000, 0x3F3504F3  # the bits of 1 and of sqrt(1/2)
LOG_LN2_HIGH, LOG_LN2_LOW = 6.9313812256e-01, 9.0580006145e-06
LOG_TAIL = (0.66666662693, 0.40000972152, 0.28498786688, 0.24279078841)  # FreeBSD's e_logf.c, relative error below 2^-34


def constant(value: float) -> Expr:
    """A float32 literal."""
    return tirx.const(value, "float32")


def fma(a: Expr, b: Expr, c: Expr) -> Expr:
    """a * b + c rounded once, on every target (in software where the CPU has no fma)."""
    return tirx.call_llvm_pure_intrin("float32", "llvm.fma", a, b, c)


def power_of_two(exponent: Expr) -> Expr:
    """2^exponent for an int32 in [-126, 127], built from its bits."""
    return tirx.reinterpret("float32", tirx.shift_left(exponent + 127, tirx.const(23, "int32")))


def let(value: Expr, body: Callable[[Expr], Expr]) -> Expr:
    """`body` of a variable that holds `value`: computed once however often the body uses it."""
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
    """x - n ln 2."""
    return fma(n, constant(-LN2_LOW), fma(n, constant(-LN2_HIGH), x))


def mantissa(r: Expr) -> Expr:
    """exp(r) = 1 + (r + r^2 tail(r))."""
    return constant(1.0) + fma(rounded(r * r), polynomial(TAIL, r), r)


def polynomial(coefficients: Sequence[float], x: Expr) -> Expr:
    """Horner's rule, constant term first in `coefficients`."""
    value = constant(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = fma(value, x, constant(coefficient))
    return value


def scaled(value: Expr, n: Expr) -> Expr:
    """value * 2^n in two steps, the first exact: n may lie outside what one float's exponent can hold."""

    def by(n: Expr) -> Expr:
        half = tirx.shift_right(n, tirx.const(1, "int32"))
        return rounded(rounded(value * power_of_two(half)) * power_of_two(n - half))

    return let(n.astype("int32"), by)


def tanh(x: Expr) -> Expr:
    """Odd; 1 from about 9 on; NaN for NaN."""
    return let(x, tanh_of)  # x may call a C function, which no compiler calls once instead of five times


def tanh_of(x: Expr) -> Expr:
    """tanh of a variable."""
    small = let(rounded(x * x), lambda square: fma(rounded(x * square), polynomial(TANH_TAIL, square), x))

    def of(magnitude: Expr) -> Expr:
        large = constant(1.0) - constant(2.0) / (exp(magnitude + magnitude) + constant(1.0))
        signed = let(large, lambda large: tirx.Select(x < constant(0.0), constant(0.0) - large, large))
        return tirx.Select(magnitude < constant(TANH_SMALL), small, signed)

    return let(tirx.call_llvm_pure_intrin("float32", "llvm.fabs", x), of)


def log1p(x: Expr) -> Expr:
    """log(1 + x); -infinity at -1, NaN below and for NaN."""
    return let(x, lambda x: let(constant(1.0) + x, lambda u: log1p_of(x, u)))


def log1p_of(x: Expr, u: Expr) -> Expr:
    """log1p of a variable, u = 1 + x."""
    bits = tirx.reinterpret("int32", u) + tirx.const(ONE - ROOT_HALF, "int32")
    k = tirx.shift_right(bits, tirx.const(23, "int32")) - tirx.const(127, "int32")
    digits = tirx.bitwise_and(bits, tirx.const(0x007FFFFF, "int32")) + tirx.const(ROOT_HALF, "int32")

    def of(k: Expr) -> Expr:
        near = k.equal(tirx.const(0, "int32"))
        f = tirx.Select(near, x, tirx.reinterpret("float32", digits) - constant(1.0))
        lost = tirx.Select(k >= 2, constant(1.0) - (u - x), x - (u - constant(1.0))) / u
        c = tirx.Select(tirx.any(near, k >= 25), constant(0.0), lost)
        return let(f, lambda f: let(c, lambda c: _log_of(f, k.astype("float32"), c)))

    found = let(k, of)
    same = tirx.any(x >= constant(math.inf), x.equal(constant(0.0)))  # infinity, and either zero
    finite = tirx.Select(same, x, found)
    return tirx.Select(x > constant(-1.0), finite, tirx.Select(x < constant(-1.0), constant(math.nan), x + x - constant(math.inf)))


def _log_of(f: Expr, k: Expr, c: Expr) -> Expr:
    """k ln 2 + log(1 + f) + c."""
    half = rounded(constant(0.5) * f * f)

    def of(s: Expr, half: Expr) -> Expr:
        tail = let(rounded(s * s), lambda z: rounded(z * polynomial(LOG_TAIL, z)))
        small = fma(s, half + tail, fma(k, constant(LOG_LN2_LOW), c)) - half
        return fma(k, constant(LOG_LN2_HIGH), small + f)

    return let(half, lambda half: let(f / (constant(2.0) + f), lambda s: of(s, half)))
