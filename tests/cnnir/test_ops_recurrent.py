"""LSTM, GRU and the plain recurrent layer against ONNX's equations written out one number at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cnnir.diagnostics import OpError
from cnnir.ops.recurrent import Gru, Lstm, Rnn
from cnnir.types import TensorType

T, N, F, H = 4, 2, 3, 2
RNG = np.random.default_rng(5)
X = RNG.standard_normal((T, N, F))


def sigmoid(v: float) -> float:
    return 1 / (1 + math.exp(-v))


def weights(op: Any) -> dict[str, Any]:
    return {role: RNG.standard_normal(p.shape) for role, p in op.parameters([TensorType("f64", X.shape)]).items()}


def lstm(sequence: list[Any], h: list[float], c: list[float], w: Any, r: Any, b: Any, p: Any) -> tuple[list[list[float]], list[float]]:
    found: list[list[float]] = []
    for x in sequence:
        before, old, h, c = h, c, [0.0] * H, [0.0] * H
        for k in range(H):

            def total(gate: int, k: int = k, x: Any = x, before: Any = before) -> float:
                row = gate * H + k
                return float(sum(w[row] * x) + sum(r[row] * before) + b[row] + b[4 * H + row])

            i, f = sigmoid(total(0) + p[k] * old[k]), sigmoid(total(2) + p[2 * H + k] * old[k])
            c[k] = f * old[k] + i * math.tanh(total(3))
            h[k] = sigmoid(total(1) + p[H + k] * c[k]) * math.tanh(c[k])
        found.append(h)
    return found, c


@pytest.mark.parametrize("peephole", [False, True])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_lstm(direction: Any, peephole: bool) -> None:
    op = Lstm(H, direction, peepholes=peephole, absent=(1,))
    w, dirs = weights(op), op.directions
    first = RNG.standard_normal((dirs, N, H)), RNG.standard_normal((dirs, N, H))
    every, last, cell = op.evaluate([X, *first], w)
    for d, n in np.ndindex(dirs, N):
        backward = direction == "reverse" or d == 1
        p = w["peephole"][d] if peephole else np.zeros(3 * H)
        order = list(X[:, n])[::-1] if backward else list(X[:, n])
        h, c = lstm(order, first[0][d, n].tolist(), first[1][d, n].tolist(), w["weight"][d], w["recurrence"][d], w["bias"][d], p)
        np.testing.assert_allclose(every[:, d, n], h[::-1] if backward else h, rtol=1e-9)
        np.testing.assert_allclose(last[d, n], h[-1], rtol=1e-9)
        np.testing.assert_allclose(cell[d, n], c, rtol=1e-9)


def assert_steps(op: Gru | Rnn, given: dict[str, Any], step: Callable[[Any, list[float]], list[float]]) -> None:
    """Every output is `step(x, h)` of its input and of the output before it."""
    every, last = op.evaluate([X], given)
    for n in range(N):
        h = [0.0] * H
        for t in range(T):
            h = step(X[t, n], h)
            np.testing.assert_allclose(every[t, 0, n], h, rtol=1e-9)
        np.testing.assert_allclose(last[0, n], h, rtol=1e-9)


@pytest.mark.parametrize("linear", [False, True])
def test_gru(linear: bool) -> None:
    op = Gru(H, linear_before_reset=linear)
    given = weights(op)
    w, r, b = (given[role][0] for role in ("weight", "recurrence", "bias"))

    def step(x: Any, h: list[float]) -> list[float]:
        data = w @ x + b[: 3 * H]
        state = r[: 2 * H] @ h + b[3 * H : 5 * H]
        z = [sigmoid(data[k] + state[k]) for k in range(H)]
        reset = [sigmoid(data[H + k] + state[H + k]) for k in range(H)]
        own, shift = r[2 * H :], b[5 * H :]
        new: list[float] = []
        for k in range(H):
            inner = reset[k] * (float(sum(own[k] * h)) + shift[k]) if linear else float(sum(own[k] * reset * np.array(h))) + shift[k]
            new.append(math.tanh(data[2 * H + k] + inner))
        return [(1 - z[k]) * new[k] + z[k] * h[k] for k in range(H)]

    assert_steps(op, given, step)


def test_rnn() -> None:
    op = Rnn(H)
    given = weights(op)
    w, r, b = (given[role][0] for role in ("weight", "recurrence", "bias"))

    def step(x: Any, h: list[float]) -> list[float]:
        return [math.tanh(float(sum(w[k] * x)) + float(sum(r[k] * h)) + b[k] + b[H + k]) for k in range(H)]

    assert_steps(op, given, step)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_a_short_sequence_is_one_that_ends_sooner(direction: Any) -> None:
    op = Gru(H, direction)
    w = weights(op)
    every, last = op.evaluate([X, np.array([2, T], np.int32)], w)
    short, short_last = op.evaluate([X[:2, :1]], w)
    np.testing.assert_allclose(every[:2, :, :1], short, rtol=1e-12)
    np.testing.assert_allclose(last[:, :1], short_last, rtol=1e-12)
    assert not every[2:, :, 0].any()


def test_inputs_that_do_not_fit_are_refused() -> None:
    data, lengths = TensorType("f32", (T, N, F)), TensorType("i32", (N,))
    for op, inputs in (
        (Gru(H), [data, TensorType("i64", (N,))]), (Gru(H, absent=(1,)), [data, lengths]), (Lstm(H), [TensorType("f32", (T, N))]),
    ):  # fmt: skip
        with pytest.raises(OpError):
            op.infer(inputs)
    with pytest.raises(OpError, match="may not be absent"):
        Gru(H).without((0,))
