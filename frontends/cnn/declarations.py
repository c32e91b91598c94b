"""The inputs of a network: their names, types and ranges."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from cnnir.diagnostics import CnnirError, Origin
from cnnir.facts.precision import precision
from cnnir.ir.graph import Graph
from cnnir.types import DTYPES, TensorType

from . import ast
from .numbers import number
from .problems import alike, refuse
from .scope import Scope
from .trampoline import run

MAX_SIZE = 2**31 - 1
MAX_RANK = 64
"""NumPy's own limit."""


def declare_inputs(network: ast.NetworkDeclaration, graph: Graph, scope: Scope, report: Callable[[CnnirError], None]) -> None:
    """Add the inputs to the graph and the scope; wrong ones are reported, and their uses stay silent."""
    for declaration in network.inputs:
        try:
            type = tensor_type(declaration.type)
            range = _range(declaration, type)
            scope.define(declaration.name, None)
            scope.values[declaration.name.text] = graph.add_input(declaration.name.text, type, range, Origin(declaration.span))
        except CnnirError as error:
            report(error)
            scope.values.setdefault(declaration.name.text, None)


def tensor_type(written: ast.TypeName) -> TensorType:
    """The type that `f32[1, 3, 8, 8]` stands for."""
    if written.dtype not in DTYPES:
        raise refuse("C0218", f"there is no element type `{written.dtype}`", written.span, help=alike(written.dtype, DTYPES))
    if len(written.sizes) > MAX_RANK:
        raise refuse("C0210", f"a tensor has at most {MAX_RANK} axes", written.span, f"this has {len(written.sizes)}")
    shape = tuple(_size(node) for node in written.sizes)
    if math.prod(shape) >= 2**63:
        raise refuse("C0210", "the tensor is too large: its elements do not count in 64 bits", written.span)
    return TensorType(written.dtype, shape)


def _size(node: ast.Expression) -> int:
    if isinstance(node, ast.Name):
        raise refuse("C0220", "symbolic sizes are not supported yet", node.span, help="write a number")
    size = run(number(node, Scope()))
    if not isinstance(size, int) or not 1 <= size <= MAX_SIZE:
        raise refuse("C0210", f"a size must be a whole number from 1 to {MAX_SIZE:,}", node.span, f"this is {size}")
    return size


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
    if type.is_float:
        greatest = precision(type.dtype).max
        return -greatest, greatest
    if type.dtype == "bool":
        return 0, 1
    return float(np.iinfo(type.numpy).min), float(np.iinfo(type.numpy).max)
