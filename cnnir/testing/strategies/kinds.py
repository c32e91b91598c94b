"""Which ops a random network may have: whatever is registered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cnnir.ops.activation import UserActivation
from cnnir.ops.base import Op
from cnnir.ops.opaque import Opaque
from cnnir.ops.registry import OPS
from cnnir.ops.tensor import Input

EVALUATED: tuple[type[Op], ...] = (*(op for op in OPS.values() if op is not Input), UserActivation)
"""Every op that can be evaluated, users' activations among them."""
EVERY_OP: tuple[type[Op], ...] = (*EVALUATED, Opaque)
"""Opaque nodes too."""
ANY_AXES = (-2, -1, 0, 1, 1, 2, 2, 2, 3, 3)
"""Numbers of spatial axes; -1 is rank 1, and -2 a single number."""


@dataclass(frozen=True)
class Choice:
    """What a network may be made of: its inputs' spatial axes and dtypes, the most steps, and the ops."""

    axes: tuple[int, ...]
    most: int
    dtypes: tuple[str, ...]
    ops: tuple[type[Op], ...] = field(repr=False)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What hypothesis shows of it: ninety ops in a report hide what failed."""
        del cycle
        printer.text(repr(self))
