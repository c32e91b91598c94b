"""Arithmetic, comparisons and logic between tensors, broadcast."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from cnnir.ops import arithmetic, logic, piecewise
from cnnir.ops.arithmetic import Add, Bias, Binary, Div, FloatModulo, Maximum, Minimum, Modulo, Mul, Power, Scale, Sub
from cnnir.ops.base import Op
from cnnir.ops.logic import Where
from cnnir.ops.smooth import PRIMITIVE_OPS, Reciprocal
from cnnir.types import TensorType

from ..context import Context
from ..node import Known, Node, Operand
from ..registry import reads

_BINARY: Mapping[str, type[Binary]] = {
    "Add": Add, "Sub": Sub, "Mul": Mul, "Div": Div, "Pow": Power,
    "Equal": logic.Equal, "Less": logic.Less, "LessOrEqual": logic.LessEqual,
    "Greater": logic.Greater, "GreaterOrEqual": logic.GreaterEqual,
}  # fmt: skip
_UNARY: Mapping[str, type[Op]] = {
    "Neg": arithmetic.Neg, "Floor": arithmetic.Floor, "Ceil": arithmetic.Ceil, "Round": arithmetic.Round,
    "Abs": piecewise.Abs, "Sign": piecewise.Sign, "Reciprocal": Reciprocal, "Not": logic.Not,
    **{op.name.capitalize(): op for op in PRIMITIVE_OPS if op.name not in ("expm1", "log1p", "square")},
}  # fmt: skip
_LOGIC: Mapping[str, type[Op]] = {"And": logic.And, "Or": logic.Or, "Xor": logic.Xor}
_AFFINE: Mapping[type[Binary], tuple[type[Op], str]] = {Add: (Bias, "bias"), Mul: (Scale, "factor")}
EXACT = 1 << 53
"""Whole numbers below are the same in a float64, which is what an op keeps its constant in."""


@reads(*_UNARY)
def unary(node: Node, context: Context) -> Operand:
    """A function of one number."""
    return context.emit(_UNARY[node.op](), node.data())


@reads(*_LOGIC)
def logical(node: Node, context: Context) -> Operand:
    """Truth values of truth values."""
    return context.emit(_LOGIC[node.op](), node.data(0), node.data(1))


@reads(*_BINARY)
def binary(node: Node, context: Context) -> Operand:
    """An operator of two tensors, one of which may be a number."""
    a, b = node.data(0), node.data(1)
    left, right = context.type(a), context.type(b)
    if node.op == "Pow" and (left.dtype != right.dtype or left.is_whole):
        return _power(context, a, b)
    if left.dtype == right.dtype == "bool" and node.op == "Equal":
        return context.emit(logic.Not(), context.emit(logic.Xor(), a, b))
    if node.op == "Div" and left.is_whole:
        return _whole_quotient(context, a, b)
    return between(context, _BINARY[node.op], a, b)


def between(context: Context, op: type[Binary], a: Operand, b: Operand) -> Operand:
    """An operator of two operands: a number or one a channel is said on the layer, other constants are layers of their own."""
    left, right = context.type(a), context.type(b)
    number = scalar(b)
    if number is not None and right.rank <= left.rank:
        return context.emit(op(number), a)
    number = scalar(a)
    if number is not None and left.rank <= right.rank:
        return context.emit(op(number, True), b)
    for data, other, kind in ((a, b, right), (b, a, left)):
        affine = _AFFINE.get(op)
        if affine and isinstance(other, Known) and not isinstance(data, Known) and one_a_channel(kind.shape, context.type(data)):
            return context.emit(affine[0](), data, **{affine[1]: other.reshaped((context.type(data).channels,))})
    return context.emit(op(), a, b)


def one_a_channel(shape: tuple[int, ...], data: TensorType) -> bool:
    """Whether a tensor of this shape, broadcast to the data, is one number a channel."""
    aligned = (1,) * (data.rank - len(shape)) + shape
    return data.rank > 1 and len(aligned) == data.rank and all(n == (data.channels if i == 1 else 1) for i, n in enumerate(aligned))


def scalar(operand: Operand) -> float | None:
    """The number that a known tensor of one element is, if a layer can say it."""
    if not isinstance(operand, Known) or operand.type.elements != 1 or operand.type.dtype == "bool":
        return None
    value = operand.array().reshape(-1)[0]
    if operand.type.is_whole:
        return float(value) if abs(int(value)) < EXACT else None
    return None if math.isnan(float(value)) else float(value)


def _power(context: Context, a: Operand, b: Operand) -> Operand:
    """A power keeps the type of its base: whole numbers through float64, others with the exponent in their type."""
    base = context.type(a).dtype
    if context.type(a).is_whole:
        result = between(context, Power, context.cast(a, "f64"), context.cast(b, "f64"))
        return context.cast(result, base)
    number = scalar(b)
    if number is not None:
        return context.emit(Power(number), a)
    return context.emit(Power(), a, context.cast(b, base))


def _whole_quotient(context: Context, a: Operand, b: Operand) -> Operand:
    """Whole numbers are divided towards zero: through float64, which holds those of 32 bits."""
    dtype = context.type(a).dtype
    if dtype in ("i64", "u64"):
        return _long_quotient(context, a, b, dtype)
    divisor = scalar(b)
    wide = context.cast(a, "f64")
    quotient = context.emit(Div(divisor), wide) if divisor is not None else context.emit(Div(), wide, context.cast(b, "f64"))
    return context.cast(quotient, dtype)


def _long_quotient(context: Context, a: Operand, b: Operand, dtype: str) -> Operand:
    """64 bits: a quotient of float64, and what it lacks, from the remainder; exact while it stays below 2^63."""
    signs = None
    if dtype == "i64":
        signs = context.emit(Mul(), context.emit(piecewise.Sign(), a), context.emit(piecewise.Sign(), b))
        a, b = context.emit(piecewise.Abs(), a), context.emit(piecewise.Abs(), b)
    divisor = context.cast(b, "f64")
    quotient = context.cast(context.emit(arithmetic.Floor(), context.emit(Div(), context.cast(a, "f64"), divisor)), "i64")
    a, b = (operand if dtype == "i64" else context.cast(operand, "i64") for operand in (a, b))
    for _ in range(2):  # the first leaves at most 2^11, the second nothing
        rest = context.emit(Sub(), a, context.emit(Mul(), quotient, b))
        lacking = context.emit(arithmetic.Floor(), context.emit(Div(), context.cast(rest, "f64"), divisor))
        quotient = context.emit(Add(), quotient, context.cast(lacking, "i64"))
    if signs is not None:
        return context.emit(Mul(), quotient, signs)
    return context.cast(quotient, "u64")


@reads("Mod")
def modulo(node: Node, context: Context) -> Operand:
    """Mod: with the sign of the divisor, or (`fmod`) of the dividend."""
    if not node.int("fmod"):
        return between(context, Modulo, node.data(0), node.data(1))
    t = context.type(node.data())
    if t.is_float:
        return between(context, FloatModulo, node.data(0), node.data(1))
    if t.dtype in ("i64", "u64"):
        a, b = node.data(0), node.data(1)
        sign = context.emit(piecewise.Sign(), a) if t.dtype == "i64" else None
        rest = (
            context.emit(Modulo(), context.emit(piecewise.Abs(), a), context.emit(piecewise.Abs(), b))
            if sign
            else context.emit(Modulo(), a, b)
        )
        return context.emit(Mul(), sign, rest) if sign else rest
    a, b = (context.cast(node.data(slot), "f64") for slot in (0, 1))
    return context.cast(context.emit(FloatModulo(), a, b), t.dtype)


def extreme(context: Context, a: Operand, b: Operand, larger: bool) -> Operand:
    """The larger or the smaller of two."""
    return between(context, Maximum if larger else Minimum, a, b)


@reads("Max", "Min", "Sum", "Mean")
def several(node: Node, context: Context) -> Operand:
    """Of one tensor or more."""
    op = {"Max": Maximum, "Min": Minimum, "Sum": Add, "Mean": Add}[node.op]
    value = node.data(0)
    for slot in range(1, len(node.inputs)):
        value = between(context, op, value, node.data(slot))
    return context.emit(Div(float(len(node.inputs))), value) if node.op == "Mean" else value


@reads("Where")
def where(node: Node, context: Context) -> Operand:
    """Where."""
    return context.emit(Where(), *(node.data(slot) for slot in range(3)))


@reads("IsNaN")
def is_nan(node: Node, context: Context) -> Operand:
    """What is not at most infinity: a compiler takes it for granted that a number is equal to itself."""
    return context.emit(logic.Not(), context.emit(logic.LessEqual(math.inf), node.data()))


@reads("IsInf")
def is_inf(node: Node, context: Context) -> Operand:
    """Infinity on the sides that are asked for."""
    sides = [np.inf] * node.int("detect_positive", 1) + [-np.inf] * node.int("detect_negative", 1)
    found = [context.emit(logic.Equal(float(side)), node.data()) for side in sides]
    if not found:
        return context.emit(logic.And(), *(context.emit(op(0.0), node.data()) for op in (logic.Less, logic.Greater)))
    return found[0] if len(found) == 1 else context.emit(logic.Or(), *found)
