"""Symbolic sizes: `f32[N, 3, H, W]`, bound by the shapes that a network is loaded with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cnnir.diagnostics import CnnirError, Diagnostic, Label

from . import ast
from .numbers import MAX_SIZE
from .problems import alike, refuse

SHOWN = 8
"""Sizes that a diagnostic names at most."""
Shapes = Mapping[str, Sequence[int]]
"""Input name -> the shape it is given."""


def symbols(declaration: ast.InputDeclaration) -> list[ast.Name]:
    """The sizes of an input that are names."""
    return [size for size in declaration.type.sizes if isinstance(size, ast.Name)]


def bind_symbols(network: ast.NetworkDeclaration, shapes: Shapes, report: Callable[[CnnirError], None]) -> dict[str, int]:
    """Symbol -> size. Shapes that do not fit are reported, and in one diagnostic all symbols that no shape binds."""
    bound: dict[str, int] = {}
    declared = [d.name.text for d in network.inputs]
    for stranger in [name for name in shapes if name not in declared]:
        help = alike(stranger, declared)
        report(refuse("C0223", f"a shape is given for `{stranger}`, which is no input", network.name.span, help=help))
    for declaration in network.inputs:
        try:
            _bind(declaration, shapes.get(declaration.name.text), bound)
        except CnnirError as error:
            report(error)
    open_ones = {name.text: name for declaration in network.inputs for name in symbols(declaration) if name.text not in bound}
    if open_ones:
        report(_unbound(network, open_ones))
    return bound


def _bind(declaration: ast.InputDeclaration, shape: Sequence[int] | None, bound: dict[str, int]) -> None:
    if shape is None:
        return
    sizes, span = declaration.type.sizes, declaration.type.span
    given = f"[{', '.join(map(str, shape))}]"
    if len(shape) != len(sizes):
        raise refuse("C0223", f"the shape {given} has {len(shape)} sizes, and the input {len(sizes)}", span)
    for size, number in zip(sizes, shape, strict=True):
        if not 1 <= number <= MAX_SIZE:
            raise refuse("C0210", f"a size must be a whole number from 1 to {MAX_SIZE:,}", size.span, f"{number} is given")
        known = bound.setdefault(size.text, number) if isinstance(size, ast.Name) else getattr(size, "value", number)
        if known != number:
            raise refuse("C0223", f"the shape {given} does not fit the input", size.span, f"this is {known}, and {number} is given")


def _unbound(network: ast.NetworkDeclaration, names: Mapping[str, ast.Name]) -> CnnirError:
    shown = list(names.values())[:SHOWN]
    labels = [Label(name.span, primary=i == 0) for i, name in enumerate(shown)]
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    listing = ", ".join(f"`{name.text}`" for name in shown) + more
    first = next(d for d in network.inputs if symbols(d))
    example = ",".join(size.span.text for size in first.type.sizes)
    help = f"say them with a shape: `--shape {first.name.text}={example}` with numbers, or `shapes=` in Python"
    are = "sizes are" if len(names) > 1 else "a size is"
    return CnnirError(Diagnostic("C0222", f"{are} not known: {listing}", tuple(labels), help=help))
