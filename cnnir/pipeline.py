"""Passes by name, and the runner that verifies the network after each of them."""

from __future__ import annotations

import dataclasses
import importlib
import time
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Protocol, runtime_checkable

from .decisions import Decision, Optimized
from .diagnostics import CnnirError, Diagnostic, Label, Span, alike
from .ir.graph import Graph
from .ir.verify import verify

Pass = Callable[[Graph], Graph]


@runtime_checkable
class Deciding(Protocol):
    """A pass that can say what it decided."""

    def decide(self, graph: Graph) -> Optimized:
        """The network afterwards, and the decisions."""
        ...


PassFactory = Callable[..., Pass]
Datum = str | int | float

PASSES: Mapping[str, str] = {
    "absorb": "cnnir.passes.absorb:AbsorbPass",
    "cascade": "cnnir.passes.cascade:CascadePass",
    "canonicalize": "cnnir.passes.canonicalize:Canonicalize",
    "dce": "cnnir.passes.dce:DropDead",
    "place": "cnnir.passes.place:PlacePass",
}
"""Name -> `module:factory`, imported when asked for; a factory is a frozen dataclass whose fields are the pass's options."""

USAGE = 2


@dataclass(frozen=True)
class Option:
    """One option of a pass as written, and where."""

    key: str
    value: Datum
    key_span: Span = field(repr=False, compare=False)
    value_span: Span = field(repr=False, compare=False)


@dataclass(frozen=True)
class PassCall:
    """One pass of a pipeline as written, and where."""

    name: str
    span: Span = field(repr=False, compare=False)
    options: tuple[Option, ...] = ()


@dataclass(frozen=True)
class Step:
    """What a pass left behind: its place in the pipeline from 1 on, its name, the verified network, the time it took, and
    what it decided if it is a pass that decides."""

    number: int
    name: str
    graph: Graph
    seconds: float
    decisions: tuple[Decision, ...] = ()


def make(name: str, **options: object) -> Pass:
    """The pass called `name` with these options; raises KeyError for a name that is not registered."""
    return _factory(name)(**options)


def _factory(name: str) -> PassFactory:
    module, factory = PASSES[name].split(":")
    return getattr(importlib.import_module(module), factory)


Given = Mapping[str, Callable[[], object]]


def make_all(calls: Iterable[PassCall], given: Given = MappingProxyType({})) -> dict[int, tuple[str, Pass]]:
    """Number from 1 on -> (name, pass); raises CnnirError (exit code 2) with everything that names no pass or option.

    `given` makes what is no option and cannot be written, such as evidence, for the passes that have a field of that name.
    """
    made: dict[int, tuple[str, Pass]] = {}
    problems: list[Diagnostic] = []
    for number, call in enumerate(calls, start=1):
        try:
            made[number] = (call.name, _make(call, given))
        except CnnirError as error:
            problems += error.diagnostics
    if problems:
        raise CnnirError(problems, USAGE)
    return made


def run(graph: Graph, passes: Iterable[Pass]) -> Graph:
    """The network after all passes, verified before the first and after each; raises CnnirError where one breaks it."""
    return run_steps(graph, {number: ("", each) for number, each in enumerate(passes, start=1)}, lambda step: None)


def run_steps(graph: Graph, passes: Mapping[int, tuple[str, Pass]], watch: Callable[[Step], None]) -> Graph:
    """The same, for passes with names, telling `watch` after each."""
    verify(graph)
    for number, (name, each) in passes.items():
        start = time.perf_counter()
        done = each.decide(graph) if isinstance(each, Deciding) else Optimized(each(graph), ())
        graph = done.graph
        seconds = time.perf_counter() - start
        verify(graph)
        watch(Step(number, name, graph, seconds, done.decisions))
    return graph


# -- options ----------------------------------------------------------------------------------------------------------


def _make(call: PassCall, given: Given) -> Pass:
    if call.name not in PASSES:
        help = alike(call.name, PASSES) or f"passes are {_listing(PASSES)}"
        raise _refused("C0510", f"there is no pass `{call.name}`", call.span, help)
    factory = _factory(call.name)
    kinds = _options(factory)
    values: dict[str, object] = {}
    places: dict[str, Span] = {}
    for option in call.options:
        if option.key not in kinds:
            known = f"its options are {_listing(kinds)}" if kinds else "it has no options"
            raise _refused("C0511", f"pass `{call.name}` has no option `{option.key}`", option.key_span, alike(option.key, kinds) or known)
        if option.key in values:
            first = Label(places[option.key], "first given here", primary=False)
            raise _refused("C0511", f"`{option.key}` is given twice", option.key_span, None, first)
        values[option.key], places[option.key] = _value(option, kinds[option.key]), option.key_span
    own = {f.name for f in dataclasses.fields(typing.cast(Any, factory))}
    return factory(**values, **{name: make() for name, make in given.items() if name in own})


def _options(factory: PassFactory) -> dict[str, Any]:
    """Option -> type, of those that can be written: words out of several, switches, numbers and texts."""
    hints = typing.get_type_hints(factory)
    names = [f.name for f in dataclasses.fields(typing.cast(Any, factory))]
    return {n: hints[n] for n in names if typing.get_origin(hints[n]) is Literal or hints[n] in (bool, int, float, str)}


def _value(option: Option, kind: Any) -> object:
    value = option.value
    if typing.get_origin(kind) is Literal:
        choices: tuple[str, ...] = typing.get_args(kind)
        if value in choices:
            return value
        help = alike(str(value), choices) or f"it is one of {_listing(choices)}"
        raise _refused("C0511", f"`{option.key}` cannot be `{value}`", option.value_span, help)
    if kind is bool and value in ("on", "off"):
        return value == "on"
    if (kind is int and isinstance(value, int)) or (kind is str and isinstance(value, str)):
        return value
    if kind is float and not isinstance(value, str):
        return float(value)
    wanted = {bool: "`on` or `off`", int: "a whole number", float: "a number", str: "a text"}[kind]
    raise _refused("C0511", f"`{option.key}` must be {wanted}", option.value_span, None)


def _listing(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _refused(code: str, message: str, span: Span, help: str | None, *others: Label) -> CnnirError:
    return CnnirError(Diagnostic(code, message, (Label(span), *others), help=help), USAGE)
