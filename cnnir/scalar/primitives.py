"""The closed set of scalar primitives, each declared once: name, arity, rounding, NumPy meaning.

`rounding` says what a result is worth: `exact` (a selection of its operands, or always representable), `correct`
(one IEEE rounding of the exact result) or `library` (whatever the platform's mathematical library returns).
The NumPy meaning of a `library` primitive is float64 rounded once to the dtype: float32 np.exp and np.tanh are not
monotone (laws.md section 3), and the reference must be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Rounding = Literal["exact", "correct", "library"]
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Primitive:
    """A scalar function. Compared by identity: there is one object of each name."""

    name: str
    arity: int
    rounding: Rounding
    numpy: Callable[..., Any]

    def evaluate(self, *args: Array) -> Array:
        """Elementwise value on arrays of one floating dtype; NaN and infinities as IEEE gives them."""
        with np.errstate(all="ignore"):
            if self.rounding != "library":
                return self.numpy(*args)
            wide = self.numpy(*(np.asarray(a, np.float64) for a in args))
            return np.asarray(wide, np.result_type(*args))

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def __reduce__(self) -> tuple[Callable[[str], Primitive], tuple[str]]:
        return PRIMITIVES.__getitem__, (self.name,)


def _select(a: Array, b: Array, greater: Array, otherwise: Array) -> Array:
    return np.where(a > b, greater, otherwise)


def _erf(x: Array) -> Array:
    flat = [math.erf(v) for v in np.asarray(x).ravel().tolist()]
    return np.array(flat).reshape(np.shape(x))


def _declare() -> Mapping[str, Primitive]:
    exact = {
        "max": (2, np.maximum), "min": (2, np.minimum), "neg": (1, np.negative), "abs": (1, np.abs),
        "floor": (1, np.floor), "ceil": (1, np.ceil), "round": (1, np.rint), "sign": (1, np.sign),
        "select": (4, _select),
    }  # fmt: skip
    correct = {
        "add": (2, np.add), "sub": (2, np.subtract), "mul": (2, np.multiply), "div": (2, np.divide),
        "sqrt": (1, np.sqrt), "square": (1, np.square),
    }  # fmt: skip
    library = {
        "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "tanh": np.tanh, "erf": _erf,
        "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
        "sinh": np.sinh, "cosh": np.cosh, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
    }  # fmt: skip
    return {
        **{n: Primitive(n, arity, "exact", f) for n, (arity, f) in exact.items()},
        **{n: Primitive(n, arity, "correct", f) for n, (arity, f) in correct.items()},
        **{n: Primitive(n, 1, "library", f) for n, f in library.items()},
    }


PRIMITIVES: Mapping[str, Primitive] = _declare()
