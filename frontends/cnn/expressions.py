"""Bodies of `activation f(x) = ...`: one scalar expression with everything it uses written into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

from cnnir.diagnostics import CnnirError, OpError
from cnnir.ops.activation import UserActivation
from cnnir.ops.base import Op
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.registry import OPS
from cnnir.scalar.expr import Apply, Const, Expr, Param, Var, X, apply, fold, leaves, nodes, substitute
from cnnir.scalar.primitives import PRIMITIVES

from . import ast
from .arguments import Given, bind
from .numbers import datum
from .problems import alike, refuse, unsupported
from .scope import Scope
from .trampoline import Task, run

MAX_DEPTH = 200
MAX_SIZE = 10_000
_SIGNS = {"+": "add", "-": "sub", "*": "mul", "/": "div"}


def body_of(item: ast.Activation, earlier: Mapping[str, UserActivation | None], every: Set[str]) -> Expr:
    """The expression of an activation; raises CnnirError where it is none, or is too large.

    `earlier` holds None for activations that were refused: using one is not a second error. `every` names all of the file.
    """
    if len(item.parameters) != 1:
        raise unsupported("activations of several parameters are", item.parameters[1].span)
    for name in _called(item.body):
        if name.text in every and name.text not in earlier and name.text not in OPS:
            itself = name.text == item.name.text
            message = f"activation `{name.text}` " + ("uses itself" if itself else "is used before its definition")
            raise refuse("C0308", message, name.span, help="an activation may use the ones above it")
    return run(_expression(item.body, item.parameters[0].text, earlier))


def _called(node: ast.Expression) -> Iterator[ast.Name]:
    """The names of what an expression calls."""
    pending = [node]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Call):
            yield node.name
            pending.extend(argument.value for argument in node.arguments)
        elif isinstance(node, ast.Negative):
            pending.append(node.operand)
        elif isinstance(node, ast.Arithmetic):
            pending.extend([node.first, *(operand for _, operand in node.rest)])


def measure(expr: Expr) -> tuple[int, int]:
    """Depth and size of an expression as it would be written out."""

    def leaf(_leaf: Expr) -> tuple[int, int]:
        return 1, 1

    return fold(expr, leaf, lambda _p, args: (1 + max(a[0] for a in args), 1 + sum(a[1] for a in args)))


def _expression(node: ast.Expression, x: str, earlier: Mapping[str, UserActivation | None]) -> Task[Expr]:
    expr: Expr = yield _written(node, x, earlier)
    if not isinstance(expr, Var | Const):
        depth, size = measure(expr)
        if depth > MAX_DEPTH or size > MAX_SIZE:
            raise refuse("C0105", f"the expression is deeper than {MAX_DEPTH} or larger than {MAX_SIZE:,} once written out", node.span)
    return expr


def _written(node: ast.Expression, x: str, earlier: Mapping[str, UserActivation | None]) -> Task[Expr]:
    if isinstance(node, ast.Name):
        if node.text == x:
            return X
        if node.text == "inf" and not node.quoted:
            return Const(float("inf"))
        if node.text == "nan":
            raise refuse("C0106", "`nan` is not a number that a network may hold", node.span)
        help = f"write `{node.text}({x})`" if node.text in OPS or node.text in earlier else f"the parameter is called `{x}`"
        raise refuse("C0305", f"there is no `{node.text}` here", node.span, help=help)
    if isinstance(node, ast.Number):
        return Const(float((yield datum(node, Scope()))))
    if isinstance(node, ast.Negative):
        return (yield _negative(node, x, earlier))
    if isinstance(node, ast.Arithmetic):
        return (yield _arithmetic(node, x, earlier))
    if isinstance(node, ast.Call):
        return (yield _call(node, x, earlier))
    raise refuse("C0219", "an activation is an expression: names, numbers, `+ - * /` and calls", node.span)


def _negative(node: ast.Negative, x: str, earlier: Mapping[str, UserActivation | None]) -> Task[Expr]:
    """A minus before a literal is part of the number; other pairs of them are two operations, as written."""
    expr: Expr = yield _expression(node.operand, x, earlier)
    signs = node.signs
    if isinstance(expr, Const):
        return Const(-expr.value) if signs % 2 else expr
    if signs > MAX_DEPTH:
        raise refuse("C0105", f"{signs:,} minus signs in a row", node.span)
    for _ in range(signs):
        expr = -expr
    return expr


def _arithmetic(node: ast.Arithmetic, x: str, earlier: Mapping[str, UserActivation | None]) -> Task[Expr]:
    if len(node.rest) > MAX_DEPTH:
        raise refuse("C0105", f"the expression is deeper than {MAX_DEPTH}", node.span)
    total: Expr = yield _expression(node.first, x, earlier)
    for sign, operand in node.rest:
        total = apply(_SIGNS[sign], total, (yield _expression(operand, x, earlier)))
    return total


def _call(node: ast.Call, x: str, earlier: Mapping[str, UserActivation | None]) -> Task[Expr]:
    name = node.name.text
    if name in PRIMITIVES:
        return (yield _primitive(node, x, earlier))
    op = OPS.get(name)
    if name not in earlier and not (op is not None and issubclass(op, Elementwise)):
        if op is not None:
            raise refuse("C0219", f"`{name}` does not work element by element", node.name.span)
        known = [n for n, c in OPS.items() if issubclass(c, Elementwise)]
        raise refuse("C0211", f"there is no function `{name}`", node.name.span, help=alike(name, [*known, *PRIMITIVES, *earlier]))
    if not node.arguments or node.arguments[0].key is not None:
        raise refuse("C0213", f"`{name}` needs an argument", node.span, help=f"write `{name}({x})`")
    inner: Expr = yield _expression(node.arguments[0].value, x, earlier)
    given: list[Given] = []
    for argument in node.arguments[1:]:
        given.append(Given(argument.key.text if argument.key else "", (yield datum(argument.value, Scope())), argument.span))
    if name not in earlier:
        formula = _formula(op, given, node)
    elif given:
        raise refuse("C0215", f"`{name}` takes one argument", given[0].span)
    else:
        activation = earlier[name]
        if activation is None:
            raise CnnirError(())
        formula = activation.body
    return substitute(formula, lambda leaf: inner if isinstance(leaf, Var) else leaf)


def _formula(op: type[Op] | None, given: Sequence[Given], node: ast.Call) -> Expr:
    """The formula of an elementwise op with these attributes."""
    assert op is not None and issubclass(op, Elementwise)
    values = bind(op, op.name, given, None, node.span)
    try:
        formula = op(**values).formula()
    except OpError as error:
        raise refuse(error.code, error.message, node.span, error.remark, error.help) from None
    if any(isinstance(leaf, Param) for leaf in leaves(formula)):
        raise refuse("C0219", f"`{op.name}` has weights, which an activation cannot", node.name.span)
    if any(isinstance(part, Apply) and part.primitive.to for part in nodes(formula)):
        raise refuse("C0219", f"`{op.name}` changes the element type, which an activation cannot", node.name.span)
    return formula


def _primitive(node: ast.Call, x: str, earlier: Mapping[str, UserActivation | None]) -> Task[Expr]:
    name = node.name.text
    arity = PRIMITIVES[name].arity
    keyed = next((a for a in node.arguments if a.key is not None), None)
    if keyed is not None:
        raise refuse("C0212", f"`{name}` has no named arguments", keyed.span)
    if len(node.arguments) != arity:
        raise refuse("C0201", f"`{name}` takes {arity} operand{'s' * (arity > 1)}, got {len(node.arguments)}", node.span)
    args: list[Expr] = []
    for argument in node.arguments:
        args.append((yield _expression(argument.value, x, earlier)))
    return apply(name, *args)
