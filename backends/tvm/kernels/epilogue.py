"""What rides in a kernel after its heavy op: elementwise stages, one pool, more elementwise stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from tvm import te, tirx
from tvm.ir import Expr

from .strict import forces_scalar, strict

ExtraKind = Literal["channel", "tensor"]
PoolKind = Literal["max", "min", "avg"]


@dataclass(frozen=True)
class Extra:
    """One more kernel argument: a vector with one value per channel, or a tensor shaped like the value at that point."""

    kind: ExtraKind


@dataclass(frozen=True)
class Stage:
    """An elementwise step, `apply(value, *extras) -> value`: scalar TIR in, scalar TIR out."""

    apply: Callable[..., Expr]
    extras: tuple[Extra, ...] = ()


@dataclass(frozen=True)
class PoolWindow:
    """Pooling over H and W. `output` is given, so ceil mode is resolved: the last window may overhang the padded input."""

    kind: PoolKind
    kernel: tuple[int, int]
    stride: tuple[int, int]
    output: tuple[int, int]
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)  # top, left, bottom, right
    dilation: tuple[int, int] = (1, 1)
    count_include_pad: bool = False  # the divisor of an average counts padding, but never what overhangs it
    start: float | None = None  # what max and min start from; None for an infinity, which every element displaces

    def overhangs(self, axis: int, size: int) -> bool:
        """Does some window reach outside the `size` real elements along `axis` (0: H, 1: W)?"""
        last = (self.output[axis] - 1) * self.stride[axis] - self.pad[axis] + (self.kernel[axis] - 1) * self.dilation[axis]
        return self.pad[axis] > 0 or last >= size


@dataclass(frozen=True)
class Epilogue:
    """Stages, then a pool, then stages; without a pool both rows of stages follow one another."""

    before: tuple[Stage, ...] = ()
    pool: PoolWindow | None = None
    after: tuple[Stage, ...] = ()


Read = Callable[[te.Tensor, Extra], Expr]


def placeholders(stages: Sequence[Stage], channel: Sequence[int], tensor: Sequence[int], prefix: str) -> list[list[te.Tensor]]:
    """For each stage its extra arguments, per-channel vectors of shape `channel` and tensors of shape `tensor`."""
    return [
        [
            te.placeholder(channel if extra.kind == "channel" else tensor, name=f"{prefix}{position}_{extra.kind}{index}")
            for index, extra in enumerate(stage.extras)
        ]
        for position, stage in enumerate(stages)
    ]


def flat(tensors: Sequence[Sequence[te.Tensor]]) -> list[te.Tensor]:
    """All extras in argument order."""
    return [tensor for stage in tensors for tensor in stage]


def apply_stages(value: Expr, stages: Sequence[Stage], tensors: Sequence[Sequence[te.Tensor]], read: Read) -> Expr:
    """Stages one after another on `value`, no product contracted. `read(tensor, extra)` is the extra's element here.

    Each stage binds its input with a Let, so that stages which use it several times don't blow up the expression.
    """
    bindings: list[tuple[tirx.Var, Expr]] = []
    for position, (stage, extras) in enumerate(zip(stages, tensors, strict=True)):
        if position:
            var = tirx.Var(f"stage{position}", "float32")
            bindings.append((var, value))
            value = var
        value = strict(stage.apply(value, *(read(tensor, extra) for tensor, extra in zip(extras, stage.extras, strict=True))))
    for var, bound in reversed(bindings):
        value = tirx.Let(var, bound, value)
    return value


def any_scalar(stages: Sequence[Stage]) -> bool:
    """Will the loop around these stages be scalar, because one of them calls a C function or branches?"""
    for stage in stages:
        arguments = [tirx.Var(f"argument{index}", "float32") for index in range(1 + len(stage.extras))]
        if forces_scalar(stage.apply(*arguments)):
            return True
    return False
