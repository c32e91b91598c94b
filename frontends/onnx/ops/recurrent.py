"""LSTM, GRU and RNN with their usual activations."""

from __future__ import annotations

from collections.abc import Sequence

from cnnir.ops.recurrent import Gru, Lstm, Recurrent, Rnn
from cnnir.ops.shape import Transpose

from ..context import Context
from ..node import Known, Node, Operand
from ..problems import refuse
from ..registry import Unreadable, reads

_USUAL = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}


@reads("LSTM", "GRU", "RNN")
def recurrent(node: Node, context: Context) -> Sequence[Operand]:
    """Data are (time, batch, features), or (batch, time, features) where the layout says so."""
    weight, recurrence = context.known(1), context.known(2)
    bias = None if node.input(3) is None else context.known(3)
    peephole = context.known(7) if node.op == "LSTM" and node.input(7) is not None else None
    op = _op(node, bias is not None, peephole is not None)
    batch_first = bool(node.int("layout"))
    states = [node.input(slot) for slot in range(5, 5 + op.states)]
    if batch_first:
        states = [None if s is None else context.emit(Transpose((1, 0, 2)), s) for s in states]
    data = context.emit(Transpose((1, 0, 2)), node.data()) if batch_first else node.data()
    given = {"weight": weight, "recurrence": recurrence, "bias": bias, "peephole": peephole}
    _check(node, context, op, data, given)
    made = context.outputs(context.emit(op, data, node.input(4), *states, **given))
    if not batch_first:
        return made
    return [context.emit(Transpose((2, 0, 1, 3)), made[0]), *(context.emit(Transpose((1, 0, 2)), last) for last in made[1:])]


def _op(node: Node, biased: bool, peepholes: bool) -> Recurrent:
    words = node.attributes.get("activations")
    usual = _USUAL[node.op]
    direction = node.text("direction", "forward")
    given = [w.decode("utf-8", "replace") for w in words.strings] if words else []
    if given and [w.lower() for w in given] != [w.lower() for w in usual * (len(given) // len(usual))]:
        raise Unreadable(f"its activations are {', '.join(given)}")
    if node.has("clip") or node.int("input_forget"):
        raise Unreadable("it clips its sums, or couples its gates")
    if direction not in ("forward", "reverse", "bidirectional"):
        raise refuse("C0811", f"`direction` of {node.title} is `{direction}`", node.span)
    hidden = node.int("hidden_size")
    if node.op == "LSTM":
        return Lstm(hidden, direction, biased, peepholes)
    if node.op == "GRU":
        return Gru(hidden, direction, biased, bool(node.int("linear_before_reset")))
    return Rnn(hidden, direction, biased)


def _check(node: Node, context: Context, op: Recurrent, data: Operand, given: dict[str, Known | None]) -> None:
    for role, parameter in op.parameters([context.type(data)]).items():
        found = given[role]
        if found is not None and found.type.shape != parameter.shape:
            shapes = f"{list(found.type.shape)}, and needs {list(parameter.shape)}"
            raise refuse("C0304", f"{node.title} has a {role} of shape {shapes}", node.span)
