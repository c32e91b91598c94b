"""The inputs of a network: their names, types and ranges."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from cnnir.diagnostics import CnnirError, Origin
from cnnir.facts.precision import precision
from cnnir.ir.graph import Graph
from cnnir.types import TensorType

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
            range = _range(declaration, type)
            scope.define(declaration.name, None)
            scope.values[declaration.name.text] = graph.add_input(declaration.name.text, type, range, Origin(declaration.span))
        except CnnirError as error:
            report(error)
            scope.values.setdefault(declaration.name.text, None)


def _range(declaration: ast.InputDeclaration, type: TensorType) -> tuple[float, float] | None:
    if declaration.range is None:
        return None
    low, high = (float(run(number(node, Scope()))) for node in declaration.range)
    if not low <= high:
        raise refuse("C0309", "the range of an input goes from low to high", declaration.range[0].span, f"{low:g} is more than {high:g}")
    least, most = _bounds(type)
    for node, end in zip(declaration.range, (low, high), strict=True):
        if not least <= end <= most:
            remark = f"{end:g} is outside {least:g} to {most:g}" if math.isfinite(end) else "every finite value is meant without a range"
            raise refuse("C0309", f"the range of an input lies within its element type {type.dtype}", node.span, remark)
    return low, high


def _bounds(type: TensorType) -> tuple[float, float]:
    """The least and the greatest finite value of the elements."""
    if not type.is_whole and not type.is_float:
        import ml_dtypes  # only 8-bit floats pay for the import

        storage = cast("Any", ml_dtypes.finfo(type.numpy))
        return float(storage.min), float(storage.max)
    if type.is_float:
        greatest = precision(type.dtype).max
        return -greatest, greatest
    if type.dtype == "bool":
        return 0, 1
    return float(np.iinfo(type.numpy).min), float(np.iinfo(type.numpy).max)
