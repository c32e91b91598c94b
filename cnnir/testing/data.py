"""Data on which a wrong rewrite shows: negative, ties, both zeros, huge, denormal, the largest numbers, turning points."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from cnnir.facts.interval import Interval
from cnnir.facts.oracle import samples
from cnnir.facts.precision import precision
from cnnir.ir.graph import Graph
from cnnir.ops.elementwise import Elementwise
from cnnir.scalar.expr import Expr, X

Array = np.ndarray[Any, Any]
TURNS = (-1.278465, -1.192432, -0.751792, -0.752462, -0.751155, -1.5, 0.0)
"""Where silu, mish, the gelus, hardswish and abs turn around."""
MOST_FORMULAS = 4


def adversarial(shape: tuple[int, ...], domain: Interval, formula: Expr, seed: int = 0, dtype: str = "f32") -> Iterator[Array]:
    """Floating data within a range; `formula` is what they are fed to: near its constants they are dense."""
    rng = np.random.default_rng(seed)
    of = precision(dtype)
    grid = samples(formula, domain, of)
    turns = np.array(TURNS)
    near = np.concatenate([np.nextafter(turns, s).astype(of.numpy) for s in (-9, 9)])
    near = near[(near >= domain.lo) & (near <= domain.hi)]

    def inside(values: Array) -> Array:
        return np.clip(values, domain.lo, domain.hi).astype(of.numpy)

    normal = rng.standard_normal(shape)
    yield inside(normal * 3)
    yield inside(-np.abs(normal))
    yield inside(np.full(shape, 0.7))
    yield inside(np.where(normal > 0, 0.0, -0.0))
    yield inside(np.where(rng.random(shape) < 0.05, 1e30, normal))
    yield inside(normal * 20 * of.tiny)
    yield inside(np.where(normal > 0, of.max, -of.max))
    yield rng.choice(grid, shape)
    start = int(rng.integers(0, max(1, len(grid) - 40)))
    yield rng.choice(grid[start : start + 40], shape)
    if len(near):
        yield rng.choice(near, shape)


def _whole(shape: tuple[int, ...], dtype: np.dtype[Any], range: tuple[float, float] | None, seed: int) -> Iterator[Array]:
    """Integers within a range: any, small, ties, and the ends of the range."""
    rng = np.random.default_rng(seed)
    if dtype.kind == "b":
        yield from (rng.integers(0, 2, shape).astype(bool), np.ones(shape, bool), np.zeros(shape, bool))
        return
    ends = np.iinfo(dtype)
    low, high = (ends.min, ends.max) if range is None else (max(ends.min, math.ceil(range[0])), min(ends.max, math.floor(range[1])))
    yield rng.integers(low, high, shape, dtype, endpoint=True)
    yield rng.integers(np.clip(-3, low, high), np.clip(3, low, high), shape, dtype, endpoint=True)
    yield np.full(shape, np.clip(5, low, high), dtype)
    yield rng.choice(np.array([low, high], dtype), shape)


def _streams(graph: Graph, formula: Expr, seed: int) -> dict[str, Iterator[Array]]:
    found: dict[str, Iterator[Array]] = {}
    for place, (name, type) in enumerate(graph.inputs.items()):
        if not type.is_float:
            found[name] = _whole(type.shape, type.numpy, graph.ranges[name], seed + place)
            continue
        most = precision(type.dtype).max
        lo, hi = graph.ranges[name] or (-most, most)
        found[name] = adversarial(type.shape, Interval(lo, hi, minus_zero=True), formula, seed + place, type.dtype)
    return found


def feeds(graph: Graph, seed: int = 0) -> Iterator[Mapping[str, Array]]:
    """Adversarial data for every input of a network, dense near the constants of its elementwise layers."""
    formulas = dict.fromkeys(layer.op.formula() for layer in graph.layers() if isinstance(layer.op, Elementwise))
    for turn, formula in enumerate([*formulas][:MOST_FORMULAS] or [X]):
        streams = _streams(graph, formula, seed + 100 * turn)
        for arrays in zip(*streams.values(), strict=False):
            yield dict(zip(streams, arrays, strict=True))
