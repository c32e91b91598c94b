"""The closed set of scalar primitives, each declared once: name, arity, rounding, NumPy meaning.

`rounding` says what a result is worth: `exact` (a selection of its operands, or always representable), `correct`
(one IEEE rounding of the exact result) or `library` (whatever the platform's mathematical library returns).
The NumPy meaning of a `library` primitive is float64 rounded once to the dtype: float32 np.exp and np.tanh are not
monotone (laws.md section 3), and the reference must be.

The facts of a primitive are declared here too, as data: where it rises and falls, on what it is defined, what values
it can have. Facts of ops and of whole regions are computed from these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cnnir.types import DTYPES, numpy_dtype

Rounding = Literal["exact", "correct", "library"]
Array = np.ndarray[Any, Any]


Way = Literal[1, 0, -1]
"""Non-decreasing, flat, non-increasing."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A function goes one way on [lo, hi]."""

    lo: float
    hi: float
    way: Way


@dataclass(frozen=True, slots=True)
class Shape:
    """What is true of a primitive of one argument, as it is computed in floating point.

    Pieces touch at numbers of every dtype; outside them the direction is unknown. Outside `domain` it gives NaN.
    """

    pieces: tuple[Piece, ...] = ()
    domain: tuple[float, float] = (-math.inf, math.inf)
    image: tuple[float, float] = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True, eq=False)
class Primitive:
    """A scalar function. Compared by identity: there is one object of each name."""

    name: str
    arity: int
    rounding: Rounding
    numpy: Callable[..., Any]
    shape: Shape = Shape()
    """For one argument: where it rises and falls."""
    separates_zeros: tuple[int, ...] = ()
    """Arguments in which -0 and +0 give different results (other than zeros)."""
    selects: bool = False
    """Whether it only compares and chooses, so that it is exact for integers too; other primitives may wrap."""
    compared: int = 0
    """How many arguments come first that are compared with one another, and may be of another dtype than the rest."""
    to: str | None = None
    """The dtype of the result, where it is not that of the arguments."""

    @property
    def converts(self) -> bool:
        """Whether it is the same number in another dtype."""
        return self.to is not None and self.name == f"to_{self.to}"

    def evaluate(self, *args: Array) -> Array:
        """Elementwise value on arrays of one dtype; NaN and infinities as IEEE gives them."""
        with np.errstate(all="ignore"):
            if self.rounding != "library":
                return self.numpy(*args)
            wide = self.numpy(*(np.asarray(a, np.float64) for a in args))
            return np.asarray(wide, np.result_type(*args))

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def __reduce__(self) -> tuple[Callable[[str], Primitive], tuple[str]]:
        return primitive, (self.name,)


def _select(a: Array, b: Array, greater: Array, otherwise: Array) -> Array:
    return np.where(a > b, greater, otherwise)


def _erf(x: Array) -> Array:
    flat = [math.erf(v) for v in np.asarray(x).ravel().tolist()]
    return np.array(flat).reshape(np.shape(x))


def _softplus(x: Array) -> Array:
    return np.logaddexp(x, 0)


_HUGE = math.nextafter(math.inf, 0)  # outside (-_HUGE, _HUGE) only infinities


def _rising(lo: float = -math.inf, hi: float = math.inf, image: tuple[float, float] = (-math.inf, math.inf)) -> Shape:
    return Shape((Piece(lo, hi, 1),), (lo, hi), image)


def _falling(lo: float = -math.inf, hi: float = math.inf, image: tuple[float, float] = (-math.inf, math.inf)) -> Shape:
    return Shape((Piece(lo, hi, -1),), (lo, hi), image)


def _bowl(least: float) -> Shape:
    return Shape((Piece(-math.inf, 0, -1), Piece(0, math.inf, 1)), image=(least, math.inf))


def _wave(*pieces: Piece, image: tuple[float, float] = (-1, 1)) -> Shape:
    return Shape(pieces, (-_HUGE, _HUGE), image)


