"""Formulas as Relay calls: every elementwise op, also one that this folder has never heard of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from cnnir.diagnostics import OpError
from cnnir.ir.graph import Layer
from cnnir.ops.elementwise import Elementwise, align
from cnnir.ops.piecewise import Relu
from cnnir.ops.smooth import Sigmoid
from cnnir.scalar.expr import Const, Expr, Param, Var, leaves
from cnnir.scalar.primitives import Primitive
from cnnir.scalar.typed import fold_typed
from cnnir.types import TensorType, broadcast, numpy_dtype

from .writer import Array, Writer

_CALLS: Mapping[str, str] = {
    "add": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "max": "maximum", "min": "minimum", "pow": "power",
    "neg": "negative", "abs": "abs", "sign": "sign", "floor": "floor", "ceil": "ceil", "round": "round", "sqrt": "sqrt", "exp": "exp",
    "log": "log", "tanh": "tanh", "erf": "erf", "sin": "sin", "cos": "cos", "tan": "tan", "asin": "asin", "acos": "acos", "atan": "atan",
    "sinh": "sinh", "cosh": "cosh", "asinh": "asinh", "acosh": "acosh", "atanh": "atanh", "equal": "equal", "not_equal": "not_equal",
    "less": "less", "less_equal": "less_equal", "greater": "greater", "greater_equal": "greater_equal", "and": "logical_and",
    "or": "logical_or", "xor": "logical_xor", "not": "logical_not", "where": "where",
}  # fmt: skip
"""Primitive -> the Relay operator with the same meaning."""

_WHOLE: Mapping[Expr, str] = {Relu().formula(): "nn.relu", Sigmoid().formula(): "sigmoid"}
"""Formulas that Relay has one operator for."""


class _Value:
    """A value with the shape it has, so that each call can say what it gives."""

    def __init__(self, text: str, shape: tuple[int, ...], dtype: str) -> None:
        self.text = text
        self.shape = shape
        self.dtype = dtype


class _Coefficients:
    """Arguments for coefficients, shaped to broadcast, in the dtype that a formula wants: weights, or what is made of them."""

    def __init__(self, writer: Writer, layer: Layer, op: Elementwise, rank: int, data: TensorType) -> None:
        self._writer = writer
        self._layer = layer
        self._parameters = writer.graph.parameters(layer.name)
        numbers = {**op.coefficients(self._parameters), **op.written(data)}
        self._shaped: dict[str, Array] = {role: align(np.asarray(given), rank) for role, given in numbers.items()}
        self._own = {role for role, given in numbers.items() if given is self._parameters.get(role)}

    def value(self, role: str, dtype: str) -> _Value:
        """The argument of a role."""
        shaped = self._shaped[role]
        if role in self._own and dtype == self._layer.type.dtype:
            return _Value(self._writer.weight(self._layer, role, shaped.shape), shaped.shape, dtype)
        text = self._writer.array(f"{self._layer.name}.{role}", TensorType(dtype, shaped.shape), lambda: shaped)
        return _Value(text, shaped.shape, dtype)


class _Emitter:
    def __init__(self, writer: Writer, layer: Layer, data: Sequence[_Value], coefficients: _Coefficients | None) -> None:
        self._writer = writer
        self._layer = layer
        self._data = data
        self._coefficients = coefficients

    def leaf(self, expr: Expr, dtype: str) -> _Value:
        if isinstance(expr, Var):
            return self._data[expr.index]
        if isinstance(expr, Const):
            return _Value(self._writer.scalar(expr.value, dtype), (), dtype)
        assert isinstance(expr, Param) and self._coefficients is not None
        return self._coefficients.value(expr.role, dtype)

    def node(self, primitive: Primitive, args: Sequence[_Value], dtype: str) -> _Value:
        if primitive.converts and primitive.to:
            return self._call("cast", args, primitive.to, dtype=numpy_dtype(primitive.to).name)
        special = _SPECIAL.get(primitive.name)
        if special is not None:
            return special(self, args, dtype)
        if primitive.name not in _CALLS:
            raise OpError("C0720", f"it has no operator for `{primitive.name}`")
        return self._call(_CALLS[primitive.name], args, primitive.to or dtype)

    def _call(self, operator: str, args: Sequence[_Value], to: str, **attributes: str) -> _Value:
        shape = broadcast(*(a.shape for a in args))
        text = self._writer.call(operator, [a.text for a in args], TensorType(to, shape), **attributes)
        return _Value(text, shape, to)

    def select(self, args: Sequence[_Value], dtype: str) -> _Value:
        return self._call("where", [self._call("greater", args[:2], "bool"), *args[2:]], dtype)

    def square(self, args: Sequence[_Value], dtype: str) -> _Value:
        return self._call("multiply", [args[0], args[0]], dtype)

    def expm1(self, args: Sequence[_Value], dtype: str) -> _Value:
        one = _Value(self._writer.scalar(1, dtype), (), dtype)
        return self._call("subtract", [self._call("exp", args, dtype), one], dtype)

    def log1p(self, args: Sequence[_Value], dtype: str) -> _Value:
        one = _Value(self._writer.scalar(1, dtype), (), dtype)
        return self._call("log", [self._call("add", [args[0], one], dtype)], dtype)

    def softplus(self, args: Sequence[_Value], dtype: str) -> _Value:
        """max(x, 0) + log(1 + exp(-|x|)), which does not overflow."""
        zero = _Value(self._writer.scalar(0, dtype), (), dtype)
        below = self._call("exp", [self._call("negative", [self._call("abs", args, dtype)], dtype)], dtype)
        return self._call("add", [self._call("maximum", [args[0], zero], dtype), self.log1p([below], dtype)], dtype)


_SPECIAL: Mapping[str, Callable[[_Emitter, Sequence[_Value], str], _Value]] = {
    "select": _Emitter.select, "square": _Emitter.square, "expm1": _Emitter.expm1, "log1p": _Emitter.log1p, "softplus": _Emitter.softplus,
}  # fmt: skip


def write(writer: Writer, layer: Layer, data: Sequence[str], types: Sequence[TensorType]) -> str:
    """The statements of an elementwise layer."""
    op = layer.op
    assert isinstance(op, Elementwise)
    body, rank = op.formula(), max(t.rank for t in types)
    if body in _WHOLE and types[0].dtype == "f32":
        return writer.call(_WHOLE[body], data, layer.type)
    weighted = any(isinstance(leaf, Param) for leaf in leaves(body))
    coefficients = _Coefficients(writer, layer, op, rank, types[0]) if weighted else None
    given = [_Value(text, t.shape, t.dtype) for text, t in zip(data, types, strict=True)]
    emitter = _Emitter(writer, layer, given, coefficients)
    found = fold_typed(body, [t.dtype for t in types], emitter.leaf, emitter.node).value
    if found.shape != layer.type.shape:
        return writer.call("broadcast_to", [found.text], layer.type, shape=layer.type.shape)
    return found.text
