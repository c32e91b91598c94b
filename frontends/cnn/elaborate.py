"""AST -> Graph: names are resolved, blocks written out, every layer typed as it is added."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnnir.diagnostics import CnnirError, Diagnostic, Span
from cnnir.ir.graph import Graph, Value
from cnnir.types import DTYPES

from . import ast, layers
from .arguments import Given, match
from .declarations import declare_inputs
from .definitions import choose, collect
from .extent import Counter, Extent
from .infix import Infix, has_tensor
from .layers import Layers
from .listed import Listed
from .numbers import datum, literal, number
from .problems import refuse
from .scope import Scope
from .stored import open_weights
from .symbols import Shapes
from .trampoline import Task, run
from .unused import no_return, problems_of, too_early

MAX_STEPS = 1_000_000
"""Steps that blocks and repetitions may write out, counting those that add no layer."""


MAX_BLOCKS = 1_000
"""Blocks that are being written out at once; names of layers grow with them."""

MAX_PROBLEMS = 20
"""Errors after which the rest of a file is not read."""


class TooMany(Exception):
    """Enough is wrong to stop."""


Values = tuple[Value, ...]
"""What a layer or block makes: one tensor, or several that must be given names."""


def _only(values: Values, span: Span) -> Value:
    """The one value, where no more than one can be used."""
    if len(values) != 1:
        raise refuse("C0221", f"this has {len(values)} outputs, and one is wanted", span, help=_naming(values))
    return values[0]


def _naming(values: Values) -> str | None:
    if len(values) == 1:
        return None
    names = ", ".join("abcdefgh"[: len(values)]) if len(values) <= 8 else "a, b, ..."
    return f"give each output its name: `{names} = ...`"


def _is_word(node: ast.Expression) -> bool:
    """Whether an argument is a word of the language: `none`, `inf` or an element type; a value of that name is written in quotes."""
    return isinstance(node, ast.Name) and not node.quoted and (node.text in ("none", "inf") or node.text in DTYPES)


def _is_absent(node: ast.Expression) -> bool:
    """Whether an argument is the word `none`; a value of that name is written in quotes."""
    return isinstance(node, ast.Name) and node.text == "none" and not node.quoted


class Elaborator:
    """One file, one network, one graph."""

    def __init__(self, file: ast.File, folder: Path | None, shapes: Shapes | None = None) -> None:
        self._file = file
        self._folder = folder
        self._shapes = shapes or {}
        self._problems: list[Diagnostic] = []
        self._steps = 0
        self._used: set[str] = set()
        self._open: list[str] = []  # blocks that are being written out

    def graph(self, network: str | None) -> Graph:
        """The network called `network`, or the last one; raises CnnirError with everything found wrong."""
        try:
            self._found = collect(self._file, self._report)
            chosen = choose(self._found, network, self._file.span)
            stored = open_weights(self._found.weights, self._folder) if self._found.weights else None
            graph = Graph(chosen.name.text)
            listing = self._found.listings.get(chosen.name.text)
            self._layers = Layers(graph, self._found, stored, Listed(listing) if listing else None)
            run(self._network(chosen, graph))
            for block in self._found.blocks.values():
                if block.name.text not in self._used:
                    for problem in problems_of(block, self._found, self._layers):
                        self._report(problem)
            if not self._problems:
                self._layers.close()
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
        declare_inputs(chosen, graph, scope, self._shapes, self._report)
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
                    values: Values = yield self._statement(statement, scope)
                    if statement is last:
                        graph.results.update(zip(self._result_names(statement), values, strict=True))
            except CnnirError as error:  # go on: later statements may be wrong in their own way
                self._report(error)
                if isinstance(statement, ast.Assign):
                    for target in statement.targets:
                        scope.values.setdefault(target.text, None)

    @staticmethod
    def _result_names(statement: ast.Statement) -> list[str]:
        if isinstance(statement, ast.Assign):
            return [target.text for target in statement.targets]
        return [statement.text if isinstance(statement, ast.Name) else "output"]

    def _return(self, statement: ast.Return, graph: Graph, scope: Scope) -> Task[None]:
        for place, result in enumerate(statement.results, start=1):
            value: Value = yield self._tensor(result.value, scope)
            written = result.name or (result.value if isinstance(result.value, ast.Name) else None)
            name = written.text if written else f"output{place}" if len(statement.results) > 1 else "output"
            if name in graph.results:
                raise refuse("C0306", f"two outputs are called `{name}`", result.span)
            graph.results[name] = value

    def _statement(self, statement: ast.Statement, scope: Scope) -> Task[Values]:
        """The values of a statement: as many as it gives names to, or one."""
        if isinstance(statement, ast.Return):
            raise no_return(statement)
        if not isinstance(statement, ast.Assign):
            return ((yield self._tensor(statement, scope)),)
        values: Values = yield self._tensors(statement.value, scope)
        if len(values) != len(statement.targets):
            names = f"{len(statement.targets)} name{'s' * (len(statement.targets) > 1)}"
            raise refuse("C0221", f"{names} for {len(values)} output{'s' * (len(values) > 1)}", statement.span, help=_naming(values))
        for target, value in zip(statement.targets, values, strict=True):
            scope.define(target, value)
        return values

    # -- chains -------------------------------------------------------------------------------------------------------

    def _tensor(self, node: ast.Expression, scope: Scope) -> Task[Value]:
        """The one tensor that an expression stands for."""
        return _only((yield self._tensors(node, scope)), node.span)

    def _tensors(self, node: ast.Expression, scope: Scope) -> Task[Values]:
        """The tensors that an expression stands for: several where it ends in a layer of several outputs."""
        if isinstance(node, ast.Name):
            if node.text not in scope.values and (self._layers.knows(node.text) or node.text in self._found.blocks):
                raise refuse("C0305", f"`{node.text}` has no input here", node.span, help=f"write `x -> {node.text}`")
            return (scope.value(node),)
        if isinstance(node, ast.Piped):
            if scope.piped is None:
                raise refuse("C0305", "`in` is the input of a block, and this is none", node.span)
            return (scope.piped,)
        if isinstance(node, ast.Call):
            return (yield self._call(node, None, scope))
        if isinstance(node, ast.OpaqueStep):
            return (yield self._opaque(node, None, scope))
        if isinstance(node, ast.Chain):
            value: Value = yield self._tensor(node.head, scope)
            return (yield self._chain(node.steps, value, scope))
        if isinstance(node, ast.Arithmetic | ast.Negative):
            return ((yield Infix(self._layers, self._tensor, self._is_tensor).tensor(node, scope)),)
        raise refuse("C0214", "expected a tensor", node.span)

    def _chain(self, steps: Sequence[ast.Step], value: Value, scope: Scope) -> Task[Values]:
        values = (value,)
        for place, step in enumerate(steps):
            value = _only(values, steps[place - 1].span)
            self._steps += 1
            if self._steps > MAX_STEPS:
                raise refuse("C0105", f"the network is too large: more than {MAX_STEPS:,} steps once written out", step.span)
            if isinstance(step, ast.OpaqueStep):
                values = yield self._opaque(step, value, scope)
            elif isinstance(step, ast.Repeat):
                values = yield self._repeat(step, value, scope)
            else:
                values = yield self._call(step, value, scope)
        return values

    def _repeat(self, step: ast.Repeat, value: Value, scope: Scope) -> Task[Values]:
        count = 1 if step.count is None else (yield number(step.count, scope))
        if not isinstance(count, int) or count < 0:
            assert step.count is not None
            raise refuse("C0214", "a chain is repeated a whole number of times, 0 or more", step.count.span, f"this is {count}")
        if self._steps + count * len(step.steps) > MAX_STEPS:
            raise refuse("C0105", f"the network is too large: more than {MAX_STEPS:,} steps once written out", step.span)
        values = (value,)
        for _ in range(count):
            values = yield self._chain(step.steps, _only(values, step.span), scope)
        return values

    # -- calls --------------------------------------------------------------------------------------------------------

    def _call(self, node: ast.Call, piped: Value | None, scope: Scope) -> Task[Values]:
        inputs: list[Value | None] = [] if piped is None else [piped]
        given: list[Given] = []
        number_first = False
        for argument in node.arguments:
            if argument.key is None and self._is_tensor(argument.value, scope):
                number_first = number_first or (bool(given) and not inputs)
                inputs.append((yield self._tensor(argument.value, scope)))
            elif argument.key is None and _is_absent(argument.value):
                inputs.append(None)
            else:
                said = literal(argument.value, scope)
                value = (yield datum(argument.value, scope)) if said is None else said
                given.append(Given(argument.key.text if argument.key else "", value, argument.span))
        if node.name.text in self._found.blocks:
            return (yield self._block(node, inputs, given, scope))
        return self._layers.add(node, inputs, given, scope, number_first)

    def _opaque(self, node: ast.OpaqueStep, piped: Value | None, scope: Scope) -> Task[Values]:
        inputs: list[Value | None] = [] if piped is None else [piped]
        given: list[Given] = []
        for argument in node.arguments:
            if argument.key is not None:
                value = yield datum(argument.value, scope)
                given.append(Given(argument.key.text, value, argument.span, argument.key.quoted))
            elif _is_absent(argument.value):
                inputs.append(None)
            else:
                inputs.append((yield self._tensor(argument.value, scope)))
        return self._layers.add_opaque(node, inputs, given, scope)

    def _is_tensor(self, node: ast.Expression, scope: Scope) -> bool:
        if isinstance(node, ast.Arithmetic | ast.Negative):
            return has_tensor(node, scope, self._is_tensor)
        produced = isinstance(node, ast.Call | ast.Chain | ast.Piped | ast.OpaqueStep)
        return produced or (isinstance(node, ast.Name) and node.text in scope.values and not _is_word(node))

    def _block(self, node: ast.Call, inputs: Sequence[Value | None], given: list[Given], scope: Scope) -> Task[Values]:
        block = self._found.blocks[node.name.text]
        name = block.name.text
        if len(inputs) != 1 or inputs[0] is None:
            raise refuse("C0201", f"block `{name}` takes one input, got {len(inputs)}", node.span)
        if self._open and self._found.order[name] >= self._found.order[self._open[-1]]:
            raise too_early(node)
        if len(self._open) >= MAX_BLOCKS:
            raise refuse("C0105", f"blocks are used inside one another more than {MAX_BLOCKS:,} deep", node.span)
        sizes = self._sizes(block, given, node.span)
        inner = Scope(f"{scope.next_name(name)}/", sizes, inputs[0])
        self._open.append(name)
        self._used.add(name)
        try:
            if block.steps is not None:
                return (yield self._chain(block.steps, inputs[0], inner))
            values: Values = (inputs[0],)
            for statement in block.body:
                values = yield self._statement(statement, inner)
            return values
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
