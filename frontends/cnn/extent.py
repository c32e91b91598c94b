"""How large a network will be, counted before any of it is built: what explodes when written out ends here.

A block is counted once for each choice of its sizes. What is wrong with a piece counts as nothing; building it says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cnnir.diagnostics import CnnirError

from . import ast
from .numbers import datum, number
from .problems import refuse
from .scope import Scope
from .trampoline import Task, run


@dataclass(frozen=True, slots=True)
class Extent:
    """Layers, and steps of chains that were gone through: a step may add no layer."""

    layers: int = 0
    steps: int = 0

    def plus(self, other: Extent, times: int = 1) -> Extent:
        """The two together, the other one `times` over."""
        return Extent(self.layers + other.layers * times, self.steps + other.steps * times)


class Counter:
    """Counts with the blocks of one file; `most` is the largest extent that is allowed."""

    def __init__(self, blocks: Mapping[str, ast.Block], most: Extent) -> None:
        self._blocks = blocks
        self._order = {name: place for place, name in enumerate(blocks)}
        self._most = most
        self._known: dict[tuple[str, tuple[tuple[str, int | float], ...]], Extent] = {}
        self._visits = 0

    def check(self, statements: Sequence[ast.Statement]) -> None:
        """Raise CnnirError at the statement that makes the network too large."""
        total = Extent()
        for statement in statements:
            total = total.plus(run(self._statement(statement, Scope(), len(self._order))))
            for size, most, what in ((total.layers, self._most.layers, "layers"), (total.steps, self._most.steps, "steps")):
                if size > most or self._visits > self._most.layers:
                    raise refuse("C0105", f"the network is too large: more than {most:,} {what} once written out", statement.span)

    def _statement(self, node: ast.Statement, scope: Scope, above: int) -> Task[Extent]:
        if isinstance(node, ast.Return):
            total = Extent()
            for result in node.results:
                total = total.plus((yield self._tensor(result.value, scope, above)))
            return total
        return (yield self._tensor(node.value if isinstance(node, ast.Assign) else node, scope, above))

    def _tensor(self, node: ast.Expression, scope: Scope, above: int) -> Task[Extent]:
        if isinstance(node, ast.Chain):
            head: Extent = yield self._tensor(node.head, scope, above)
            return head.plus((yield self._chain(node.steps, scope, above)))
        if isinstance(node, ast.Arithmetic | ast.Negative):
            total = Extent()
            for part in [node.operand] if isinstance(node, ast.Negative) else [node.first, *(operand for _, operand in node.rest)]:
                total = total.plus((yield self._tensor(part, scope, above)))
            return total
        return (yield self._call(node, scope, above)) if isinstance(node, ast.Call) else Extent()

    def _chain(self, steps: Sequence[ast.Step], scope: Scope, above: int) -> Task[Extent]:
        total = Extent()
        for step in steps:
            self._visits += 1
            if self._visits > self._most.layers:
                break  # a text has fewer steps than that: these are blocks with ever other sizes
            if isinstance(step, ast.Call):
                total = total.plus((yield self._call(step, scope, above)).plus(Extent(0, 1)))
            elif isinstance(step, ast.Repeat):
                inner: Extent = yield self._chain(step.steps, scope, above)
                total = total.plus(inner.plus(Extent(0, 1)), (yield self._times(step.count, scope)))
        return total

    @staticmethod
    def _times(count: ast.Expression | None, scope: Scope) -> Task[int]:
        try:
            times = 1 if count is None else (yield number(count, scope))
        except CnnirError:
            return 0
        return times if isinstance(times, int) and times > 0 else 0

    def _call(self, node: ast.Call, scope: Scope, above: int) -> Task[Extent]:
        total = Extent()
        for argument in node.arguments:
            if isinstance(argument.value, ast.Call | ast.Chain | ast.Arithmetic | ast.Negative):
                total = total.plus((yield self._tensor(argument.value, scope, above)))
        name = node.name.text
        if name not in self._blocks:
            return total.plus(Extent(1, 0))
        if self._order[name] >= above:
            return total  # a block may use the blocks above it only
        return total.plus((yield self._block(self._blocks[name], node.arguments, scope)))

    def _block(self, block: ast.Block, arguments: Sequence[ast.Argument], scope: Scope) -> Task[Extent]:
        sizes: dict[str, int | float] = {}
        free = iter(p.text for p in block.parameters)
        for argument in arguments:
            if isinstance(argument.value, ast.Call | ast.Chain | ast.Piped):
                continue
            name = argument.key.text if argument.key else next(free, "")
            try:
                value = yield datum(argument.value, scope)
            except CnnirError:
                continue
            if isinstance(value, int | float):
                sizes[name] = value
        key = (block.name.text, tuple(sorted(sizes.items())))
        if key not in self._known:
            inner, above, total = Scope(sizes=sizes), self._order[block.name.text], Extent()
            if block.steps is not None:
                total = yield self._chain(block.steps, inner, above)
            for statement in block.body:
                total = total.plus((yield self._statement(statement, inner, above)))
            self._known[key] = total
        return self._known[key]
