"""A region of layers as one function of one number, channel by channel, put together from the ops' formulas by the checker itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnir.ir.graph import Graph, Value
from cnnir.ops.elementwise import Elementwise
from cnnir.scalar.evaluate import evaluate
from cnnir.scalar.expr import Apply, Const, Expr, Param, Var, convert, has_variable, leaves, nodes, substitute
from cnnir.scalar.primitives import Primitive
from cnnir.scalar.typed import fold_typed
from cnnir.types import TensorType, numpy_dtype

from . import slopes, spans
from .floats import format_of
from .slopes import Slope
from .spans import Span

Array = np.ndarray[Any, Any]
FLOATS = ("f16", "bf16", "f32", "f64")


class NotAFunction(Exception):
    """The layers are not one function of one number in each channel; the words say why."""


@dataclass(frozen=True)
class Function:
    """f(x) in every channel: a formula over Var(0), and coefficients of shape (channels,) for its parameters."""

    formula: Expr
    coefficients: Mapping[str, Array]
    data: TensorType

    @property
    def rows(self) -> int:
        """Channels that may differ; 1 where none does."""
        return max((len(c) for c in self.coefficients.values()), default=1)

    def distinct(self, channels: Sequence[int]) -> list[int]:
        """One of each kind of channel among these."""
        if not self.coefficients:
            return [0]
        wanted = np.asarray(channels or range(self.rows)) if self.rows > 1 else np.zeros(1, np.int64)
        table = np.stack([np.broadcast_to(c, (self.rows,)).astype(np.float64)[wanted] for c in self.coefficients.values()])
        _, first = np.unique(table.view(np.uint64), axis=1, return_index=True)
        return [int(wanted[i]) for i in sorted(first)]

    def at(self, points: Array, rows: Array | int) -> Array:
        """The float code at points of the data's type, as float64; integers are computed as integers."""
        with np.errstate(all="ignore"):
            named = {role: self._row(c, rows) for role, c in self.coefficients.items()}
            return evaluate(self.formula, [points], named).astype(np.float64)

    def on(self, lo: Array, hi: Array, rows: Array) -> tuple[Span, Slope]:
        """What float code and real function do on the cells [lo, hi], which are of these channels."""

        def leaf(expr: Expr, dtype: str) -> tuple[Span, Slope]:
            if isinstance(expr, Var):
                return spans.variable(lo, hi), slopes.variable(lo, hi)
            value = self._row(self.coefficients[expr.role], rows) if isinstance(expr, Param) else np.asarray(_constant(expr))
            with np.errstate(all="ignore"):
                span = spans.number(value.astype(numpy_dtype(dtype)), lo.shape)
            return span, slopes.number(span)

        def node(primitive: Primitive, args: Sequence[tuple[Span, Slope]], dtype: str) -> tuple[Span, Slope]:
            inner = [span for span, _ in args]
            found = spans.step(primitive, inner, dtype)
            result = primitive.to or dtype
            of = format_of(result) if result in FLOATS and dtype in FLOATS else None
            return found, slopes.step(primitive, [slope for _, slope in args], inner, found, of)

        return fold_typed(self.formula, [self.data.dtype], leaf, node).value

    @property
    def taken_for_granted(self) -> str:
        """What a direction of the float code rests on, in words: that the library's functions are monotone; empty if nothing."""
        steps = [n.primitive for n in nodes(self.formula) if isinstance(n, Apply)]
        names = sorted({primitive.name for primitive in steps if primitive.rounding == "library"})
        return f"assuming that {', '.join(names)} {'is' if len(names) == 1 else 'are'} monotone as compiled" if names else ""

    def landmarks(self) -> list[float]:
        """The numbers of the formula: where it may turn or jump."""
        written = [leaf.value for leaf in leaves(self.formula) if isinstance(leaf, Const)]
        tables = [float(v) for c in self.coefficients.values() for v in np.ravel(c)[:64]]
        return [v for v in dict.fromkeys([*written, *tables]) if np.isfinite(v)]

    def _row(self, coefficient: Array, rows: Array | int) -> Array:
        wide = np.broadcast_to(coefficient, (self.rows,))
        return np.asarray(wide[rows if self.rows > 1 else np.zeros_like(rows)])


def _constant(expr: Expr) -> float:
    assert isinstance(expr, Const)
    return expr.value


def function_of(graph: Graph, region: Sequence[str], data: Value, result: Value) -> Function:
    """The layers `region`, in any order, as a function of `data` with the value `result`."""
    values: dict[Value, Expr] = {data: Var(0)}
    coefficients: dict[str, Array] = {}
    waiting = list(region)
    while waiting:
        name = next((n for n in waiting if all(v in values for v in graph.data(n))), None)
        if name is None:
            raise NotAFunction(f"`{waiting[0]}` reads something else besides")
        waiting.remove(name)
        layer = graph[name]
        if not isinstance(layer.op, Elementwise):
            raise NotAFunction(f"`{name}` is not elementwise")
        if layer.type.shape != graph.type(data).shape:
            raise NotAFunction(f"`{name}` changes the shape {list(graph.type(data).shape)} into {list(layer.type.shape)}")
        coefficients |= {f"{name}/{role}": c for role, c in _coefficients(graph, name, layer.op).items()}
        values[Value(name)] = _inlined(name, layer.op, layer.type.dtype, [values[v] for v in graph.data(name)])
    return Function(values[result], coefficients, graph.type(data))


def _inlined(name: str, op: Elementwise, dtype: str, operands: Sequence[Expr]) -> Expr:
    def leaf(expr: Expr) -> Expr:
        if isinstance(expr, Var):
            return operands[expr.index]
        return Param(f"{name}/{expr.role}") if isinstance(expr, Param) else expr

    formula = op.formula()
    inlined = substitute(formula, leaf)
    return inlined if has_variable(formula) else convert(inlined, dtype)


def _coefficients(graph: Graph, name: str, op: Elementwise) -> Mapping[str, Array]:
    """Coefficients as one number a channel; raises NotAFunction where one varies over places or images."""
    data = graph.type(graph.data(name)[0])
    read: Mapping[str, Array] = op.coefficients(graph.parameters(name)) if graph[name].weights else {}
    found: dict[str, Array] = {}
    for role, values in {**read, **op.written(data)}.items():
        shape = np.shape(values)
        over_channels = shape[1:2] if len(shape) == data.rank and data.rank > 1 else shape[:1]
        if int(np.prod(shape)) != int(np.prod(over_channels)):
            raise NotAFunction(f"the {role} of `{name}` varies over the pooled axes: it has shape {list(shape)}")
        found[role] = np.reshape(np.asarray(values), (-1,))
    return found
