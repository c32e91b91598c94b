"""`a + b`, `2 * x`, `-x` between tensors: the layers that these signs stand for, from left to right."""

from __future__ import annotations

from collections.abc import Callable

from cnnir.diagnostics import CnnirError, Span
from cnnir.ir.graph import Value

from . import ast
from .arguments import Given
from .layers import Layers
from .numbers import combine, number
from .problems import alike, refuse
from .scope import Scope
from .trampoline import Task

_LAYERS = {"+": "add", "-": "sub", "*": "mul", "/": "div"}
Tensor = Callable[[ast.Expression, Scope], Task[Value]]
IsTensor = Callable[[ast.Expression, Scope], bool]


def has_tensor(node: ast.Expression, scope: Scope, is_tensor: IsTensor) -> bool:
    """Whether some operand of arithmetic signs is a tensor, so that all of it is layers and no size."""
    pending: list[ast.Expression] = [node]
    while pending:
        part = pending.pop()
        if isinstance(part, ast.Arithmetic):
            pending += [part.first, *(operand for _, operand in part.rest)]
        elif isinstance(part, ast.Negative):
            pending.append(part.operand)
        elif is_tensor(part, scope):
            return True
    return False


class Infix:
    """Adds the layers of arithmetic signs; `tensor` and `is_tensor` are asked of operands."""

    def __init__(self, layers: Layers, tensor: Tensor, is_tensor: IsTensor) -> None:
        self._layers = layers
        self._tensor = tensor
        self._is_tensor = is_tensor

    def tensor(self, node: ast.Arithmetic | ast.Negative, scope: Scope) -> Task[Value]:
        """The value of arithmetic in which there is a tensor; numbers that stand together are one number."""
        if not has_tensor(node, scope, self._is_tensor):
            raise _no_tensor(node, scope)
        if isinstance(node, ast.Negative):
            value: Value = yield self._tensor(node.operand, scope)
            for _ in range(node.signs):
                (value,) = self._layers.add(_call("neg", node.span), [value], [], scope, False)
            return value
        total: Value | int | float = yield self._operand(node.first, scope)
        for sign, operand in node.rest:
            right: Value | int | float = yield self._operand(operand, scope)
            span = Span(node.span.source, node.first.span.start, operand.span.end)
            if isinstance(total, Value) or isinstance(right, Value):
                total = self._layer(_LAYERS[sign], total, right, span, scope)
            else:
                total = combine(sign, total, right, span)
        assert isinstance(total, Value)
        return total

    def _operand(self, node: ast.Expression, scope: Scope) -> Task[Value | int | float]:
        if has_tensor(node, scope, self._is_tensor):
            return (yield self._tensor(node, scope))
        return (yield number(node, scope))

    def _layer(self, name: str, left: Value | float, right: Value | float, span: Span, scope: Scope) -> Value:
        sides = (left, right)
        given = [Given("", side, span) for side in sides if not isinstance(side, Value)]
        tensors = [side for side in sides if isinstance(side, Value)]
        return self._layers.add(_call(name, span), tensors, given, scope, not isinstance(left, Value))[0]


def _no_tensor(node: ast.Arithmetic | ast.Negative, scope: Scope) -> CnnirError:
    """What is wrong with arithmetic that stands where a tensor is wanted: a name that nothing has, most likely."""
    parts = [node.operand] if isinstance(node, ast.Negative) else [node.first, *(operand for _, operand in node.rest)]
    stranger = next((p for p in parts if isinstance(p, ast.Name) and p.text not in scope.sizes), None)
    if stranger is not None:
        return refuse("C0305", f"there is no value called `{stranger.text}`", stranger.span, help=alike(stranger.text, scope.values))
    return refuse("C0214", "expected a tensor", node.span)


def _call(name: str, span: Span) -> ast.Call:
    """A layer that is written as a sign."""
    return ast.Call(span, ast.Name(span, name), ())
