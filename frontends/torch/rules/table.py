"""What a rule is, and what rules have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from cnnir.ops.convert import Cast
from cnnir.ops.shape import Unsqueeze
from cnnir.types import numpy_dtype

from ..build import Build, Known, Operand, Unsupported

Outcome: TypeAlias = Any
"""A tensor, a number, or a tuple of these."""
Rule: TypeAlias = Callable[..., Outcome]
"""From the build and the arguments by the names of PyTorch's schema (`self` is called `input`) to what the operation gives."""
Number: TypeAlias = bool | int | float


def spread(numbers: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """One number an axis: a list of one stands for all."""
    given = (numbers,) if isinstance(numbers, int) else tuple(numbers)
    return given * axes if len(given) == 1 else given


def both_sides(pads: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """The same pads in front and behind."""
    return spread(pads, axes) * 2


def batched(build: Build, input: Operand, axes: int) -> tuple[Operand, bool]:
    """The input with an axis of examples, and whether it came without."""
    single = len(build.shape(input)) == axes + 1
    return (build.add(Unsqueeze((0,)), input) if single else input), single


def cast(build: Build, operand: Operand, dtype: str) -> Operand:
    """A tensor in another element type, if it is not of that type."""
    if build.type(operand).dtype == dtype:
        return operand
    if isinstance(operand, Known):
        return build.derived(operand.values.astype(numpy_dtype(dtype)))
    return build.add(Cast(dtype), operand)  # type: ignore[arg-type]  # a name that the exporter's table gives


def known(operand: Outcome, what: str) -> Known:
    """A tensor that must be the same in every run, such as a weight."""
    if not isinstance(operand, Known):
        raise Unsupported(f"{what} is computed by the network")
    return operand


def optional(operand: Outcome, what: str) -> Known | None:
    """The same, or none."""
    return None if operand is None else known(operand, what)


def number(operand: Outcome) -> Number | None:
    """What is a number, or a tensor of one known number and no axes that is nobody's parameter; None for all else."""
    if isinstance(operand, bool | int | float):
        return operand
    if (
        isinstance(operand, Known)
        and operand.kind == "constant"
        and operand.values.ndim == 0
        and np.isfinite(np.asarray(operand.values, np.float64))
    ):
        return operand.values.item()
    return None
