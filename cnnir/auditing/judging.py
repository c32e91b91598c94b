"""Whether a reordering is right: proved, within a bound, refuted by numbers that both orders were run on, or none of these."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from cnnir.checker.averages import affine_error, line_of, pointwise_error
from cnnir.checker.conditions import tells_zeros_apart
from cnnir.checker.directions import Search, Way, contradiction, pieces, sample
from cnnir.checker.function import Function, NotAFunction, function_of
from cnnir.checker.ranges import Ranges, limits
from cnnir.checker.runs import Mismatch, apart
from cnnir.checker.windows import divides_by_what_it_sums, empty_window, kind_of, members, start_of
from cnnir.ir.graph import Graph
from cnnir.ops.convolution import Conv
from cnnir.ops.pooling import Pooling
from cnnir.ops.tensor import Input
from cnnir.scalar.expr import Var
from cnnir.types import TensorType

from .matching import Equation, applied
from .report import Reordering
from .terms import Term, Terms, graph_of

Array = np.ndarray[Any, Any]
TRIES = 12
GAP = 1e-3
"""A relative difference between averages that no rounding explains."""


@dataclass
class Judge:
    """Judges the reorderings between two networks."""

    terms: Terms
    original: Graph

    @cached_property
    def zeros_matter(self) -> str | None:
        """A layer of the original that may tell -0 from +0."""
        return tells_zeros_apart(self.original, [layer.name for layer in self.original.layers()], Ranges(self.original))

    def judged(self, equation: Equation) -> Reordering:
        """What is to be said of a reordering."""
        rules = {"affine": self._affine, "pointwise": self._pointwise, "concat": self._concat, "cascade": self._cascade}
        rule = rules.get(equation.law, self._ordered)
        try:
            return rule(equation)
        except NotAFunction as error:
            return self._tried(equation, str(error))

    def unexplained(self, a: Term, b: Term) -> Reordering:
        """Of a pair that no reordering explains: whether it differs at all."""
        words = f"{a.name} against {b.name}"
        if a.type != b.type:
            return Reordering("wrong", "", words, f"{a.type} against {b.type}")
        reason = f"no reordering known here makes {_described(a)} of {_described(b)}"
        return Reordering("not understood", "", words, reason)

    # -- max and min pools --------------------------------------------------------------------------------------------

    def _ordered(self, equation: Equation) -> Reordering:
        assert equation.pool is not None and equation.region is not None
        if equation.law == "none":
            return self._tried(equation, f"{equation.pool.name} is not what {equation.lifted.name if equation.lifted else ''} does")
        started = next((op for op in (equation.pool, equation.lifted) if op and math.isfinite(start_of(op))), None)
        if started is not None:
            return self._tried(equation, f"{started.name} starts from a number of its own")
        function = self._function(equation)
        empty = empty_window(equation.pool, equation.data.type)
        if empty is not None:
            return self._tried(equation, f"window {empty[1]} on spatial axis {empty[0]} holds no element")
        lo, hi = self._range(equation.data)
        bound, zero, exact = 0.0, False, True
        for row in function.distinct(()):
            way = self._way(equation, row)
            found = pieces(function, row, lo, hi, Search())
            sure = found.goes(way) and not found.open.any() and not found.nan.any()
            if not sure:
                shown = contradiction(function, row, way, lo, hi)
                rounded = pieces(function, row, lo, hi, Search(True)) if function.data.is_float else found
                if not rounded.goes(way) or rounded.open.any() or rounded.nan.any() or not np.isfinite(rounded.bound()):
                    return self._refuted(equation, way, shown.points if shown else (), (lo, hi))
                if shown is not None and contradiction(function, row, way, lo, hi, rounded.bound()) is not None:
                    return self._refuted(equation, way, shown.points, (lo, hi))
                exact, bound, found = False, max(bound, rounded.bound()), rounded
            zero |= bool(found.minus_zero.any())
        return self._held(equation, function, (lo, hi), bound if not exact else None, zero)

    def _held(self, equation: Equation, function: Function, data: tuple[float, float], bound: float | None, zero: bool) -> Reordering:
        said = {"up": "non-decreasing", "down": "non-increasing", "channel": "monotone in every channel"}.get(equation.law, "of one turn")
        where = f"{' -> '.join(equation.region.names) if equation.region else ''} is {said} for data in [{data[0]:.6g}, {data[1]:.6g}]"
        if zero and self.zeros_matter is not None:
            return Reordering("not understood", equation.law, equation.words, f"{where}, but `{self.zeros_matter}` may tell -0 from +0")
        if bound is not None:
            reason = f"{where} as a real function, not as it rounds"
            return Reordering("within a bound", equation.law, equation.words, reason, "U", bound)
        granted = function.taken_for_granted
        return Reordering("proved", equation.law, equation.words, f"{where}{granted and ', '}{granted}", "C" if granted else "E")

    def _way(self, equation: Equation, row: int) -> Way:
        if equation.law == "channel":
            first_is_pool = equation.lifted == equation.pool
            return "up" if (float(self.terms.arrays[equation.mask][row]) > 0) == first_is_pool else "down"
        if equation.law == "valley":
            assert equation.pool is not None
            return "valley" if kind_of(equation.pool) == "max" else "peak"
        return "down" if equation.law == "down" else "up"

    def _refuted(self, equation: Equation, way: Way, points: tuple[float, ...], data: tuple[float, float]) -> Reordering:
        words = {"up": "non-decreasing", "down": "non-increasing", "valley": "a valley", "peak": "a peak"}[way]
        region = " -> ".join(equation.region.names) if equation.region else ""
        reason = f"{region} is not {words} for data in [{data[0]:.6g}, {data[1]:.6g}]"
        return self._tried(equation, reason, points)

    # -- averages, concats --------------------------------------------------------------------------------------------

    def _affine(self, equation: Equation) -> Reordering:
        assert equation.pool is not None and equation.region is not None
        function, data = self._function(equation), self._range(equation.data)
        line = line_of(function)
        if line is None:
            return self._tried(equation, f"{' -> '.join(equation.region.names)} is not a x + b")
        if np.any(line[1] != 0) and not divides_by_what_it_sums(equation.pool, equation.data.type):
            return self._tried(equation, f"{equation.pool.name} divides by padding too, and a constant is added")
        if isinstance(function.formula, Var):
            return Reordering("proved", "affine", equation.words, "it is x itself", "E")
        bound = affine_error(function, line, equation.pool, equation.data.type, data)
        return Reordering("within a bound", "affine", equation.words, "it is a x + b, which rounds differently", "U", bound)

    def _pointwise(self, equation: Equation) -> Reordering:
        conv = equation.left.inputs[0]
        op = conv.op
        assert isinstance(op, Conv) and equation.pool is not None
        weights = {role: self.terms.arrays[digest] for role, digest in conv.weights.items()}
        if set(op.kernel) != {1} or set(op.stride) != {1} or any(op.pad):
            return self._tried(equation, f"{conv.name} does not read each place once")
        if equation.pool.reduce != "avg":
            return self._tried(equation, f"{equation.pool.name} does not average")
        if np.any(weights.get("bias", np.zeros(1))) and not divides_by_what_it_sums(equation.pool, equation.data.type):
            return self._tried(equation, f"{equation.pool.name} divides by padding too, and a bias is added")
        bound = pointwise_error(op, weights, equation.pool, equation.data.type, self._range(equation.data))
        return Reordering("within a bound", "pointwise", f"{conv.name} and {equation.pool.name}", "sums in another order", "U", bound)

    def _concat(self, equation: Equation) -> Reordering:
        axis = int(equation.data.op.attributes()["axis"]) % equation.data.type.rank
        words = f"{equation.data.name} and {equation.left.name}"
        if equation.pool is None or axis <= 1:
            return Reordering("proved", "concat", words, "each channel is computed by itself", "E")
        return replace(self._tried(equation, f"{equation.data.name} joins along a pooled axis"), words=words)

    def _cascade(self, equation: Equation) -> Reordering:
        words = f"{equation.left.inputs[0].name} and {equation.left.name}"
        if self.zeros_matter is not None:
            return Reordering("not understood", "cascade", words, f"both are one pool, but `{self.zeros_matter}` may tell -0 from +0")
        return Reordering("proved", "cascade", words, "both are one pool: its windows hold the same elements", "E")

    # -- trying -------------------------------------------------------------------------------------------------------

    def _function(self, equation: Equation) -> Function:
        assert equation.region is not None
        cut = self.terms.make(Input(equation.data.type), (), {}, equation.data.type, 0, "data", f"cut {id(equation)}")
        result = applied(self.terms, equation.region, cut)
        graph, values = graph_of(self.terms, {"y": result})
        inside = [layer.name for layer in graph.layers() if not isinstance(layer.op, Input)]
        return function_of(graph, inside, values[id(cut)], values[id(result)])

    def _range(self, data: Term) -> tuple[float, float]:
        graph, values = graph_of(self.terms, {"y": data})
        lo, hi = Ranges(graph)[values[id(data)]]
        least, most = limits(data.type)
        return max(lo, least), min(hi, most)

    def _tried(self, equation: Equation, reason: str, points: tuple[float, ...] = ()) -> Reordering:
        """Run both orders on data at the site; wrong where they differ, and not understood where they never do."""
        found = self._difference(equation, points)
        if found is None:
            return Reordering("not understood", equation.law, equation.words, f"{reason}; no data were found on which it shows")
        return Reordering("wrong", equation.law, equation.words, reason, witness=found)

    def _difference(self, equation: Equation, points: tuple[float, ...]) -> Mismatch | None:
        graph, values = graph_of(self.terms, {"left": equation.left, "right": equation.right})
        data = values[id(equation.data)]
        averaging = equation.pool is not None and equation.pool.reduce == "avg"
        span = self._range(equation.data)
        for number, array in enumerate(_data(equation.data.type, points, span)):
            given = {data: array}
            with np.errstate(all="ignore"):
                left, right = (_computed(graph, values[id(t)], given) for t in (equation.left, equation.right))
            differ = apart(left, right, GAP * float(np.abs(np.nan_to_num(left.astype(np.float64))).max(initial=0.0)) if averaging else 0.0)
            if differ.any():
                at = tuple(int(i) for i in np.argwhere(differ)[0])
                window = _window(equation, at, array)
                words = f"data {number} at {equation.data.name}"
                return Mismatch(equation.words, at, float(left[at]), float(right[at]), 0.0, words, window)
        return None


def _described(term: Term) -> str:
    reads = ", ".join(f"`{i.name}`" for i in term.inputs[:3])
    return f"`{term.name}` ({term.op.name}{f' of {reads}' if reads else ''})"


def _data(t: TensorType, points: Iterable[float], span: tuple[float, float]) -> Iterator[Array]:
    """Data at a site: made of the points alone, of the points and their neighbours, then of anything in range."""
    rng = np.random.default_rng(0)
    chosen = np.asarray(list(points), np.float64).astype(t.numpy)
    for _ in range(TRIES if len(chosen) else 0):
        yield rng.choice(chosen, t.shape)
    grid = sample(Function(Var(0), {}, t), *span)
    near = grid[np.abs(grid.astype(np.float64)) <= max(8.0, 2 * float(np.abs(grid.astype(np.float64)).min(initial=0.0)))]
    for turn in range(TRIES):
        yield rng.choice(near if len(near) and turn % 3 else grid, t.shape)


def _window(equation: Equation, at: tuple[int, ...], data: Array) -> tuple[float, ...]:
    if not isinstance(equation.pool, Pooling) or data.ndim != len(at) or at[1] >= data.shape[1]:
        return ()
    axes = [each[i] for each, i in zip(members(equation.pool, equation.data.type), at[2:], strict=True)]
    return tuple(float(v) for v in data[at[:2]][np.ix_(*axes)].ravel()[:64])


def _computed(graph: Graph, wanted: Any, given: dict[Any, Array]) -> Array:
    """A value by the ops' own meaning, from values that are given."""
    known = dict(given)
    stack = [wanted]
    while stack:
        value = stack[-1]
        waiting = [v for v in graph.data(value.layer) if v not in known] if value not in known else []
        if waiting:
            stack += waiting
            continue
        stack.pop()
        if value not in known:
            layer = graph[value.layer]
            made = layer.op.evaluate([known[v] for v in graph.data(value.layer)], graph.parameters(value.layer))
            known[value] = made[value.slot]
    return known[wanted]
