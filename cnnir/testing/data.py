"""Data on which a wrong rewrite shows: negative, ties, both zeros, huge, denormal, the largest numbers, turning points."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from cnnir.facts.interval import Interval
from cnnir.facts.oracle import samples
from cnnir.facts.precision import precision
from cnnir.feeds import random_feeds
from cnnir.ir.graph import Graph
from cnnir.ops.elementwise import Elementwise
from cnnir.scalar.expr import Expr, X
from cnnir.types import TensorType

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
    if not len(grid):
        return  # no number of this dtype is in the range, but for those that its ends are rounded to
    yield rng.choice(grid, shape)
    start = int(rng.integers(0, max(1, len(grid) - 40)))
    yield rng.choice(grid[start : start + 40], shape)
    if len(near):
        yield rng.choice(near, shape)


def _whole(shape: tuple[int, ...], dtype: np.dtype[Any], seed: int, declared: tuple[float, float] | None) -> Iterator[Array]:
    """Integers: any, small, ties, and the ends of the range."""
    rng = np.random.default_rng(seed)
    whole = (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    low, high = whole if declared is None else (max(whole[0], math.ceil(declared[0])), min(whole[1], math.floor(declared[1])))
    held = np.uint64 if low >= 0 else np.int64

    def among(least: int, most: int) -> Array:
        return rng.integers(min(max(least, low), high), max(min(most, high), low), shape, held, endpoint=True).astype(dtype)

    yield among(low, high)
    yield among(-3, 3)
    yield among(5, 5)
    yield rng.choice(np.array([low, high], held), shape).astype(dtype)


def _stored(type: TensorType, seed: int, declared: tuple[float, float] | None) -> Iterator[Array]:
    """8-bit floats: every finite one, small ones, and both zeros."""
    rng = np.random.default_rng(seed)
    low, high = declared or (-np.inf, np.inf)
    every = np.arange(256, dtype=np.uint8).view(type.numpy)
    wide = every.astype(np.float64)
    inside = every[np.isfinite(wide) & (wide >= low) & (wide <= high)]
    small = inside[np.argsort(np.abs(inside.astype(np.float64)), kind="stable")]
    for some in (inside, small[:16], small[:2]):
        yield rng.choice(some.view(np.uint8), type.shape).view(type.numpy)


def _streams(graph: Graph, formula: Expr, seed: int) -> dict[str, Iterator[Array]]:
    found: dict[str, Iterator[Array]] = {}
    for place, (name, type) in enumerate(graph.inputs.items()):
        declared = graph.ranges[name]
        if type.is_float:
            most = precision(type.dtype).max
            lo, hi = declared or (-most, most)
            found[name] = adversarial(type.shape, Interval(lo, hi, minus_zero=True), formula, seed + place, type.dtype)
        elif type.is_whole:
            found[name] = _whole(type.shape, type.numpy, seed + place, declared)
        else:
            found[name] = _stored(type, seed + place, declared)
    return found


def feeds(graph: Graph, seed: int = 0) -> Iterator[Mapping[str, Array]]:
    """Adversarial data for every input of a network, dense near the constants of its elementwise layers."""
    if not graph.inputs:
        yield {}
        return
    formulas = dict.fromkeys(layer.op.formula() for layer in graph.layers() if isinstance(layer.op, Elementwise))
    for turn, formula in enumerate([*formulas][:MOST_FORMULAS] or [X]):
        streams = _streams(graph, formula, seed + 100 * turn)
        for arrays in zip(*streams.values(), strict=False):
            yield dict(zip(streams, arrays, strict=True))


def trials(graph: Graph, count: int) -> Iterator[tuple[str, Mapping[str, Array]]]:
    """So many sets of data with words for them: adversarial ones of each kind in turn, every fourth one random."""
    made = 0
    for seed in range(count):
        for place, feed in enumerate(feeds(graph, 1000 * seed)):
            if made % 4 == 3:
                yield f"random data, seed {made}", random_feeds(graph.inputs, graph.ranges, made)
                made += 1
            if made >= count:
                return
            yield f"adversarial data {place}, seed {1000 * seed}", feed
            made += 1
            if made >= count:
                return
