"""The inputs of a network: their names, types and ranges."""

from __future__ import annotations

from collections.abc import Callable

from cnnir.diagnostics import CnnirError, Origin
from cnnir.ir.graph import Graph

from . import ast
from .numbers import number, tensor_type
from .problems import refuse
from .scope import Scope
from .symbols import Shapes, bind_symbols, symbols
from .trampoline import run


def declare_inputs(
    network: ast.NetworkDeclaration, graph: Graph, scope: Scope, shapes: Shapes, report: Callable[[CnnirError], None]
) -> None:
    """Add the inputs to the graph and the scope, symbols bound by `shapes`; wrong ones are reported, and their uses stay silent."""
    scope.sizes.update(bind_symbols(network, shapes, report))
    for declaration in network.inputs:
        try:
            if any(name.text not in scope.sizes for name in symbols(declaration)):
                raise CnnirError(())
            type = run(tensor_type(declaration.type, scope))
            range = _range(declaration)
            scope.define(declaration.name, None)
            scope.values[declaration.name.text] = graph.add_input(declaration.name.text, type, range, Origin(declaration.span))
        except CnnirError as error:
            report(error)
            scope.values.setdefault(declaration.name.text, None)


def _range(declaration: ast.InputDeclaration) -> tuple[float, float] | None:
    if declaration.range is None:
        return None
    low, high = (float(run(number(node, Scope()))) for node in declaration.range)
    if not low <= high:
        raise refuse("C0309", "the range of an input goes from low to high", declaration.range[0].span, f"{low:g} is more than {high:g}")
    return low, high
