"""Program -> Graph: call by call, by the rules; what has none stays opaque."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cnnir.diagnostics import CnnirError, Diagnostic, Label, OpError, Origin, warn
from cnnir.ir.graph import Graph, Value
from cnnir.ir.weights import Held
from cnnir.ops.opaque import Opaque

from .build import Build, Known, Unsupported
from .cells import VIEWS, Cells
from .inputs import input_types
from .listing import origins
from .opaque import keep
from .program import Argument, Call, Program, Ref
from .rules import RULES
from .rules.table import Rule

_MOST_LISTED = 20


class _Missing(Exception):
    """An argument is the result of a call that could not be read."""


def build_graph(program: Program, shapes: Mapping[str, Sequence[int]] | None = None) -> Graph:
    """The network of a program; `shapes` gives inputs by name their shapes where sizes have only names.

    Raises CnnirError naming every operation that has no place in a network, and cells.Stale where memory is written under
    one name and read under another.
    """
    return _Importer(program, shapes or {}).graph


class _Importer:
    def __init__(self, program: Program, shapes: Mapping[str, Sequence[int]]) -> None:
        self.program = program
        self.graph = Graph(program.name)
        for key, source in program.state.items():
            if not isinstance(source, Held) or source.kind != "constant":
                self.graph.weights[key] = source
        self.build = Build(self.graph)
        self.cells = Cells()
        self.used = {ref.name for call in program.calls for ref in _refs(call.arguments.values())} | {
            r.name for r in _refs(program.outputs)
        }
        self.problems: list[Diagnostic] = []
        self.opaque: dict[str, str] = {}
        self._bind_inputs(shapes)
        for call, origin in zip(program.calls, origins(program.source, program.calls), strict=True):
            self._read(call, origin)
        if self.problems:
            raise CnnirError(self.problems)
        self._bind_outputs()
        self._sweep()

    def _bind_inputs(self, shapes: Mapping[str, Sequence[int]]) -> None:
        for result, t in input_types(self.program, shapes):
            self.cells.bind(result.name, self.graph.add_input(result.name, t))
        for name, tensor in self.program.tensors.items():
            source = tensor.source
            assert isinstance(source, Held)
            self.cells.bind(name, Known(tensor.key, source.values, source.kind))
            if name in self.used and tensor.key not in self.graph.weights:
                self.graph.weights[tensor.key] = source

    def _bind_outputs(self) -> None:
        refs = list(_refs(self.program.outputs))
        for ref in refs:
            name = "output" if len(refs) == 1 else ref.name
            content = self.cells[ref.name].read()
            self.graph.results[name] = self.build.value(content)

    def _sweep(self) -> None:
        """Take away what no output depends on, inputs apart."""
        live = self.graph.live()
        for layer in reversed(list(self.graph.layers())):
            if layer.name not in live and layer.name not in self.graph.inputs:
                self.graph.remove(layer.name)
        self._tell_of_opaque()

    def _tell_of_opaque(self) -> None:
        """Warn once of all layers that stay as PyTorch calls them."""
        kept = [layer for layer in self.graph.layers() if layer.name in self.opaque]
        if not kept:
            return
        spans = [(layer.origin.span, self.opaque[layer.name]) for layer in kept[:_MOST_LISTED]]
        labels = tuple(Label(span, reason, i == 0) for i, (span, reason) in enumerate(spans) if span)
        kinds = sorted({layer.op.kind for layer in kept if isinstance(layer.op, Opaque)})
        message = f"nothing is known of {len(kept)} operations, which stay as PyTorch calls them: {', '.join(kinds)}"
        warn(Diagnostic("C0862", message, labels, help="no layer moves past them, and they are not compiled", severity="warning"))

    # -- calls ------------------------------------------------------------------------------------------------------

    def _read(self, call: Call, origin: Origin) -> None:
        try:
            arguments = {("input" if name == "self" else name): self._resolve(a) for name, a in call.arguments.items()}
        except _Missing:
            return
        operation = call.operation
        rule, in_place = _rule(operation)
        build = self.build
        build.begin(_stem(call), origin)
        build.wanted = next((r.hint.dtype for r in call.results if r.hint), "")
        build.needed = [r.name in self.used for r in call.results]
        try:
            outcome = self._apply(call, rule, arguments)
        except Unsupported as error:
            self._refuse(call, str(error), origin)
            return
        self._bind(call, outcome, in_place)

    def _apply(self, call: Call, rule: Rule | None, arguments: Mapping[str, Any]) -> Any:
        """What a call gives, by its rule or as an opaque layer."""
        try:
            if rule is None:
                raise Unsupported("no layer means this")
            outcome = rule(self.build, **arguments)
            self._check(call, outcome)
            return outcome
        except (Unsupported, OpError) as error:
            reason = error.message if isinstance(error, OpError) else str(error)
        except TypeError as error:  # an argument that the rule does not know, of a newer PyTorch
            reason = str(error).partition(") ")[2] or str(error)
        if not any(self.build.needed):
            return tuple(None for _ in call.results) if call.several else None
        try:
            outcome = keep(self.build, call, arguments)
        except (Unsupported, OpError):
            raise Unsupported(reason) from None
        self.opaque[outcome[0].layer] = reason
        return outcome if call.several else outcome[0]

    def _check(self, call: Call, outcome: Any) -> None:
        """Whether what a rule made is of the types that the exporter says: a rule that errs must not go unnoticed."""
        for result, found in zip(call.results, outcome if call.several else (outcome,), strict=False):
            if result.hint is None or not isinstance(found, Value | Known):
                continue
            t = self.build.type(found)
            sizes = len(t.shape) == len(result.hint.shape) and all(h in (None, n) for h, n in zip(result.hint.shape, t.shape, strict=True))
            if not sizes or t.dtype != result.hint.dtype:
                raise Unsupported(f"it gives {result.hint.dtype}{list(result.hint.shape)} in PyTorch, and {t} here")

    def _bind(self, call: Call, outcome: Any, in_place: bool) -> None:
        base = [self.cells[r.name] for r in _refs(list(call.arguments.values())[:1])]
        if in_place and base:
            base[0].change(outcome)
            self.cells.share(call.results[0].name, base[0])
            return
        viewed = base if call.operation.partition(".")[0] in VIEWS else []
        parts = outcome if call.several else (outcome,)
        for result, part in zip(call.results, parts or (), strict=False):
            self.cells.bind(result.name, part, viewed)
        if call.name not in self.cells:
            self.cells.bind(call.name, outcome, viewed)

    def _refuse(self, call: Call, reason: str, origin: Origin) -> None:
        labels = (Label(origin.span, reason),) if origin.span else ()
        module = f" in `{call.where.path}`" if call.where.path else ""
        help = "write it with other operations, or leave it outside the network"
        self.problems.append(Diagnostic("C0862", f"`{call.target}`{module} has no place in a network", labels, help=help))

    def _resolve(self, argument: Argument) -> Any:
        if isinstance(argument, tuple):
            return tuple(self._resolve(part) for part in argument)
        if not isinstance(argument, Ref):
            return argument
        if argument.name not in self.cells:
            raise _Missing
        return self.cells[argument.name].read()


def _refs(arguments: Any) -> Iterator[Ref]:
    """Every value that arguments mention."""
    for argument in arguments:
        if isinstance(argument, Ref):
            yield argument
        elif isinstance(argument, tuple):
            yield from _refs(argument)


def _rule(operation: str) -> tuple[Rule | None, bool]:
    """The rule for an operation, and whether it writes into its first argument: PyTorch says that by a `_` at the end."""
    name, _, overload = operation.partition(".")
    in_place = name.endswith("_") and not name.startswith("_")
    plain = name.removesuffix("_") if in_place else name
    found = RULES.get(operation) or RULES.get(f"{plain}.{overload}") or RULES.get(plain)
    return found, in_place


def _stem(call: Call) -> str:
    """What the layers of a call are called: after the module, where that is an activation or the like."""
    path = call.where.path
    if not path:
        return call.name.rstrip("_").replace("/", "_") or call.name
    return path