def _declare() -> Mapping[str, Primitive]:
    """Ends of the pieces of sin, cos and tan lie just inside the turning points, where they hold in every dtype."""
    quarter, half = 1.570796, 3.141592
    everywhere = _rising()
    chosen = {"max": (2, np.maximum, 0), "min": (2, np.minimum, 0), "select": (4, _select, 2)}
    exact = {
        "neg": (np.negative, _falling()), "abs": (np.abs, _bowl(0)), "floor": (np.floor, everywhere),
        "ceil": (np.ceil, everywhere), "round": (np.rint, everywhere),
    }  # fmt: skip
    arithmetic = {"add": np.add, "sub": np.subtract, "mul": np.multiply}
    library = {
        "exp": (np.exp, _rising(image=(0, math.inf))), "expm1": (np.expm1, _rising(image=(-1, math.inf))),
        "log": (np.log, _rising(lo=0)), "log1p": (np.log1p, _rising(lo=-1)),
        "softplus": (_softplus, _rising(image=(0, math.inf))),
        "tanh": (np.tanh, _rising(image=(-1, 1))), "erf": (_erf, _rising(image=(-1, 1))),
        "sin": (np.sin, _wave(Piece(-quarter, quarter, 1))),
        "cos": (np.cos, _wave(Piece(-half, 0, 1), Piece(0, half, -1))),
        "tan": (np.tan, _wave(Piece(-quarter, quarter, 1), image=(-math.inf, math.inf))),
        "asin": (np.arcsin, _rising(-1, 1, (-1.5708, 1.5708))), "acos": (np.arccos, _falling(-1, 1, (0, 3.1416))),
        "atan": (np.arctan, _rising(image=(-1.5708, 1.5708))),
        "sinh": (np.sinh, everywhere), "cosh": (np.cosh, _bowl(1)), "asinh": (np.arcsinh, everywhere),
        "acosh": (np.arccosh, _rising(lo=1, image=(0, math.inf))), "atanh": (np.arctanh, _rising(-1, 1)),
    }  # fmt: skip
    found = [
        *(Primitive(n, arity, "exact", f, selects=True, compared=compared) for n, (arity, f, compared) in chosen.items()),
        *(Primitive(n, 1, "exact", f, shape) for n, (f, shape) in exact.items()),
        Primitive("sign", 1, "exact", np.sign, _rising(image=(-1, 1)), selects=True),
        *(Primitive(n, 2, "correct", f) for n, f in arithmetic.items()),
        Primitive("div", 2, "correct", np.divide, separates_zeros=(1,)),
        Primitive("pow", 2, "library", np.power, separates_zeros=(0,)),
        Primitive("mod", 2, "correct", np.mod, separates_zeros=(1,)),
        Primitive("fmod", 2, "exact", np.fmod, separates_zeros=(1,)),
        Primitive("sqrt", 1, "correct", np.sqrt, _rising(lo=0, image=(0, math.inf))),
        Primitive("square", 1, "correct", np.square, _bowl(0)),
        *(Primitive(n, 1, "library", f, shape) for n, (f, shape) in library.items()),
    ]
    return {p.name: p for p in found}


PRIMITIVES: Mapping[str, Primitive] = _declare()
"""What a formula may be made of, by name."""


def _conversion(to: str) -> Primitive:
    def converted(values: Array) -> Array:
        own, target = np.asarray(values), numpy_dtype(to)
        return _whole(own, target) if target.kind in "iu" and own.dtype.kind not in "iub" else own.astype(target)

    return Primitive(f"to_{to}", 1, "correct", converted, to=to)


CONVERSIONS: Mapping[str, Primitive] = {to: _conversion(to) for to in DTYPES}
"""The number in another dtype: rounded once to a float, cut towards 0 to an integer; between integers the lowest bits are kept.

A float beyond what the integer holds becomes the nearest that it does, and NaN becomes 0. C and NumPy leave that open, and compiled
code must not answer differently from one processor to the next.
"""


def _whole(values: Array, target: np.dtype[Any]) -> Array:
    """Floats cut towards 0, within what an integer dtype holds."""
    limits, wide = np.iinfo(target), values.astype(np.float64)
    least, beyond = wide <= float(limits.min) - 1, wide >= float(limits.max) + 1  # powers of two, but for what rounds to one
    inside = ~(least | beyond | np.isnan(wide))
    result = np.where(inside, wide, 0).astype(target)
    return np.where(least, target.type(limits.min), np.where(beyond, target.type(limits.max), result))


def _logic() -> Mapping[str, Primitive]:
    comparisons = {
        "equal": np.equal, "not_equal": np.not_equal, "less": np.less, "less_equal": np.less_equal, "greater": np.greater,
        "greater_equal": np.greater_equal, "and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor,
    }  # fmt: skip
    found = [Primitive(name, 2, "exact", function, selects=True, to="bool") for name, function in comparisons.items()]
    negation = Primitive("not", 1, "exact", np.logical_not, selects=True, to="bool")
    where = Primitive("where", 3, "exact", np.where, selects=True, compared=1)
    return {p.name: p for p in (*found, negation, where)}


LOGIC: Mapping[str, Primitive] = _logic()
"""What makes truth values, and what chooses by one. Layers do; activations, which keep the dtype, do not."""

_ALL = {p.name: p for p in (*PRIMITIVES.values(), *CONVERSIONS.values(), *LOGIC.values())}


def primitive(name: str) -> Primitive:
    """The primitive of this name, of any kind; raises KeyError."""
    return _ALL[name]
