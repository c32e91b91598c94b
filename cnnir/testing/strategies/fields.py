"""Attributes of any op, from the types and metadata of its fields and the shape it is meant for.

What is drawn need not be accepted: the op itself says so with an OpError, and whoever asked draws again.
"""

from __future__ import annotations

import dataclasses
import types as python
import typing
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, Literal

from hypothesis import strategies as st

from cnnir.ops.base import Op, PerAxis
from cnnir.ops.opaque import Opaque
from cnnir.scalar.expr import Expr
from cnnir.types import TensorType

from .expressions import FLOATS, expressions
from .types import types
from .words import NAMES, TEXTS

Shape = tuple[int, ...]
MOST_ENTRIES = 4


def attributes(draw: st.DrawFn, op: type[Op], data: TensorType | None) -> dict[str, Any]:
    """Field name -> value for an op whose first input is `data`; a field left out has its default."""
    shape = () if data is None else data.shape
    values: dict[str, Any] = {}
    for field in dataclasses.fields(op):
        axes = field.metadata.get("axes")
        if field.name == "absent":
            continue  # whoever adds the layer says which inputs are
        if isinstance(axes, PerAxis):
            values[field.name] = draw(_per_axis(max(1, len(shape) - 2), axes.pads, axes.fill))
        elif field.default is dataclasses.MISSING or draw(st.booleans()):
            values[field.name] = draw(_field(op, field.name, shape))
    return values


@lru_cache(4096)
def _field(op: type[Op], name: str, shape: Shape) -> st.SearchStrategy[Any]:
    if (op, name) in _SPECIAL:
        return _SPECIAL[op, name]
    hint = _hints(op)[name]
    try:
        return _of(hint, shape)
    except TypeError:
        raise TypeError(f"teach the strategy: it cannot draw `{op.name}.{name}`, a {hint}") from None


@cache
def _hints(op: type[Op]) -> Mapping[str, Any]:
    return typing.get_type_hints(op)


def _of(hint: Any, shape: Shape) -> st.SearchStrategy[Any]:
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return st.sampled_from(parts)
    if origin in (typing.Union, python.UnionType):
        return st.one_of([_of(part, shape) for part in parts])
    if origin is tuple and parts[1:] == (...,):
        return st.one_of([_tuples(parts[0], shape), *(_rearranged(shape) if parts[0] is int else [])])
    if origin is tuple:
        return st.tuples(*[_of(part, shape) for part in parts])
    if hint not in _PLAIN:
        raise TypeError(hint)
    return _whole(shape) if hint is int else _PLAIN[hint]


def _whole(shape: Shape) -> st.SearchStrategy[int]:
    return st.sampled_from([1, 2, 3, 4, 1, 2, 0, -1, -2, 5, *(n for n in shape if n < 100)])


def _tuples(element: Any, shape: Shape) -> st.SearchStrategy[tuple[Any, ...]]:
    """Of any length, and as often as not one entry for each place on an axis."""
    values = _of(element, shape)
    lengths = [n for n in shape if n <= 2 * MOST_ENTRIES]
    free = st.lists(values, max_size=MOST_ENTRIES).map(tuple)
    return st.one_of(free, *(st.tuples(*[values] * n) for n in dict.fromkeys(lengths)))


def _rearranged(shape: Shape) -> list[st.SearchStrategy[Shape]]:
    """Tuples of numbers that mean something for a shape: its axes, its sizes, the pieces of a size."""
    axes, counted = list(range(len(shape))), st.just(shape)
    some = st.lists(st.integers(-len(shape), len(shape)), max_size=len(shape), unique=True)
    sizes = st.permutations(shape).map(lambda found: (*found[:-1], -1) if len(found) > 1 else (-1,))
    pieces = [st.integers(1, n - 1).map(lambda k, n=n: (k, n - k)) for n in shape if n > 1]
    return [st.permutations(axes).map(tuple), some.map(tuple), counted, st.permutations(shape).map(tuple), sizes, *pieces]


@cache
def _per_axis(axes: int, pads: bool, fill: int | None) -> st.SearchStrategy[Shape]:
    each, count = st.integers(0, 1) if fill == 0 else st.integers(1, 3), axes * (1 + pads)
    free, alike = st.tuples(*[each] * count), each.map(lambda n: (n,) * count)
    return st.one_of(alike, free) if fill is None else st.one_of(st.just((fill,) * count), alike, free)


_PLAIN: Mapping[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(), int: st.integers(), float: FLOATS, str: NAMES, Expr: expressions(), TensorType: types(), type(None): st.none(),
}  # fmt: skip
_DATUM = st.one_of(st.integers(-(2**63) + 1, 2**63 - 1), FLOATS, TEXTS, st.binary(max_size=2000), types())
_DATA = st.recursive(_DATUM, lambda inner: st.lists(inner, max_size=MOST_ENTRIES).map(tuple), max_leaves=6)
_SPECIAL: Mapping[tuple[type[Op], str], st.SearchStrategy[Any]] = {
    (Opaque, "kind"): st.sampled_from(["onnx.Loop", "aten", "a.b.C1", "relu", "conv", "f32", "none"]),
    (Opaque, "types"): st.lists(types(), min_size=1, max_size=3).map(tuple),
    (Opaque, "payload"): st.dictionaries(NAMES, _DATA, max_size=3).map(lambda found: tuple(found.items())),
}
"""Fields whose type says too little."""
