"""Blocks that nobody uses: without sizes and data nothing in them can be typed, but a name that means nothing is wrong anyhow."""

from __future__ import annotations

from collections.abc import Iterator

from cnnir.diagnostics import CnnirError

from . import ast
from .definitions import Definitions
from .layers import Layers
from .problems import alike, refuse


def problems_of(block: ast.Block, found: Definitions, layers: Layers) -> Iterator[CnnirError]:
    """What is wrong with a block whatever it is given: layers, blocks and values that there are not, a `return`."""
    values: set[str] = set()
    for statement in block.body if block.steps is None else (ast.Chain(block.span, ast.Piped(block.span), block.steps),):
        if isinstance(statement, ast.Return):
            yield no_return(statement)
            continue
        yield from _expression(statement.value if isinstance(statement, ast.Assign) else statement, block, values, found, layers)
        if isinstance(statement, ast.Assign):
            values |= {target.text for target in statement.targets}


def no_return(statement: ast.Return) -> CnnirError:
    """The refusal of a `return` in a block."""
    return refuse("C0303", "a block has no `return`: its last statement is its value", statement.span)


def too_early(node: ast.Call) -> CnnirError:
    """The refusal of a block inside itself, or inside one above it."""
    message = f"block `{node.name.text}` is used before its definition ends"
    return refuse("C0308", message, node.span, help="a block may use the blocks above it")


def _expression(whole: ast.Expression, block: ast.Block, values: set[str], found: Definitions, layers: Layers) -> Iterator[CnnirError]:
    pending: list[ast.Expression | ast.Step] = [whole]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Chain):
            if isinstance(node.head, ast.Name) and node.head.text not in values:
                yield refuse("C0305", f"there is no value called `{node.head.text}`", node.head.span, help=alike(node.head.text, values))
            pending += [*reversed(node.steps), node.head]
        elif isinstance(node, ast.Repeat):
            pending += reversed(node.steps)
        elif isinstance(node, ast.Call | ast.OpaqueStep):
            pending += [argument.value for argument in reversed(node.arguments)]
        if not isinstance(node, ast.Call) or node.name.text in ("base64", "text"):
            continue
        name = node.name.text
        if name in found.blocks:
            if found.order[name] >= found.order[block.name.text]:
                yield too_early(node)
        elif not layers.knows(name):
            yield layers.unknown(node)
