"""Ranges of the values of a network, from its inputs' declared ranges, computed only where someone asks."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from cnnir.facts.interval import Interval, unknown
from cnnir.facts.precision import Whole, precision
from cnnir.ir.graph import Graph, Value
from cnnir.ops.tensor import Input


class Ranges:
    """Value -> interval, hulled over its elements, for one state of a graph. Reads weights only of layers on the way."""

    def __init__(self, graph: Graph, assume_finite: bool = True, training: bool = False) -> None:
        """`assume_finite`: inputs without a declared range hold finite numbers; else anything, NaN included.

        `training`: weights may become any numbers, so that nothing is known of what they make.
        """
        self.graph = graph
        self.assume_finite = assume_finite
        self.training = training
        self._known: dict[Value, Interval] = {}

    def __getitem__(self, value: Value) -> Interval:
        """The range of `value`; iterative, so depth costs no Python stack."""
        stack = [value]
        while stack:
            current = stack[-1]
            if current in self._known:
                stack.pop()
                continue
            operands = self.graph.data(current.layer)
            waiting = [v for v in operands if v not in self._known]
            if waiting:
                stack.extend(waiting)
                continue
            self._known[current] = self._transfer(current, operands)
            stack.pop()
        return self._known[value]

    def forget(self, layers: Iterable[str]) -> None:
        """Drop what is known of the values of these layers; readers further on must compute the same values as before."""
        for name in layers:
            for slot in range(len(self.graph[name].outputs)):
                self._known.pop(Value(name, slot), None)

    def _transfer(self, value: Value, operands: list[Value]) -> Interval:
        layer = self.graph[value.layer]
        if isinstance(layer.op, Input) and layer.op.range is None and not self.assume_finite and layer.type.is_float:
            return Interval(-math.inf, math.inf, True, True)
        of = precision(self.graph.type(value).dtype)
        if self.training and layer.weights:
            return unknown(of)
        types = [self.graph.type(v) for v in operands]
        known = [self._known[v] for v in operands]
        with np.errstate(all="ignore"):  # a bound beyond every number of the type is infinite, and that is what it means
            found = layer.op.slot_range(value.slot, known, types, lambda: self.graph.parameters(layer.name), of)
        fits = not isinstance(of, Whole) or of.holds(found.lo, found.hi)
        return found if fits else unknown(of)
