"""Tensors made from nothing, weights made from weights, and sizes computed with."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cnnir.types import numpy_dtype

from ..build import MOST_FOLDED, Array, Build, Known, Operand, Unsupported
from .table import Number, Outcome, Rule, known


def _kept(build: Build, values: Array, dtype: str | None) -> Known:
    return build.derived(values.astype(numpy_dtype(dtype or build.wanted or "f32")))


def _full(build: Build, size: Sequence[int], fill_value: Number, dtype: str | None = None) -> Known:
    count = int(np.prod(size, dtype=np.float64))
    if count > MOST_FOLDED:
        raise Unsupported(f"a constant of {count:,} elements")
    return _kept(build, np.full(tuple(size), fill_value), dtype)


def _filled(value: Number) -> Rule:
    def rule(build: Build, size: Sequence[int], dtype: str | None = None, **how: Any) -> Known:
        del how
        return _full(build, size, value, dtype)

    return rule


def _like(value: Number) -> Rule:
    def rule(build: Build, input: Operand, dtype: str | None = None) -> Known:
        return _full(build, build.shape(input), value, dtype or build.type(input).dtype)

    return rule


def _new(value: Number) -> Rule:
    def rule(build: Build, input: Operand, size: Sequence[int], dtype: str | None = None) -> Known:
        return _full(build, size, value, dtype or build.type(input).dtype)

    return rule


def _full_like(build: Build, input: Operand, fill_value: Number, dtype: str | None = None) -> Known:
    return _full(build, build.shape(input), fill_value, dtype or build.type(input).dtype)


def _new_full(build: Build, input: Operand, size: Sequence[int], fill_value: Number, dtype: str | None = None) -> Known:
    return _full(build, size, fill_value, dtype or build.type(input).dtype)


def _scalar_tensor(build: Build, s: Number, dtype: str | None = None) -> Known:
    return _full(build, (), s, dtype)


def _arange(build: Build, end: Number, start: Number = 0, step: Number = 1, dtype: str | None = None) -> Known:
    if abs((end - start) / step) > MOST_FOLDED:
        raise Unsupported("a range too long to keep")
    return _kept(build, np.arange(start, end, step), dtype)


def _linspace(build: Build, start: Number, end: Number, steps: int, dtype: str | None = None) -> Known:
    if steps > MOST_FOLDED:
        raise Unsupported("a range too long to keep")
    return _kept(build, np.linspace(start, end, steps), dtype)


def _triangle(cut: Callable[..., Array]) -> Rule:
    def rule(build: Build, input: Operand, diagonal: int = 0) -> Known:
        return build.derived(cut(known(input, "a matrix of which a triangle is taken").values, diagonal))

    return rule


def weight_norm(build: Build, v: Operand, g: Operand, dim: int = 0) -> Known:
    """g v / |v|, |v| over all axes but one: computed now, so that it is a weight like others."""
    direction, length = known(v, "a normalised weight").values, known(g, "the norm of a weight").values
    axes = tuple(i for i in range(direction.ndim) if i != dim % direction.ndim)
    norm = np.sqrt(np.square(direction.astype(np.float64)).sum(axis=axes, keepdims=True))
    return build.derived((direction * (length / norm)).astype(direction.dtype))


def _weight_norm_interface(build: Build, v: Operand, g: Operand, dim: int = 0) -> tuple[Known | None, ...]:
    return weight_norm(build, v, g, dim), None


def _sym_size(build: Build, input: Operand, dim: int) -> int:
    return build.shape(input)[dim]


def _sym_numel(build: Build, input: Operand) -> int:
    return build.type(input).elements


def _of_numbers(function: Callable[..., Any]) -> Rule:
    """Arithmetic on sizes: the values stand in order, whatever they are called."""

    def rule(build: Build, **operands: Outcome) -> Outcome:
        del build
        if not all(isinstance(o, bool | int | float) for o in operands.values()):
            raise Unsupported("arithmetic on what is no number")
        return function(*operands.values())

    return rule


def _chosen(condition: bool, yes: Number, no: Number) -> Number:
    return yes if condition else no


def _nothing(build: Build, **arguments: Outcome) -> None:
    """Assertions about sizes: they are numbers here, and the ops check them."""
    del build, arguments


_OPERATORS = ("add", "sub", "mul", "floordiv", "truediv", "mod", "neg", "eq", "ne", "lt", "le", "gt", "ge", "pow")

RULES: Mapping[str, Rule] = {
    "full": _full, "zeros": _filled(0), "ones": _filled(1), "empty": _filled(0), "full_like": _full_like, "zeros_like": _like(0),
    "ones_like": _like(1), "empty_like": _like(0), "new_zeros": _new(0), "new_ones": _new(1), "new_empty": _new(0), "new_full": _new_full,
    "scalar_tensor": _scalar_tensor, "arange": _arange, "linspace": _linspace, "tril": _triangle(np.tril), "triu": _triangle(np.triu),
    "_weight_norm": weight_norm, "_weight_norm_interface": _weight_norm_interface,
    "sym_size": _sym_size, "sym_numel": _sym_numel, "sym_max": _of_numbers(max), "sym_min": _of_numbers(min), "sym_int": _of_numbers(int),
    "sym_float": _of_numbers(float), "sym_ite": _of_numbers(_chosen),
    **{f"_operator.{name}": _of_numbers(getattr(operator, name)) for name in _OPERATORS},
    **dict.fromkeys(
        ("_assert_scalar", "_assert_tensor_metadata", "_assert_async", "sym_constrain_range", "sym_constrain_range_for_size"), _nothing
    ),
}  # fmt: skip
