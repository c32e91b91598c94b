"""AST -> Graph: names are resolved, blocks written out, every layer typed as it is added."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnnir.diagnostics import CnnirError, Diagnostic, Span
from cnnir.ir.graph import Graph, Value

from . import ast, layers
from .arguments import Given, match
from .declarations import declare_inputs
from .definitions import choose, collect
from .extent import Counter, Extent
from .layers import Layers
from .numbers import datum, number
from .problems import refuse, unsupported
from .scope import Scope
from .stored import open_weights
from .trampoline import Task, run

MAX_STEPS = 1_000_000
"""Steps that blocks and repetitions may write out, counting those that add no layer."""


MAX_PROBLEMS = 20
"""Errors after which the rest of a file is not read."""


class TooMany(Exception):
    """Enough is wrong to stop."""


class Elaborator:
    """One file, one network, one graph."""

    def __init__(self, file: ast.File, folder: Path | None) -> None:
        self._file = file
        self._folder = folder
        self._problems: list[Diagnostic] = []
        self._steps = 0
        self._open: list[str] = []  # blocks that are being written out

    def graph(self, network: str | None) -> Graph:
        """The network called `network`, or the last one; raises CnnirError with everything found wrong."""
        try:
            self._found = collect(self._file, self._report)
            chosen = choose(self._found, network, self._file.span)
            stored = open_weights(self._found.weights, self._folder) if self._found.weights else None
            graph = Graph(chosen.name.text)
            self._layers = Layers(graph, self._found, stored)
            run(self._network(chosen, graph))
        except CnnirError as error:
            self._problems.extend(error.diagnostics)
            if error.exit_code != 1:
                raise
        except TooMany:
            pass
        if self._problems:
            raise CnnirError(self._problems)
        return self._layers.graph

    def _report(self, error: CnnirError) -> None:
        self._problems.extend(d for d in error.diagnostics if d not in self._problems)
        if len(self._problems) > MAX_PROBLEMS:
            raise TooMany

    def _network(self, chosen: ast.NetworkDeclaration, graph: Graph) -> Task[None]:
        scope = Scope()
        declare_inputs(chosen, graph, scope, self._report)
        last = chosen.body[-1] if chosen.body else None
        if last is None:
            raise refuse("C0303", f"network `{chosen.name.text}` has no output", chosen.name.span, help="write a chain: `x -> relu`")
        Counter(self._found.blocks, Extent(layers.MAX_LAYERS, MAX_STEPS)).check(chosen.body)
        for statement in chosen.body:
            try:
                if isinstance(statement, ast.Return):
                    if statement is not last:
                        raise refuse("C0303", "`return` must be the last statement", statement.span)
                    yield self._return(statement, graph, scope)
                else:
                    value: Value = yield self._statement(statement, scope)
                    if statement is last:
                        graph.results[self._result_name(statement)] = value
            except CnnirError as error:  # go on: later statements may be wrong in their own way
                self._report(error)
                if isinstance(statement, ast.Assign):
                    for target in statement.targets:
                        scope.values.setdefault(target.text, None)

    @staticmethod
    def _result_name(statement: ast.Statement) -> str:
        if isinstance(statement, ast.Assign):
            return statement.targets[0].text
        return statement.text if isinstance(statement, ast.Name) else "output"

    def _return(self, statement: ast.Return, graph: Graph, scope: Scope) -> Task[None]:
        for place, result in enumerate(statement.results, start=1):
            value: Value = yield self._tensor(result.value, scope)
            written = result.name or (result.value if isinstance(result.value, ast.Name) else None)
            name = written.text if written else f"output{place}" if len(statement.results) > 1 else "output"
            if name in graph.results:
                raise refuse("C0306", f"two outputs are called `{name}`", result.span)
            graph.results[name] = value

    def _statement(self, statement: ast.Statement, scope: Scope) -> Task[Value]:
        if isinstance(statement, ast.Return):
            raise refuse("C0303", "a block has no `return`: its last statement is its value", statement.span)
        if not isinstance(statement, ast.Assign):
            return (yield self._tensor(statement, scope))
        target, *more = statement.targets
        if more:
            raise unsupported("layers of several outputs are", statement.span)
        value: Value = yield self._tensor(statement.value, scope)
        scope.define(target, value)
        return value

    # -- chains -------------------------------------------------------------------------------------------------------

    def _tensor(self, node: ast.Expression, scope: Scope) -> Task[Value]:
        """The tensor that an expression stands for."""
        if isinstance(node, ast.Name):
            if node.text not in scope.values and (self._layers.knows(node.text) or node.text in self._found.blocks):
                raise refuse("C0305", f"`{node.text}` has no input here", node.span, help=f"write `x -> {node.text}`")
            return scope.value(node)
        if isinstance(node, ast.Piped):
            if scope.piped is None:
                raise refuse("C0305", "`in` is the input of a block, and this is none", node.span)
            return scope.piped
        if isinstance(node, ast.Call):
            return (yield self._call(node, None, scope))
        if isinstance(node, ast.Chain):
            value: Value = yield self._tensor(node.head, scope)
            return (yield self._chain(node.steps, value, scope))
        if isinstance(node, ast.Arithmetic):
            raise refuse(
                "C0220", "arithmetic signs between tensors are not supported yet", node.span, help="write `add(a, b)`, `mul(a, b)`, ..."
            )
        raise refuse("C0214", "expected a tensor", node.span)

    def _chain(self, steps: Sequence[ast.Step], value: Value, scope: Scope) -> Task[Value]:
        for step in steps:
            self._steps += 1
            if self._steps > MAX_STEPS:
                raise refuse("C0105", f"the network is too large: more than {MAX_STEPS:,} steps once written out", step.span)
            if isinstance(step, ast.OpaqueStep):
                raise unsupported(f"opaque nodes (`{step.name.text}`) are", step.span)
            if isinstance(step, ast.Repeat):
                value = yield self._repeat(step, value, scope)
            else:
                value = yield self._call(step, value, scope)
        return value

    def _repeat(self, step: ast.Repeat, value: Value, scope: Scope) -> Task[Value]:
        count = 1 if step.count is None else (yield number(step.count, scope))
        if not isinstance(count, int) or count < 0:
            assert step.count is not None
            raise refuse("C0214", "a chain is repeated a whole number of times, 0 or more", step.count.span, f"this is {count}")
        if self._steps + count * len(step.steps) > MAX_STEPS:
            raise refuse("C0105", f"the network is too large: more than {MAX_STEPS:,} steps once written out", step.span)
        for _ in range(count):
            value = yield self._chain(step.steps, value, scope)
        return value

    # -- calls --------------------------------------------------------------------------------------------------------

    def _call(self, node: ast.Call, piped: Value | None, scope: Scope) -> Task[Value]:
        inputs: list[Value] = [] if piped is None else [piped]
        given: list[Given] = []
        number_first = False
        for argument in node.arguments:
            if argument.key is None and self._is_tensor(argument.value, scope):
                number_first = number_first or (bool(given) and not inputs)
                inputs.append((yield self._tensor(argument.value, scope)))
            else:
                value = yield datum(argument.value, scope)
                given.append(Given(argument.key.text if argument.key else "", value, argument.span))
        if node.name.text in self._found.blocks:
            return (yield self._block(node, inputs, given, scope))
        return self._layers.add(node, inputs, given, scope, number_first)

    def _is_tensor(self, node: ast.Expression, scope: Scope) -> bool:
        return isinstance(node, ast.Call | ast.Chain | ast.Piped) or (isinstance(node, ast.Name) and node.text in scope.values)

    def _block(self, node: ast.Call, inputs: list[Value], given: list[Given], scope: Scope) -> Task[Value]:
        block = self._found.blocks[node.name.text]
        name = block.name.text
        if len(inputs) != 1:
            raise refuse("C0201", f"block `{name}` takes one input, got {len(inputs)}", node.span)
        if self._open and self._found.order[name] >= self._found.order[self._open[-1]]:
            raise refuse(
                "C0308", f"block `{name}` is used before its definition ends", node.span, help="a block may use the blocks above it"
            )
        sizes = self._sizes(block, given, node.span)
        inner = Scope(f"{scope.next_name(name)}/", sizes, inputs[0])
        self._open.append(name)
        try:
            if block.steps is not None:
                return (yield self._chain(block.steps, inputs[0], inner))
            value = inputs[0]
            for statement in block.body:
                value = yield self._statement(statement, inner)
            return value
        finally:
            self._open.pop()

    @staticmethod
    def _sizes(block: ast.Block, given: list[Given], span: Span) -> dict[str, int | float]:
        names = [p.text for p in block.parameters]
        found = match(names, block.name.text, given, span)
        missing = next((n for n in names if n not in found), None)
        if missing is not None:
            raise refuse(
                "C0213", f"block `{block.name.text}` needs `{missing}`", span, help=f"write `{block.name.text}({', '.join(names)})`"
            )
        sizes: dict[str, int | float] = {}
        for name, argument in found.items():
            if not isinstance(argument.value, int | float):
                raise refuse("C0214", f"`{name}` must be a number", argument.span)
            sizes[name] = argument.value
        return sizes
