"""Formulas as ONNX nodes: every elementwise op, also one that this folder has never heard of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cnnir.ops.smooth import sigmoid
from cnnir.scalar.expr import Apply, Const, Expr, Param, Var, X, fold
from cnnir.scalar.primitives import PRIMITIVES, Primitive
from cnnir.scalar.typed import fold_typed

from .builder import Builder, unsupported

Emit = Callable[[Builder, Sequence[str], str], str]

_SAME: Mapping[str, str] = {
    "equal": "Equal", "less": "Less", "less_equal": "LessOrEqual", "greater": "Greater", "greater_equal": "GreaterOrEqual",
    "and": "And", "or": "Or", "xor": "Xor", "not": "Not", "where": "Where", "pow": "Pow", "softplus": "Softplus",
    "add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "max": "Max", "min": "Min",
    "neg": "Neg", "abs": "Abs", "sign": "Sign", "floor": "Floor", "ceil": "Ceil", "round": "Round", "sqrt": "Sqrt",
    "exp": "Exp", "log": "Log", "tanh": "Tanh", "erf": "Erf", "sin": "Sin", "cos": "Cos", "tan": "Tan", "asin": "Asin",
    "acos": "Acos", "atan": "Atan", "sinh": "Sinh", "cosh": "Cosh", "asinh": "Asinh", "acosh": "Acosh", "atanh": "Atanh",
}  # fmt: skip
"""Primitive -> the ONNX operator with the same meaning."""


def _plain(operator: str) -> Emit:
    return lambda build, args, dtype: build.node(operator, args, dtype)


def _select(build: Builder, args: Sequence[str], dtype: str) -> str:
    left, right, greater, otherwise = args
    chosen = build.node("Greater", [left, right], dtype)
    return build.node("Where", [chosen, greater, otherwise], dtype)


def _square(build: Builder, args: Sequence[str], dtype: str) -> str:
    return build.node("Mul", [args[0], args[0]], dtype)


def _not_equal(build: Builder, args: Sequence[str], dtype: str) -> str:
    return build.node("Not", [build.node("Equal", args, dtype)], "bool")


def _modulo(build: Builder, args: Sequence[str], dtype: str) -> str:
    """ONNX has it for integers only; of floats it is fmod, moved to the sign of the divisor. Divisors are taken not to be 0."""
    if not dtype.startswith(("f", "b")):
        return build.node("Mod", args, dtype)
    rest, zero = build.node("Mod", args, dtype, fmod=1), build.scalar(0, dtype)
    wrong = build.node(
        "Less", [build.node("Mul", [build.node("Sign", [rest], dtype), build.node("Sign", [args[1]], dtype)], dtype), zero], dtype
    )
    return build.node("Where", [wrong, build.node("Add", [rest, args[1]], dtype), rest], dtype)


def _expm1(build: Builder, args: Sequence[str], dtype: str) -> str:
    """2 t / (1 - t) with t = tanh(x/2) where |x| < 1: there exp(x) - 1 loses digits, near 0 all of them."""
    one, two, x = build.scalar(1, dtype), build.scalar(2, dtype), args[0]
    tangent = build.node("Tanh", [build.node("Div", [x, two], dtype)], dtype)
    near = build.node("Div", [build.node("Mul", [tangent, two], dtype), build.node("Sub", [one, tangent], dtype)], dtype)
    far = build.node("Sub", [build.node("Exp", [x], dtype), one], dtype)
    return build.node("Where", [build.node("Less", [build.node("Abs", [x], dtype), one], dtype), near, far], dtype)


def _log1p(build: Builder, args: Sequence[str], dtype: str) -> str:
    """log(u) with u = 1 + x, corrected for the rounding of u where |x| < 1/2: log(u) x / (u - 1), or x where u is 1."""
    one, x = build.scalar(1, dtype), args[0]
    total = build.node("Add", [x, one], dtype)
    far = build.node("Log", [total], dtype)
    corrected = build.node("Mul", [far, build.node("Div", [x, build.node("Sub", [total, one], dtype)], dtype)], dtype)
    near = build.node("Where", [build.node("Equal", [total, one], dtype), x, corrected], dtype)
    small = build.node("Less", [build.node("Abs", [x], dtype), build.scalar(0.5, dtype)], dtype)
    return build.node("Where", [small, near, far], dtype)


_PRIMITIVES: Mapping[str, Emit] = {
    **{name: _plain(operator) for name, operator in _SAME.items()},
    "select": _select, "square": _square, "mod": _modulo, "not_equal": _not_equal,
    "fmod": lambda build, args, dtype: build.node("Mod", args, dtype, fmod=1),
    "expm1": _expm1, "log1p": _log1p,
}  # fmt: skip


# -- idioms: operators that runtimes know and fuse, recognised inside any formula -----------------------------------


def _idiom(operator: str, arity: int = 1) -> Primitive:
    return Primitive(f"onnx.{operator}", arity, "library", lambda *_args: NotImplemented)


_CLIP = _idiom("Clip", 3)
_TEMPLATES: Sequence[tuple[Expr, Primitive]] = ((sigmoid(X), _idiom("Sigmoid")),)
_IDIOMS: Mapping[str, str] = {p.name: p.name.removeprefix("onnx.") for p in (_CLIP, *(p for _, p in _TEMPLATES))}


def _match(template: Expr, expr: Expr, found: list[Expr]) -> bool:
    """Whether `expr` is `template` with some expression for x, which is put into `found`. Templates are shallow."""
    if isinstance(template, Var):
        if not found:
            found.append(expr)
        return found[0] is expr or (not isinstance(expr, Apply) and found[0] == expr)
    if isinstance(template, Apply) and isinstance(expr, Apply):
        same = template.primitive is expr.primitive
        return same and all(_match(t, e, found) for t, e in zip(template.args, expr.args, strict=True))
    return not isinstance(expr, Apply) and template == expr


def _recognise(primitive: Primitive, args: Sequence[Expr]) -> Expr:
    """The application, or the idiom that it completes."""
    whole = Apply(primitive, tuple(args))
    for template, idiom in _TEMPLATES:
        found: list[Expr] = []
        if _match(template, whole, found):
            return Apply(idiom, (found[0],))
    inner = args[0]
    if primitive is PRIMITIVES["min"] and isinstance(inner, Apply) and inner.primitive is PRIMITIVES["max"]:
        low, high = inner.args[1], args[1]
        if isinstance(low, Const) and isinstance(high, Const) and low.value <= high.value:
            return Apply(_CLIP, (inner.args[0], low, high))
    return whole


def emit(build: Builder, formula: Expr, variables: Sequence[str], coefficients: Callable[[str], str], dtypes: Sequence[str]) -> str:
    """Write a formula over `variables` of these dtypes as nodes and return the name of its value, which may be a variable's.

    `coefficients` gives the ONNX value of a role, shaped to broadcast.
    """

    def leaf(expr: Expr, dtype: str) -> str:
        if isinstance(expr, Var):
            return variables[expr.index]
        if isinstance(expr, Const):
            return build.scalar(expr.value, dtype)
        assert isinstance(expr, Param)
        return coefficients(expr.role)

    def node(primitive: Primitive, args: Sequence[str], dtype: str) -> str:
        if primitive.converts and primitive.to:
            return build.node("Cast", args, primitive.to, to=build.element(primitive.to))
        if primitive.name in _IDIOMS:
            return build.node(_IDIOMS[primitive.name], args, dtype)
        if primitive.name not in _PRIMITIVES:
            unsupported(f"no ONNX operator computes `{primitive.name}`")
        return _PRIMITIVES[primitive.name](build, args, dtype)

    return fold_typed(fold(formula, lambda expr: expr, _recognise), dtypes, leaf, node).value
