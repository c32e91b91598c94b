"""What is known of a float function of one variable on a range: direction, range, linearity and float class."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from .interval import Interval
from .lattice import CONSTANT, UNKNOWN, UP, Direction


class Grade(IntEnum):
    """What a direction is worth for the float code, laws.md section 3; the worst step of a derivation counts.

    E: exact on every IEEE target. C: exact if the platform's library functions are monotone (assumed until swept).
    U: true of the real function only; the float code keeps it up to a bound.
    """

    E = 0
    C = 1
    U = 2


@dataclass(frozen=True)
class Affine:
    """The real function scale x + shift."""

    scale: float
    shift: float


@dataclass(frozen=True)
class Fact:
    """Facts of f on a range of x. `bound` is how far the float code may break the direction, in absolute terms.

    max f(x_i) and f(max x_i) differ by at most `bound`: 0 for grades E and C, None where no bound is known.
    """

    direction: Direction
    range: Interval
    grade: Grade = Grade.E
    linear: Affine | None = None
    bound: float | None = 0.0
    is_x: bool = False
    """Whether it is x itself, as floats: a linearity of 1 x + 0 holds of real numbers only, as in 3 x - 2 x."""
    swept: bool = False
    """Whether grade C rests on a sweep of the compiled code, and not on an assumption."""

    @property
    def float_class(self) -> str:
        """The grade in words: `E`, `C (swept)`, `C (assumed)` or `U`."""
        return f"C ({'swept' if self.swept else 'assumed'})" if self.grade is Grade.C else self.grade.name


def identity(range: Interval) -> Fact:
    """The facts of x itself."""
    return Fact(UP, range, linear=Affine(1.0, 0.0), is_x=True)


def constant(range: Interval) -> Fact:
    """The facts of one unknown number in `range`."""
    return Fact(CONSTANT, range, linear=Affine(0.0, range.lo) if range.is_point else None)


def nothing(range: Interval) -> Fact:
    """A range, and no direction."""
    return Fact(UNKNOWN, range, Grade.U, bound=None)


def worst(*facts: Fact) -> tuple[Grade, float | None]:
    """The grade and bound of something derived from all of these by steps that keep order in float."""
    bounds = [f.bound for f in facts]
    inexact = [b for b in bounds if b != 0]
    return max(f.grade for f in facts), 0.0 if not inexact else None
