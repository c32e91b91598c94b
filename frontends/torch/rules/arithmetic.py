"""Arithmetic, comparisons and choices between tensors, or a tensor and a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cnnir.ops import arithmetic, logic, piecewise, smooth
from cnnir.ops.arithmetic import Binary
from cnnir.ops.base import Op
from cnnir.ops.shape import Reshape
from cnnir.types import numpy_dtype

from ..build import Array, Build, Known, Operand, Unsupported
from .table import Number, Outcome, Rule, cast, number

_SYMBOLS: Mapping[type[Binary], Callable[[Any, Any], Any]] = {
    arithmetic.Add: lambda a, b: a + b, arithmetic.Sub: lambda a, b: a - b, arithmetic.Mul: lambda a, b: a * b,
    arithmetic.Div: lambda a, b: a / b, arithmetic.Power: lambda a, b: a**b,
}  # fmt: skip
"""Of two numbers, such as sizes."""


def binary(build: Build, make: type[Binary], a: Outcome, b: Outcome, dtype: str) -> Outcome:
    """A layer of two operands of one element type, of which numbers go into the layer."""
    left, right = number(a), number(b)
    if left is not None and right is not None:
        if isinstance(a, Known) or isinstance(b, Known):
            kind = numpy_dtype(dtype)
            return build.add(make(), build.derived(np.asarray(left, kind)), build.derived(np.asarray(right, kind)))
        return _SYMBOLS[make](left, right)
    if right is not None:
        return build.add(make(float(right)), cast(build, a, dtype))
    if left is not None:
        return build.add(make(float(left), reverse=True), cast(build, b, dtype))
    return _affine(build, make, a, b, dtype) or build.add(make(), cast(build, a, dtype), cast(build, b, dtype))


def _affine(build: Build, make: type[Binary], a: Operand, b: Operand, dtype: str) -> Operand | None:
    """`scale` or `bias` by a parameter of one number, which stays a parameter; None where it is none."""
    kinds: Mapping[type[Binary], tuple[Callable[[Any], Op], str]] = {
        arithmetic.Mul: (arithmetic.Scale, "factor"), arithmetic.Add: (arithmetic.Bias, "bias"),
    }  # fmt: skip
    data, weight = (b, a) if isinstance(a, Known) else (a, b)
    if make not in kinds or isinstance(data, Known) or not isinstance(weight, Known) or weight.values.shape:
        return None
    op, role = kinds[make]
    same = weight.type.dtype == dtype
    return build.add(op("tensor"), cast(build, data, dtype), **{role: weight}) if same else None


def _of(build: Build, *operands: Outcome) -> str:
    """The element type that operands are computed in, where no result says it."""
    types = [build.type(o).dtype for o in operands if not isinstance(o, bool | int | float)]
    return build.wanted or types[0]


def _add(build: Build, input: Outcome, other: Outcome, alpha: Number = 1) -> Outcome:
    return _scaled(build, arithmetic.Add, input, other, alpha)


def _sub(build: Build, input: Outcome, other: Outcome, alpha: Number = 1) -> Outcome:
    return _scaled(build, arithmetic.Sub, input, other, alpha)


def _rsub(build: Build, input: Outcome, other: Outcome, alpha: Number = 1) -> Outcome:
    return _scaled(build, arithmetic.Sub, other, input, alpha)


def _scaled(build: Build, make: type[Binary], a: Outcome, b: Outcome, alpha: Number) -> Outcome:
    dtype = _of(build, a, b)
    scaled = b if alpha == 1 else binary(build, arithmetic.Mul, b, alpha, dtype)
    return binary(build, make, a, scaled, dtype)


def _plain(make: type[Binary]) -> Rule:
    def rule(build: Build, input: Outcome, other: Outcome) -> Outcome:
        return binary(build, make, input, other, _of(build, input, other))

    return rule


def _div(build: Build, input: Outcome, other: Outcome, rounding_mode: str | None = None) -> Outcome:
    """Truncation is not among the layers; floor is."""
    if rounding_mode == "trunc":
        raise Unsupported("division that rounds towards 0")
    quotient = binary(build, arithmetic.Div, input, other, _of(build, input, other))
    return build.add(arithmetic.Floor(), quotient) if rounding_mode == "floor" else quotient


def _pow(build: Build, input: Outcome, exponent: Outcome) -> Outcome:
    plain = {2: "square", 0.5: "sqrt"}
    power, dtype = number(exponent), _of(build, input, exponent)
    if power in plain and number(input) is None:
        return build.add(smooth.primitive_op(plain[power]), cast(build, input, dtype))
    return binary(build, arithmetic.Power, input, exponent, dtype)


def _clamp(build: Build, input: Operand, min: Outcome = None, max: Outcome = None) -> Operand:
    """`clip` where both bounds are numbers."""
    low, high = number(min), number(max)
    data = cast(build, input, build.wanted) if build.wanted else input
    if low is not None and high is not None and low <= high:
        return build.add(piecewise.Relu6() if (low, high) == (0, 6) else piecewise.Clip(float(low), float(high)), data)
    dtype = build.type(data).dtype
    if min is not None:
        data = build.add(piecewise.Relu(), data) if low == 0 else binary(build, arithmetic.Maximum, data, min, dtype)
    return data if max is None else binary(build, arithmetic.Minimum, data, max, dtype)


def _compare(make: type[Binary]) -> Rule:
    def rule(build: Build, input: Outcome, other: Outcome) -> Outcome:
        types = [build.type(o).numpy for o in (input, other) if not isinstance(o, bool | int | float)]
        dtype = build.type(input).dtype
        if len(types) == 2 and types[0] != types[1]:
            wide = np.promote_types(*types)
            dtype = next(build.type(o).dtype for o in (input, other) if build.type(o).numpy == wide)
        return binary(build, make, input, other, dtype)

    return rule


def _logic(make: Callable[[], Op]) -> Rule:
    def rule(build: Build, input: Operand, other: Operand | None = None) -> Operand:
        operands = [input] if other is None else [input, other]
        if any(build.type(o).dtype != "bool" for o in operands):
            raise Unsupported("logic between numbers")
        return build.add(make(), *operands)

    return rule


def _tensor(build: Build, operand: Outcome, dtype: str) -> Operand:
    """A number as a tensor without axes."""
    if isinstance(operand, bool | int | float):
        return build.derived(np.asarray(operand, numpy_dtype(dtype)))
    return cast(build, operand, dtype)


def _where(build: Build, condition: Operand, input: Outcome, other: Outcome) -> Operand:
    dtype = _of(build, input, other)
    return build.add(logic.Where(), condition, _tensor(build, input, dtype), _tensor(build, other, dtype))


def _masked_fill(build: Build, input: Operand, mask: Operand, value: Outcome) -> Operand:
    dtype = build.type(input).dtype
    return build.add(logic.Where(), mask, _tensor(build, value, dtype), input)


def _addcmul(build: Build, input: Operand, tensor1: Operand, tensor2: Operand, value: Number = 1) -> Outcome:
    dtype = _of(build, input)
    product = binary(build, arithmetic.Mul, tensor1, tensor2, dtype)
    return binary(build, arithmetic.Add, input, product if value == 1 else binary(build, arithmetic.Mul, product, value, dtype), dtype)


def _lerp(build: Build, input: Operand, end: Operand, weight: Outcome) -> Outcome:
    """a + w (b - a)."""
    dtype = _of(build, input)
    apart = binary(build, arithmetic.Sub, end, input, dtype)
    return binary(build, arithmetic.Add, input, binary(build, arithmetic.Mul, apart, weight, dtype), dtype)


def _convert(build: Build, input: Operand, dtype: str | None = None, **how: Any) -> Operand:
    """`to`, `_to_copy`: only the element type is anything to a network."""
    del how
    return cast(build, input, dtype or build.wanted or build.type(input).dtype)


def _same(build: Build, input: Outcome, **how: Any) -> Outcome:
    """Copies and views of the whole."""
    del build, how
    return input


def _fill(build: Build, input: Operand, value: Outcome) -> Known:
    filler = number(value)
    if filler is None:
        raise Unsupported("filling with what is computed")
    t = build.type(input)
    array: Array = np.full(t.shape, filler, t.numpy)
    return build.derived(array)


def _zero(build: Build, input: Operand) -> Known:
    return _fill(build, input, 0)


def _copy(build: Build, input: Operand, src: Operand, non_blocking: bool = False) -> Operand:
    """src, cast and broadcast to the type of what it overwrites."""
    from cnnir.ops.rearrange import Expand

    del non_blocking
    data, target = cast(build, src, build.type(input).dtype), build.shape(input)
    if build.shape(data) == target:
        return data
    if not target:
        return build.add(Reshape(()), data)
    return build.add(Expand(target), data)


RULES: Mapping[str, Rule] = {
    "add": _add, "sub": _sub, "subtract": _sub, "rsub": _rsub, "multiply": _plain(arithmetic.Mul),
    "mul": _plain(arithmetic.Mul), "div": _div, "divide": _div, "true_divide": _div, "pow": _pow, "clamp": _clamp, "clip": _clamp,
    "clamp_min": _clamp, "clamp_max": _clamp,
    "maximum": _plain(arithmetic.Maximum), "minimum": _plain(arithmetic.Minimum), "max.other": _plain(arithmetic.Maximum),
    "min.other": _plain(arithmetic.Minimum), "remainder": _plain(arithmetic.Modulo), "fmod": _plain(arithmetic.FloatModulo),
    "eq": _compare(logic.Equal), "ne": _compare(logic.NotEqual), "lt": _compare(logic.Less), "le": _compare(logic.LessEqual),
    "gt": _compare(logic.Greater), "ge": _compare(logic.GreaterEqual),
    "logical_and": _logic(logic.And), "logical_or": _logic(logic.Or), "logical_xor": _logic(logic.Xor), "logical_not": _logic(logic.Not),
    "bitwise_and": _logic(logic.And), "bitwise_or": _logic(logic.Or), "bitwise_xor": _logic(logic.Xor), "bitwise_not": _logic(logic.Not),
    "__and__": _logic(logic.And), "__or__": _logic(logic.Or), "__xor__": _logic(logic.Xor),
    "where": _where, "masked_fill": _masked_fill, "addcmul": _addcmul, "lerp": _lerp,
    "to": _convert, "_to_copy": _convert, "type_as": _convert, "float": _convert,
    **dict.fromkeys(
        ("clone", "detach", "contiguous", "alias", "lift_fresh_copy", "lift_fresh", "lift", "positive",
         "feature_dropout", "alpha_dropout", "feature_alpha_dropout"),
        _same,
    ),
    "fill": _fill, "zero": _zero, "copy": _copy,
}  # fmt: skip
