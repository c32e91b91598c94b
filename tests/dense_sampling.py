"""Which random regions may trade places with their pool in truth, found by looking: f at every number, or at very many.

What counts as movable, of regions without NaN and without integers that wrap, which tell no -0 from +0:

- before max and min pools, f that goes the way the pool needs: its code does so to the last bit, or the real function does
  (in 53 bits) and its code up to WOBBLE unit roundoffs of the largest number on the way;
- before average pools, f that is a straight line in 53 bits, in one dtype, through 0 where padding is counted, for the data
  and for averages, which rounding may put a little beyond them.

Of 16-bit numbers every one is looked at. Of longer ones 65,536 are, and those about which a layer crosses a constant of the
region, where a comparison may turn on a single number; what turns elsewhere between two of these is movable here, and not in
truth. Nothing here knows a fact or a law: layers are evaluated one by one, by their NumPy meaning.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnir.facts.precision import precision
from cnnir.ir.graph import Graph, Layer, Value
from cnnir.ops.convert import Cast
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.pooling import Pooling
from cnnir.scalar.expr import Apply, Const, leaves, nodes

Array = np.ndarray[Any, Any]
COUNT = 1 << 16
CUTS, CROSSINGS = 18, 100
"""How often neighbours about a crossing are cut, and how many crossings at a time."""
BEYOND = 3
"""Numbers beyond the ends of the data that an average may be rounded to."""
WOBBLE = 16
"""Unit roundoffs, of the largest number computed on the way, by which the float code may be out of order where f is in order."""

BENT = 1e-9
"""The part of the largest value by which a straight line may be off, computed in double precision."""


@dataclass(frozen=True)
class Dense:
    """A region of one input at increasing points: `values` and `sizes`, the largest number on the way, channel by channel."""

    points: Array
    values: Array
    wide: Array
    """The values that layers of 64-bit floats would give,"""
    sizes: Array
    unit: float
    one_type: bool
    """Whether everything but truth values is of the type of x."""
    mixed: bool
    """Whether there are conversions, so that nobody knows the real function: `wide` is `values`."""
    broken: bool
    """Whether some number on the way breaks what every law asks: an integer does not fit its type, or there is a NaN.

    So does a function that tells -0 from +0. Nor is there a bound where a library function in f64, which nobody can sweep, overflows: one may do so a little earlier.
    """

    @property
    def tame(self) -> Array:
        """The points where everything that is computed is finite, in every channel."""
        return self.points[np.isfinite(self.sizes).all(axis=0)]

    def drop(self, reduce: str) -> float:
        """How far the float code is from what a max pool needs (falls, then rises), or a min pool (its dual)."""
        return self._most(reduce, 0.0)

    def is_movable(self, reduce: str, counted: bool = False) -> bool:
        """Whether f goes the way that the pool needs, give or take rounding; for averages, whether it is affine, and a multiple

        of x where padding is `counted`; one type must do, since averages are rounded to it."""
        if self.broken:
            return False
        if reduce == "avg":
            return self._affine(counted)
        sign = 1 if reduce == "max" else -1
        really = _highest(sign * self.wide, self.sizes, WOBBLE * max(self.unit if self.mixed else 0.0, 2.0**-53)) == 0
        return self._most(reduce, 0.0) == 0 or (really and self._most(reduce, WOBBLE * self.unit) == 0)

    def _most(self, reduce: str, slack: float) -> float:
        sign = 1 if reduce == "max" else -1
        return _highest(sign * self.values, self.sizes, slack)

    def _affine(self, counted: bool) -> bool:
        """On all of x, and near 0 where it may bend, too; with 53 bits, since in few digits any short curve is a line."""
        if not self.one_type:
            return False
        near = [np.abs(self.points.astype(np.float64)) <= reach for reach in (1, 100, np.inf)]
        return all(_is_line(self.points[at].astype(np.float64), y[at], counted) for y in self.wide for at in near if at.any())


def _highest(values: Array, sizes: Array, slack: float) -> float:
    room = slack * np.where(np.isfinite(sizes), sizes, 0.0)
    return max((not_a_valley(y, r) for y, r in zip(values, room, strict=True)), default=0.0)


def _is_line(x: Array, y: Array, through_zero: bool) -> bool:
    with np.errstate(all="ignore"):
        low, high = x / 2, y / 2  # halves, since differences of the largest numbers overflow
        width = low[-1] - low[0]
        part = (low - low[0]) / width if width else np.zeros(len(x))
        line = high[0] * (1 - part) + high[-1] * part
        size = max(abs(high[0]), abs(high[-1]))
        straight = bool((np.abs(high - line) <= BENT * size).all())
        start = high[0] - low[0] * ((high[-1] - high[0]) / width) if width else high[0]
        return straight and (not through_zero or bool(abs(start) <= BENT * size))


def not_a_valley(y: Array, slack: Array | float = 0.0) -> float:
    """How far the worst y is above both the least before it and the least behind it; 0 where it falls, then rises."""
    if len(y) < 3:
        return 0.0
    with np.errstate(invalid="ignore"):
        left, right = np.minimum.accumulate(y), np.minimum.accumulate(y[::-1])[::-1]
        lowest = np.maximum(left, right)
        height = np.where(y == lowest, 0.0, y - lowest)
        return float(np.max(np.where(height > slack, height, 0.0)))


def dense(graph: Graph) -> Dense:
    """The region between the only input of a network and its pool."""
    ((name, type),) = graph.inputs.items()
    region = list(itertools.takewhile(lambda layer: not isinstance(layer.op, Pooling), graph.layers()))[1:]
    formulas = [layer.op.formula() for layer in region if isinstance(layer.op, Elementwise)]
    constants = [leaf.value for formula in formulas for leaf in leaves(formula) if isinstance(leaf, Const)]
    pool = next(layer.op for layer in graph.layers() if isinstance(layer.op, Pooling))
    span = _with_averages(type.dtype, graph.ranges[name], pool) if pool.reduce == "avg" else graph.ranges[name]
    x = _sharpened(graph, region, name, points(type.dtype, span, constants), constants)
    first = np.broadcast_to(x, (1, type.shape[1], len(x)))
    values = _evaluated(graph, region, {Value(name): first})
    one_type = {graph.type(v).dtype for v in values} <= {type.dtype, "bool"}
    plain = one_type and type.is_float and not any(isinstance(layer.op, Cast) for layer in region)
    wide = _evaluated(graph, region, {Value(name): first.astype(np.float64)}) if plain else values
    result = Value(region[-1].name) if region else Value(name)
    sizes = np.max([np.abs(v.astype(np.float64)) for v in values.values()], axis=0)[0]
    wraps = any(_wraps(graph, layer, values) for layer in region)
    zeros = values[result][..., x == 0] if type.is_float else values[result][..., :1]
    alike = bool((zeros[..., :1] == zeros).all())
    units = [precision(graph.type(v).dtype).unit for v in values if graph.type(v).dtype != "bool"]
    called = any(node.primitive.rounding == "library" for f in formulas for node in nodes(f) if isinstance(node, Apply))
    unbounded = called and type.dtype == "f64" and bool(np.isinf(sizes).any())
    broken = wraps or unbounded or not alike or bool(np.isnan(sizes).any())
    found, exact = (np.broadcast_to(each[result].astype(np.float64), first.shape)[0] for each in (values, wide))
    return Dense(x, found, exact, sizes, max(units), one_type, not plain, broken)


def _with_averages(dtype: str, span: tuple[float, float] | None, pool: Pooling) -> tuple[float, float] | None:
    """Averages are rounded, on the data's side of 0, and what counts padding comes nearer to 0."""
    of = precision(dtype)
    if span is None or of.unit == 0:
        return span
    lo, hi = (min(span[0], 0.0), max(span[1], 0.0)) if getattr(pool, "count_include_pad", False) else span
    return of.next(lo, -BEYOND) if lo else lo, of.next(hi, BEYOND) if hi else hi


