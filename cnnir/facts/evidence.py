"""Evidence: what was found when a formula, as compiled for a target, was run on every input there is.

A proof may cite it in place of an assumption. Whoever has such evidence implements `Evidence`; the passes only ask.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from cnnir.scalar.expr import Expr
from cnnir.types import numpy_dtype

from .interval import Interval
from .lattice import Direction


@dataclass(frozen=True)
class Swept:
    """What came of running a formula on every number of `dtype` in [lo, hi], in increasing order, NaN left out."""

    direction: Direction
    """What the values were held to."""
    dtype: str
    target: str
    lo: float
    hi: float
    inputs: int
    """How many inputs that were."""
    violations: int
    """Neighbours whose values go the wrong way, inputs with the value NaN, and zeros with values that differ."""
    first: tuple[float, float] | None
    """The first two neighbours whose values go the wrong way, or the two zeros."""
    last: float | None
    """The greatest input of such neighbours."""
    bound: float
    """How far max f(x_i) and what the direction's law gives may lie apart, on any window of inputs with values that are not NaN."""
    nan: tuple[float, float] | None
    """The least and the greatest input with the value NaN."""
    zeros_agree: bool
    """Whether f(-0) = f(+0), so far as both were inputs."""
    versions: tuple[tuple[str, str], ...]
    """What the result rests on: names and versions."""
    seconds: float = field(default=0.0, compare=False)

    def covers(self, domain: Interval) -> bool:
        """Whether every number of the domain was an input."""
        return self.lo <= domain.lo and domain.hi <= self.hi

    def shown(self, domain: Interval) -> Direction:
        """What the values were held to, as a direction on the domain."""
        return self.direction.within(domain.lo, domain.hi)

    def clean_on(self, domain: Interval) -> bool:
        """Whether the code keeps the direction on all of the domain, without NaN."""
        if not self.covers(domain):
            return False
        ordered = self.first is None or self.last is None or domain.hi < self.first[1] or domain.lo >= self.last
        level = self.zeros_agree or not domain.has_zero
        return ordered and level and (self.nan is None or domain.hi < self.nan[0] or domain.lo > self.nan[1])

    def broken_on(self, domain: Interval) -> bool:
        """Whether the code is known to break the direction on the domain. It may do so unknown, between the first and the last place."""
        pair = self.first is not None and domain.lo <= self.first[0] and self.first[1] <= domain.hi
        return pair or any(domain.lo <= x <= domain.hi for x in self.nan or ())

    def __str__(self) -> str:
        """Such as "all 4,278,190,082 float32 inputs, llvm -mcpu=znver4, tvm 0.27.0, glibc 2.36"."""
        everywhere = math.isinf(self.lo) and math.isinf(self.hi)
        where = "" if everywhere else f" in [{self.lo:.9g}, {self.hi:.9g}]"
        versions = dict(self.versions)
        told = [f"tvm {versions['tvm']}"] if "tvm" in versions else []
        told += [versions["libm"]] if "libm" in versions else []
        return ", ".join([f"all {self.inputs:,} {numpy_dtype(self.dtype)} inputs{where}", self.target, *told])


def fittest(found: Iterable[Swept], direction: Direction, domain: Interval) -> Swept | None:
    """The sweep that says most about a direction on a domain: shows it, else bounds it, else may refute it; of the least range."""

    def rank(swept: Swept) -> tuple[bool, bool, int]:
        enough = swept.shown(domain) <= direction
        return not (enough and swept.clean_on(domain)), not enough, swept.inputs

    fitting = [s for s in found if s.covers(domain) and (s.shown(domain) <= direction or direction <= s.shown(domain))]
    return min(fitting, key=rank, default=None)


class Evidence(Protocol):
    """What has been swept for one target."""

    def lookup(self, expr: Expr, dtype: str, direction: Direction, domain: Interval) -> Swept | None:
        """A sweep of this formula of Var(0) over a range that covers `domain`, for a direction that says as much there as
        `direction` does, or else for one that follows from it; None where there is none."""
        ...
