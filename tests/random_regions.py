"""Random networks of one kind: an elementwise region of one to six random layers, and a random pool behind it."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from random import Random
from typing import Any, Literal

import numpy as np

from cnnir.diagnostics import OpError
from cnnir.facts.precision import precision
from cnnir.ir.graph import Graph, Value
from cnnir.ops import arithmetic, logic, pooling
from cnnir.ops.base import Op
from cnnir.ops.choose import Choose
from cnnir.ops.convert import Cast
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.pooling import Pooling
from cnnir.ops.registry import OPS
from cnnir.ops.smooth import Reciprocal
from cnnir.types import DType, TensorType

DTYPES = ("f32", "f16", "bf16", "f64", "i8", "u8", "i16", "i32")
FLOATS = DTYPES[:4]
MOST_LAYERS = 6
TRIES = 40
"""Layers that are drawn and do not fit, before a region stays as small as it is."""

LOGIC = tuple(op for op in OPS.values() if issubclass(op, logic.Comparison | logic.Logic | logic.Where | Choose))
"""What needs truth values, or gives them."""
BINARY = tuple(op for op in OPS.values() if issubclass(op, arithmetic.Binary) and op not in LOGIC)
UNARY = tuple(op for op in OPS.values() if issubclass(op, Elementwise) and op not in (*LOGIC, *BINARY))
COMPARING = tuple(op for op in OPS.values() if issubclass(op, logic.Comparison))
POOLS = tuple(
    op for op in OPS.values() if issubclass(op, Pooling) and op.reduce in ("max", "min", "avg") and op.name != "maxpool_with_places"
)


def network(chance: Random, dtype: str) -> Graph:
    """One region and its pool, between the input `x0` and the output `y0`."""
    graph = Graph("regions")
    add_region(graph, chance, dtype, 0)
    return graph


def add_region(graph: Graph, chance: Random, dtype: str, number: int) -> None:
    """One more region, with an input and an output of its own."""
    axes = chance.choice((1, 2, 2))
    longest = {1: 9, 2: 7}[axes]
    shape = (1, chance.choice((1, 1, 2, 3)), *(chance.randint(4, longest) for _ in range(axes)))
    kind = chance.choice(POOLS)
    pool = _pool(chance, kind, shape[2:])
    span = _span(chance, dtype, usual=kind.reduce == "avg")
    x = graph.add_input(f"x{number}", TensorType(dtype, shape), span)
    values = _Region(graph, chance, x).grown(chance.randint(1, MOST_LAYERS))
    try:
        result = graph.add(pool, [values[-1]])
    except OpError:  # an average of integers, a window without elements
        result = graph.add(_PLAIN[axes], [values[-1]])
    if chance.random() < 0.04 and graph.type(result).is_float:
        result = graph.add(Reciprocal(), [result])  # tells zeros apart
    graph.results[f"y{number}"] = result
    live = graph.live()
    for layer in reversed(list(graph.layers())):
        if layer.name not in live:
            graph.remove(layer.name)


_PLAIN = {axes: pooling.MaxPool((2,) * axes, (2,) * axes, (0,) * (2 * axes), (1,) * axes) for axes in (1, 2)}


class _Region:
    """A region that is being made."""

    def __init__(self, graph: Graph, chance: Random, x: Value) -> None:
        self.graph = graph
        self.chance = chance
        self.values = [x]

    def grown(self, layers: int) -> list[Value]:
        """Its values, once it has so many layers or nothing fits any more."""
        tries = 0
        while len(self.values) <= layers and tries < TRIES:
            tries += 1
            try:
                self._step()
            except OpError:
                continue
        return self.values

    def _step(self) -> None:
        dice, recent = self.chance.random(), self.values[-3:]
        last = self.values[-1] if self.chance.random() < 0.85 else self.chance.choice(recent)
        dtype = self.graph.type(last).dtype
        if dice < 0.50:
            self._add(self._op(self.chance.choice(UNARY), dtype), [last])
        elif dice < 0.80:
            kind = self.chance.choice(BINARY)
            self._add(kind(self._number(dtype), self.chance.random() < 0.3), [last])
        elif dice < 0.95:
            self._add(self.chance.choice(BINARY)(), [last, self.chance.choice(recent)])
        elif dice < 0.98:
            self._add(self._op(Cast, dtype), [last])
        else:
            truth = self._add(self.chance.choice(COMPARING)(self._number(dtype)), [last])
            self.values[-1] = self._add(Cast(dtype), [truth])  # pyright: ignore[reportArgumentType] - a DType
            self.values.remove(truth)

    def _add(self, op: Elementwise, operands: Sequence[Value]) -> Value:
        types = [self.graph.type(v) for v in operands]
        wanted = {} if len(operands) > 1 else op.parameters(types)
        name, keys = self.graph.fresh(op.name), dict[str, str]()
        for role, parameter in wanted.items():
            keys[role] = f"{name}.{role}"
            numbers = [self._number(parameter.dtype) for _ in range(math.prod(parameter.shape))]
            held = np.array([abs(n) if role == "variance" else n for n in numbers]).reshape(parameter.shape)
            self.graph.weights[keys[role]] = _cast(held, parameter.dtype)
        value = self.graph.add(op, operands, name=name, weights=keys)
        self.values.append(value)
        return value

    def _op(self, kind: type[Elementwise], dtype: str) -> Elementwise:
        """With random attributes; those with a default keep it as often as not."""
        drawn: dict[str, Any] = {}
        for field in dataclasses.fields(kind):
            if field.default is dataclasses.MISSING or self.chance.random() < 0.5:
                drawn[field.name] = self._attribute(_hints(kind)[field.name], field.name, dtype)
        if {"lo", "hi"} <= drawn.keys():
            drawn["lo"], drawn["hi"] = sorted((drawn["lo"], drawn["hi"]))
        return kind(**drawn)

    def _attribute(self, hint: Any, name: str, dtype: str) -> Any:
        if name == "scale":
            return self.chance.choice((0.1, 0.5, 1.0, 0.0073, 3.0, 200.0))
        if name in ("axis", "zero"):
            return 1 if name == "axis" else self.chance.choice((0, 0, 3, 100, -7))
        if hint is DType:
            return self.chance.choice(DTYPES)
        if typing.get_origin(hint) is Literal:
            return self.chance.choice([word for word in typing.get_args(hint) if word not in ("element", "input")])
        return self._number(dtype)

    def _number(self, dtype: str) -> float:
        """As people write them, and extreme ones."""
        chance = self.chance
        if dtype not in FLOATS:
            return float(chance.choice((-3, -2, -1, 0, 1, 2, 3, 5, 6, 7, 100)))
        most, least = precision(dtype).max, precision(dtype).tiny
        drawn: Mapping[int, Callable[[], float]] = {
            0: lambda: 0.0, 1: lambda: -0.0, 2: lambda: chance.gauss(0, 30), 3: lambda: chance.choice((most, -most, least, 1e30, 1e-30, 1e5)),
        }  # fmt: skip
        usual = (lambda: chance.gauss(0, 1), lambda: float(chance.randint(-6, 6)), lambda: chance.randint(-8, 8) / 2)
        return drawn.get(chance.randrange(24), chance.choice(usual))()


@cache
def _hints(kind: type[Op]) -> Mapping[str, Any]:
    return typing.get_type_hints(kind)


def _cast(values: Any, dtype: str) -> Any:
    with np.errstate(all="ignore"):
        return values.astype(TensorType(dtype, ()).numpy)


def _pool(chance: Random, kind: type[Pooling], spatial: tuple[int, ...]) -> Pooling:
    axes = len(spatial)
    if issubclass(kind, pooling.AdaptivePool):
        return kind(tuple(chance.randint(1, n) for n in spatial))
    if not issubclass(kind, pooling.SlidingPool):
        return kind()
    kernel = tuple(chance.choice((1, 2, 2, 3, 4)) for _ in spatial)
    plain = chance.random() < 0.5
    pads = (0,) * (2 * axes) if plain else tuple(chance.randint(0, k // 2) for k in (*kernel, *kernel))
    dilation = (1,) * axes if plain else tuple(chance.choice((1, 1, 2, 3)) for _ in spatial)
    stride = kernel if chance.random() < 0.4 else tuple(chance.randint(1, 3) for _ in spatial)
    options = {"count_include_pad": chance.random() < 0.5} if kind is pooling.AvgPool else {}
    return kind(kernel, stride, pads, dilation, chance.random() < 0.3, **options)


def _span(chance: Random, dtype: str, usual: bool) -> tuple[float, float] | None:
    """What the input declares, if it does."""
    if chance.random() < (0.1 if usual else 0.5):
        return None
    if dtype not in FLOATS:
        least, most = int(precision(dtype).min), int(precision(dtype).max)
        lo, hi = sorted(chance.choice((least, least + 1, -100, -7, 0, 1, 9, 100, most)) for _ in range(2))
        return float(min(max(lo, least), most)), float(min(max(hi, least), most))
    ends = (0.0, 0.0, 1.0, -1.0, 6.0, 0.01, -3.0, 100.0, chance.gauss(0, 5), chance.gauss(0, 5))
    lo, hi = sorted((chance.choice(ends), chance.choice(ends)))
    of = precision(dtype)
    return (of.round(lo), of.round(hi)) if lo < hi else (0.0, 1.0)
