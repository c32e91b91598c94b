"""LSTM and GRU: PyTorch's gates in ONNX's order, which is ours. The weights are new ones, made of PyTorch's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cnnir.ops.recurrent import Gru, Lstm, Recurrent
from cnnir.ops.shape import Reshape, Slice, Transpose
from cnnir.ops.tensor import Concat

from ..build import Array, Build, Operand
from .table import Rule, known

_LSTM = (0, 3, 1, 2)
"""Where ONNX's gates (input, output, forget, cell) stand among PyTorch's (input, forget, cell, output)."""
_GRU = (1, 0, 2)
"""Update, reset, hidden; PyTorch has reset first."""


def _gates(values: Array, order: Sequence[int]) -> Array:
    parts = np.split(values, len(order), axis=0)
    return np.concatenate([parts[i] for i in order])


def _stacked(build: Build, weights: Sequence[Operand], order: Sequence[int]) -> Operand:
    """One tensor for all directions."""
    return build.derived(np.stack([_gates(known(w, "a recurrent weight").values, order) for w in weights]))


def _layer(
    build: Build, op: Recurrent, data: Operand, first: Sequence[Operand], params: Sequence[Operand], order: Sequence[int]
) -> tuple[Operand, ...]:
    """One layer: `params` are w, r and, with biases, bw, br of each direction."""
    each = 4 if op.bias else 2
    columns = [params[i::each] for i in range(each)]
    weights = {"weight": _stacked(build, columns[0], order), "recurrence": _stacked(build, columns[1], order)}
    if op.bias:
        both = [_stacked(build, column, order) for column in columns[2:]]
        weights["bias"] = build.derived(np.concatenate([known(b, "a recurrent bias").values for b in both], axis=1))
    named = {role: known(weight, "a recurrent weight") for role, weight in weights.items()}
    every, *last = build.outputs(op, data, None, *first, **named)
    time, directions, batch, hidden = build.shape(every)
    joined = build.add(Reshape((time, batch, directions * hidden)), build.add(Transpose((0, 2, 1, 3)), every))
    return joined, *last


def _rnn(
    build: Build, make: type[Lstm] | type[Gru], order: Sequence[int], input: Operand, hx: Sequence[Operand], params: Sequence[Operand],
    has_biases: bool, num_layers: int, bidirectional: bool, batch_first: bool,
) -> tuple[Operand, ...]:  # fmt: skip
    data = build.add(Transpose((1, 0, 2)), input) if batch_first else input
    directions = 2 if bidirectional else 1
    hidden = build.shape(hx[0])[2]
    direction = "bidirectional" if bidirectional else "forward"
    op = Gru(hidden, direction, has_biases, linear_before_reset=True) if make is Gru else make(hidden, direction, has_biases)
    each = len(params) // num_layers
    states: list[list[Operand]] = [[] for _ in hx]
    for i in range(num_layers):
        span = (i * directions,), ((i + 1) * directions,), (0,)
        first = [state if num_layers == 1 else build.add(Slice(*span), state) for state in hx]
        data, *last = _layer(build, op, data, first, params[i * each : (i + 1) * each], order)
        for found, state in zip(states, last, strict=True):
            found.append(state)
    whole = [s[0] if num_layers == 1 else build.add(Concat(0), *s) for s in states]
    return (build.add(Transpose((1, 0, 2)), data) if batch_first else data), *whole


def _lstm(
    build: Build, input: Operand, hx: Sequence[Operand], params: Sequence[Operand], has_biases: bool, num_layers: int, dropout: float,
    train: bool, bidirectional: bool, batch_first: bool,
) -> tuple[Operand, ...]:  # fmt: skip
    del dropout, train
    return _rnn(build, Lstm, _LSTM, input, hx, params, has_biases, num_layers, bidirectional, batch_first)


def _gru(
    build: Build, input: Operand, hx: Operand, params: Sequence[Operand], has_biases: bool, num_layers: int, dropout: float, train: bool,
    bidirectional: bool, batch_first: bool,
) -> tuple[Operand, ...]:  # fmt: skip
    del dropout, train
    return _rnn(build, Gru, _GRU, input, [hx], params, has_biases, num_layers, bidirectional, batch_first)


RULES: Mapping[str, Rule] = {"lstm.input": _lstm, "gru.input": _gru}
