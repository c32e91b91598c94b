"""An op and operands that it takes: attributes and operands are drawn until the op itself accepts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from cnnir.diagnostics import OpError
from cnnir.ir.graph import Graph, Value, absent_slots
from cnnir.ops.base import Op, OptionalInputs
from cnnir.types import TensorType

from .fields import attributes
from .kinds import Choice
from .types import types

Wanted = Value | TensorType | None
"""An operand: a value of the network, one of this type that is still to be made, or an absent input."""
ATTEMPTS = 4
MOST_ELEMENTS = 3000
"""Of one tensor: what a random network computes must be cheap."""
MOST_OPERANDS = 4


@dataclass(frozen=True)
class Fit:
    """An op and operands that it takes."""

    op: Op
    operands: tuple[Wanted, ...]


def plain(dtypes: Sequence[str]) -> Sequence[str]:
    """The dtypes that most ops compute in, or all of them where there is none."""
    return [dtype for dtype in dtypes if dtype in ("f32", "f64")] or dtypes


def truth(dtypes: Sequence[str]) -> Sequence[str]:
    """What logic computes in, where networks may have it: one of fifteen dtypes, which chance alone seldom finds."""
    return [dtype for dtype in dtypes if dtype == "bool"]


def accepted(graph: Graph, op: Op, operands: Sequence[Wanted]) -> bool:
    """Whether the op takes these operands and makes nothing large of them."""
    given = [graph.type(v) if isinstance(v, Value) else v for v in operands if v is not None]
    try:
        op = op.without(absent_slots([None if v is None else Value("") for v in operands]))
        op.check_arity(len(given))
        outputs = op.infer(given)
        weights = op.parameters(given).values()
    except OpError:
        return False
    return all(t.elements <= MOST_ELEMENTS for t in (*outputs, *(TensorType(p.dtype, p.shape) for p in weights)))


def fitting(draw: st.DrawFn, graph: Graph, kind: type[Op], values: Sequence[Value], choice: Choice) -> Fit | None:
    """Some op of this kind on values of the network, else on a new one of every rank in turn; None where nothing fits."""
    firsts: list[Wanted] = [None] * ATTEMPTS
    if kind.inputs[1]:
        known: list[Wanted] = [values[-1], values[-1], draw(st.sampled_from(values)), draw(st.sampled_from(values))] if values else []
        every = draw(st.permutations(list(dict.fromkeys(choice.axes))))
        turns = (choice.dtypes, plain(choice.dtypes), truth(choice.dtypes))
        new = [draw(types(dtypes, [each])) for dtypes in turns if dtypes for each in every]
        firsts = [*known, *new]
    for first in firsts:
        fit = _fit(draw, graph, kind, values, first)
        if fit is not None:
            return fit
    return None


def _fit(draw: st.DrawFn, graph: Graph, kind: type[Op], values: Sequence[Value], first: Wanted) -> Fit | None:
    data = graph.type(first) if isinstance(first, Value) else first
    for _ in range(ATTEMPTS):
        try:
            op = kind(**attributes(draw, kind, data))
        except OpError:
            continue
        operands = [] if first is None else [first, *_others(draw, graph, op, values, data)]
        if isinstance(op, OptionalInputs) and not kind.inputs[0] and draw(st.booleans()):
            operands = [None, *operands]
        if accepted(graph, op, operands):
            return Fit(op, tuple(operands))
    return None


def _others(draw: st.DrawFn, graph: Graph, op: Op, values: Sequence[Value], first: TensorType | None) -> list[Wanted]:
    """The operands behind the first."""
    least, most = op.inputs
    if most == 1 or first is None:
        return []
    count = draw(st.integers(max(least, 1), min(most, MOST_OPERANDS)))
    found: list[Wanted] = []
    related = st.sampled_from(_related(op, first))
    for slot in range(1, count):
        choices: list[st.SearchStrategy[Wanted]] = [related, related]
        if isinstance(op, OptionalInputs) and slot >= least:
            choices.append(st.none())
        alike = [v for v in values if graph.type(v) == first]
        choices += [st.sampled_from(each) for each in (alike, values) if each]
        if found:
            choices.append(st.just(found[-1]))
        found.append(draw(st.one_of(choices)))
    return found


def _related(op: Op, first: TensorType) -> list[TensorType]:
    """Types that have to do with the first operand's: what the op makes of it alone, its lengths, its shape in other dtypes."""
    try:
        op.check_arity(1)
        made = [t for t in op.infer([first]) if t.elements <= MOST_ELEMENTS]
    except OpError:
        made = []
    turned = (*first.shape[:-2], *first.shape[-2:][::-1])
    shapes = [first.shape, turned, first.shape[1:], tuple(1 for _ in first.shape), *((n,) for n in first.shape)]
    dtypes = [first.dtype, "i32", "i64", "bool", "f32"]
    return [first, *made, *dict.fromkeys(TensorType(dtype, shape) for dtype in dtypes for shape in shapes)]
