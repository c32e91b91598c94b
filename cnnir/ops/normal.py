"""Normalisation by statistics of the data themselves: instance, layer and group norm, and the logarithm of softmax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from cnnir.types import TensorType

from .arithmetic import Add, Bias, Div, Mul, Sub
from .base import Array, Emit, Op, Parameter, Value, require, require_float, require_rank
from .constant import Constant
from .reduce import ReduceMax, ReduceMean, ReduceSum
from .shape import Reshape, places
from .smooth import primitive_op
from .wide import widened


def centred(emit: Emit, value: Value, t: TensorType, axes: tuple[int, ...], eps: float) -> Value:
    """(x - mean) / sqrt(variance + eps) over some axes of a value whose dtype is that of `t`."""
    value, back = widened(emit, value, t)
    apart = emit(Sub(), value, emit(ReduceMean(axes), value))
    variance = emit(ReduceMean(axes), emit(primitive_op("square"), apart))
    return back(emit(Div(), apart, emit(primitive_op("sqrt"), emit(Add(eps), variance))))


def standard(data: Array, axes: tuple[int, ...], eps: float) -> Array:
    """The same in float64."""
    wide = data.astype(np.float64)
    with np.errstate(all="ignore"):
        return (wide - wide.mean(axis=axes, keepdims=True)) / np.sqrt(wide.var(axis=axes, keepdims=True) + eps)


@dataclass(frozen=True)
class GroupNorm(Op):
    """(x - mean) / sqrt(variance + eps) over groups of channels of each example, then scale and bias per channel."""

    name: ClassVar[str] = "groupnorm"
    groups: int
    eps: float = 1e-5

    def parted(self, data: TensorType) -> int:
        """How many groups of channels there are."""
        return self.groups

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require_float(self, inputs)
        require_rank(self, inputs[0], 2, 8)
        count = self.parted(inputs[0])
        fits = count >= 1 and inputs[0].channels % count == 0
        require(fits, "C0207", f"{inputs[0].channels} channels do not divide into {count} groups")
        return (inputs[0],)

    def parameters(self, inputs: Sequence[TensorType]) -> Mapping[str, Parameter]:
        shape, dtype = (inputs[0].channels,), inputs[0].dtype
        return {"scale": Parameter(shape, dtype, "around_one"), "bias": Parameter(shape, dtype, "around_zero")}

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        """In float64, rounded once."""
        data = inputs[0]
        parts = data.reshape(len(data), self.parted(TensorType("f32", data.shape)), -1)
        found = standard(parts, (2,), self.eps).reshape(data.shape)
        scale, bias = (np.asarray(parameters[r], np.float64).reshape(-1, *(1,) * (data.ndim - 2)) for r in ("scale", "bias"))
        return ((found * scale + bias).astype(data.dtype),)

    def expand(self, emit: Emit, data: Sequence[Value], types: Sequence[TensorType]) -> tuple[Value, ...]:
        t = types[0]
        parts = emit(Reshape((t.shape[0], self.parted(t), -1)), data[0])
        whole = emit(Reshape(t.shape), centred(emit, parts, t, (2,), self.eps))
        scale = emit(Constant(TensorType(t.dtype, (t.channels,))), value="scale")
        scaled = emit(Mul(), whole, emit(Reshape((t.channels, *(1,) * (t.rank - 2))), scale))
        return (emit(Bias(), scaled, bias="bias"),)


@dataclass(frozen=True)
class InstanceNorm(GroupNorm):
    """The same with every channel a group of its own."""

    name: ClassVar[str] = "instancenorm"
    groups: int = field(default=0, metadata={"written": False})

    def __post_init__(self) -> None:
        require(self.groups == 0, "C0206", "`instancenorm` has one group a channel", help="use `groupnorm`")

    def parted(self, data: TensorType) -> int:
        return data.channels


@dataclass(frozen=True)
class LayerNorm(Op):
    """(x - mean) / sqrt(variance + eps) over the axes from `axis` on, then a scale and a bias for each of their elements."""

    name: ClassVar[str] = "layernorm"
    axis: int = -1
    eps: float = 1e-5

    def over(self, rank: int) -> tuple[int, ...]:
        """The axes that are normalised."""
        return tuple(range(places(self, [self.axis], rank)[0], rank))

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require_float(self, inputs)
        self.over(inputs[0].rank)
        return (inputs[0],)

    def parameters(self, inputs: Sequence[TensorType]) -> Mapping[str, Parameter]:
        shape, dtype = inputs[0].shape[self.over(inputs[0].rank)[0] :], inputs[0].dtype
        return {"scale": Parameter(shape, dtype, "around_one"), "bias": Parameter(shape, dtype, "around_zero")}

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        """In float64, rounded once."""
        found = standard(inputs[0], self.over(inputs[0].ndim), self.eps)
        scale, bias = (np.asarray(parameters[r], np.float64) for r in ("scale", "bias"))
        return ((found * scale + bias).astype(inputs[0].dtype),)

    def expand(self, emit: Emit, data: Sequence[Value], types: Sequence[TensorType]) -> tuple[Value, ...]:
        own = TensorType(types[0].dtype, self.parameters(types)["scale"].shape)
        found = centred(emit, data[0], types[0], self.over(types[0].rank), self.eps)
        return (emit(Add(), emit(Mul(), found, emit(Constant(own), value="scale")), emit(Constant(own), value="bias")),)


@dataclass(frozen=True)
class LogSoftmax(Op):
    """x - max - log(sum of exp(x - max)) along an axis."""

    name: ClassVar[str] = "logsoftmax"
    axis: int = 1

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require_float(self, inputs)
        places(self, [self.axis], inputs[0].rank)
        return (inputs[0],)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        """In float64, rounded once."""
        wide = inputs[0].astype(np.float64)
        with np.errstate(all="ignore"):
            low = wide - wide.max(axis=self.axis, keepdims=True)
            return ((low - np.log(np.exp(low).sum(axis=self.axis, keepdims=True))).astype(inputs[0].dtype),)

    def expand(self, emit: Emit, data: Sequence[Value], types: Sequence[TensorType]) -> tuple[Value, ...]:
        low = emit(Sub(), data[0], emit(ReduceMax((self.axis,)), data[0]))
        total = emit(ReduceSum((self.axis,)), emit(primitive_op("exp"), low))
        return (emit(Sub(), low, emit(primitive_op("log"), total)),)
