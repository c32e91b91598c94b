"""The inputs of a program, and the numbers that the names of their sizes stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cnnir.diagnostics import CnnirError, Diagnostic
from cnnir.types import DTYPES, TensorType

from .program import Hint, Program, Result


def input_types(program: Program, shapes: Mapping[str, Sequence[int]]) -> list[tuple[Result, TensorType]]:
    """Each input with its type; raises CnnirError where a shape does not fit, or is needed and not given."""
    names = [result.name for result in program.inputs]
    for name in shapes:
        if name not in names:
            raise CnnirError(Diagnostic("C0223", f"`{program.source}` has no input `{name}`", help=f"its inputs are {', '.join(names)}"), 2)
    symbols: dict[str, int] = {}
    found: list[tuple[Result, TensorType]] = []
    for result in program.inputs:
        hint = result.hint
        if hint is None or hint.dtype not in DTYPES:
            raise CnnirError(Diagnostic("C0862", f"input `{result.name}` of `{program.source}` is no tensor that a network can take"))
        found.append((result, TensorType(hint.dtype, _shape(result.name, hint, shapes.get(result.name), symbols))))
    return found


def _shape(name: str, hint: Hint, given: Sequence[int] | None, symbols: dict[str, int]) -> tuple[int, ...]:
    if given is None:
        if None in hint.shape:
            written = ", ".join(hint.symbols)
            help = f"say what they are: shapes={{{name!r}: (...)}}, or `--shape {name}=...`"
            raise CnnirError(Diagnostic("C0222", f"input `{name}` has sizes that are not known: {hint.dtype}[{written}]", help=help))
        return tuple(n or 0 for n in hint.shape)
    fits = len(given) == len(hint.shape) and all(
        symbols.setdefault(symbol, size) == size if n is None else n == size
        for n, symbol, size in zip(hint.shape, hint.symbols, given, strict=True)
    )
    if not fits:
        shown = f"{hint.dtype}[{', '.join(hint.symbols)}]"
        raise CnnirError(Diagnostic("C0223", f"the shape {list(given)} does not fit input `{name}`: {shown}"), 2)
    return tuple(given)