def _sharpened(graph: Graph, region: list[Layer], name: str, x: Array, constants: list[float]) -> Array:
    """With the numbers about which what some layer gives crosses a constant, found by cutting between neighbours."""
    dtype = graph.inputs[name].dtype
    of, channels = precision(dtype), graph.inputs[name].shape[1]
    if of.unit == 0 or of.numpy.itemsize == 2:
        return x
    keys = np.unique(of.keys(x.astype(np.float64)))
    levels, added = np.unique(np.array([0.0, *constants])), [np.zeros(0, np.int64)]
    for _ in range(CUTS):
        at = np.broadcast_to(of.numbers(keys).astype(of.numpy), (1, channels, len(keys)))
        values = [v.astype(np.float64) for v in _evaluated(graph, region, {Value(name): at}).values()]
        crossed = np.zeros(len(keys) - 1, bool)
        for level in levels:
            for value in values:
                above = np.sign(value[0] - level)
                crossed |= (above[:, 1:] != above[:, :-1]).any(axis=0)
        places = np.flatnonzero(crossed & (np.diff(keys) > 1))
        if not len(places):
            break
        places = places[:: len(places) // CROSSINGS + 1]
        lo, hi = keys[places], keys[places + 1]
        keys = np.unique(lo[:, None] + ((hi - lo)[:, None] * np.linspace(0, 1, 17)).astype(np.int64))
        added.append(keys)
    found = np.unique(np.concatenate([of.keys(x.astype(np.float64)), *added]))
    zero = [np.asarray(-0.0, x.dtype)] if (x[x == 0] if len(x) else x).size > 1 else []
    every = of.numbers(found).astype(x.dtype)
    return np.insert(every, int(np.argmax(every >= 0)), zero[0]) if zero else every


def _evaluated(graph: Graph, region: list[Layer], given: Mapping[Value, Array]) -> dict[Value, Array]:
    values = dict(given)
    with np.errstate(all="ignore"):
        for layer in region:
            parameters = {role: np.asarray(p) for role, p in graph.parameters(layer.name).items()}
            if next(iter(given.values())).dtype == np.float64:
                parameters = {role: p.astype(np.float64) for role, p in parameters.items()}
            (values[Value(layer.name)],) = layer.op.evaluate([values[v] for v in graph.data(layer.name)], parameters)
    return values


def _wraps(graph: Graph, layer: Layer, values: Mapping[Value, Array]) -> bool:
    """Whether computing with more bits gives something else; a float that does not fit an integer wraps, too."""
    op, operands, result = layer.op, [values[v] for v in graph.data(layer.name)], values[Value(layer.name)]
    if isinstance(op, Cast) and operands[0].dtype.kind not in "biu" and result.dtype.kind in "iu":
        return not np.array_equal(np.trunc(operands[0].astype(np.float64)), result.astype(np.float64))
    if operands[0].dtype.kind not in "iu" or (isinstance(op, Cast) and result.dtype.kind not in "iu"):
        return False
    wide = [o.astype(np.int64) for o in operands]
    parameters = {role: np.asarray(p).astype(np.int64) for role, p in graph.parameters(layer.name).items()}
    return not np.array_equal(wide[0] if isinstance(op, Cast) else op.evaluate(wide, parameters)[0], result)


def points(dtype: str, span: tuple[float, float] | None, constants: list[float]) -> Array:
    """Numbers of a range in order, -0 right before +0."""
    found = _points(dtype, span, constants)
    if precision(dtype).unit == 0 or not (found[0] <= 0 <= found[-1]):
        return found
    return np.insert(found, int(np.argmax(found >= 0)), np.asarray(-0.0, found.dtype))


def _points(dtype: str, span: tuple[float, float] | None, constants: list[float]) -> Array:
    """Every finite number of up to 16 bits in a range, in order; of longer ones as many: of all sizes, evenly spaced, near constants."""
    of = precision(dtype)
    lo, hi = span or (of.min, of.max)
    if of.unit == 0:
        return _whole(dtype, lo, hi)
    lo, hi = of.inside(lo, hi)
    if of.numpy.itemsize == 2:
        first, last = of.keys(np.array([lo, hi])).tolist()
        return of.numbers(np.arange(first, last + 1)).astype(of.numpy)
    first, last = of.keys(np.array([lo, hi])).tolist()
    keys = [np.linspace(first, last, COUNT // 2).astype(np.int64)]
    for reach in (1.0, 30.0, 1e4):
        least, most = max(lo, -reach), min(hi, reach)
        if least < most:
            keys.append(of.keys(np.linspace(least, most, COUNT // 6).astype(of.numpy).astype(np.float64)))
    near = of.keys(of.rounded(np.array([0.0, *constants, *(-c for c in constants)])))
    keys.append((near[:, None] + np.arange(-20, 21)).ravel())
    every = np.unique(np.concatenate(keys))
    return of.numbers(every[(every >= first) & (every <= last)]).astype(of.numpy)


def _whole(dtype: str, lo: float, hi: float) -> Array:
    numpy = precision(dtype).numpy
    if hi - lo < 1 << 16:
        return np.arange(int(lo), int(hi) + 1).astype(numpy)
    sizes = np.unique(np.concatenate([np.exp2(np.linspace(0, 31, 2000)).astype(np.int64), np.arange(2000)]))
    every = np.unique(np.concatenate([sizes, -sizes, np.linspace(lo, hi, COUNT // 2).astype(np.int64), [int(lo), int(hi)]]))
    return every[(every >= lo) & (every <= hi)].astype(numpy)
