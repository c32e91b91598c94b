"""Recurrent layers with ONNX's meaning: LSTM, GRU and RNN over (time, batch, features). Nothing is proved of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from cnnir.diagnostics import OpError
from cnnir.types import TensorType

from .base import Array, OptionalInputs, Parameter, require, require_float, require_rank


def _sigmoid(x: Array) -> Array:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


@dataclass(frozen=True)
class Recurrent(OptionalInputs):
    """What recurrent layers share. Inputs: data (T, N, features), then optionally lengths i32[N] and first states (D, N, hidden).

    Outputs: all states (T, D, N, hidden), then the last ones (D, N, hidden); D is 2 for `bidirectional`, else 1.
    """

    separates_zeros: ClassVar[bool] = True
    gates: ClassVar[int] = 1
    states: ClassVar[int] = 1
    hidden: int
    direction: Literal["forward", "reverse", "bidirectional"] = "forward"
    bias: bool = True

    def __post_init__(self) -> None:
        require(self.hidden >= 1, "C0206", f"`{self.name}` needs a hidden size >= 1, got {self.hidden}")

    @property
    def directions(self) -> int:
        """How often the sequence is read."""
        return 2 if self.direction == "bidirectional" else 1

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        data, lengths, *first = [*self.slots(inputs), *[None] * 4][: 2 + self.states]
        assert data is not None
        require_float(self, [data])
        require_rank(self, data, 3, 3)
        time, batch, _ = data.shape
        state = data.with_shape((self.directions, batch, self.hidden))
        if lengths is not None and lengths != TensorType("i32", (batch,)):
            raise OpError("C0204", f"the lengths of `{self.name}` must be i32[{batch}], got {lengths}")
        for given in first:
            if given is not None and given != state:
                raise OpError("C0204", f"a first state of `{self.name}` must be {state}, got {given}")
        return (data.with_shape((time, self.directions, batch, self.hidden)), *[state] * self.states)

    def parameters(self, inputs: Sequence[TensorType]) -> Mapping[str, Parameter]:
        data, rows = inputs[0], self.gates * self.hidden
        found = {
            "weight": Parameter((self.directions, rows, data.shape[2]), data.dtype, "he", data.shape[2]),
            "recurrence": Parameter((self.directions, rows, self.hidden), data.dtype, "he", self.hidden),
        }
        if self.bias:
            found["bias"] = Parameter((self.directions, 2 * rows), data.dtype, "around_zero")
        return found

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        time, batch, features = inputs[0].shape
        return self.directions * time * batch * self.gates * self.hidden * (features + self.hidden)

    def step(self, x: Array, states: list[Array], weights: Mapping[str, Array]) -> list[Array]:
        """The states after one element of the sequence, the one that is an output first."""
        raise NotImplementedError

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        """In float64, rounded once at the end. Behind the length of a sequence outputs are 0 and states stay."""
        data, lengths, *first = [*self.slots(inputs), *[None] * 4][: 2 + self.states]
        assert data is not None
        time, batch, _ = data.shape
        ends = np.full(batch, time) if lengths is None else np.minimum(lengths, time)
        every = np.zeros((time, self.directions, batch, self.hidden))
        last = np.zeros((self.states, self.directions, batch, self.hidden))
        for d in range(self.directions):
            weights = {role: np.asarray(array[d], np.float64) for role, array in parameters.items()}
            backward = self.direction == "reverse" or d == 1
            states = [np.zeros((batch, self.hidden)) if s is None else np.asarray(s[d], np.float64) for s in first]
            for t in range(time):
                place = np.where(backward, ends - 1 - t, t)  # a short sequence is reversed within its own length
                running = (t < ends)[:, None]
                at = np.clip(place, 0, time - 1)
                after = self.step(np.asarray(data[at, np.arange(batch)], np.float64), states, weights)
                states = [np.where(running, new, old) for new, old in zip(after, states, strict=True)]
                rows = np.flatnonzero(t < ends)
                every[at[rows], d, rows] = states[0][rows]
            last[:, d] = states
        return (every.astype(data.dtype), *(state.astype(data.dtype) for state in last))


@dataclass(frozen=True)
class Lstm(Recurrent):
    """Long short-term memory; gates in ONNX's order: input, output, forget, cell. The last cell is the third output."""

    name: ClassVar[str] = "lstm"
    inputs: ClassVar[tuple[int, int]] = (1, 4)
    gates: ClassVar[int] = 4
    states: ClassVar[int] = 2
    peepholes: bool = False

    def parameters(self, inputs: Sequence[TensorType]) -> Mapping[str, Parameter]:
        found = dict(super().parameters(inputs))
        if self.peepholes:
            found["peephole"] = Parameter((self.directions, 3 * self.hidden), inputs[0].dtype, "around_zero")
        return found

    def step(self, x: Array, states: list[Array], weights: Mapping[str, Array]) -> list[Array]:
        hidden, cell = states
        total = x @ weights["weight"].T + hidden @ weights["recurrence"].T
        if self.bias:
            total = total + weights["bias"].reshape(2, -1).sum(axis=0)
        i, o, f, c = np.split(total, 4, axis=1)
        of_i, of_o, of_f = np.split(weights["peephole"], 3) if self.peepholes else np.zeros((3, self.hidden))
        new = _sigmoid(f + of_f * cell) * cell + _sigmoid(i + of_i * cell) * np.tanh(c)
        return [_sigmoid(o + of_o * new) * np.tanh(new), new]


@dataclass(frozen=True)
class Gru(Recurrent):
    """Gated recurrent unit; gates in ONNX's order: update, reset, hidden."""

    name: ClassVar[str] = "gru"
    inputs: ClassVar[tuple[int, int]] = (1, 3)
    gates: ClassVar[int] = 3
    linear_before_reset: bool = False

    def step(self, x: Array, states: list[Array], weights: Mapping[str, Array]) -> list[Array]:
        (hidden,) = states
        of_data, of_state = np.split(weights["bias"], 2) if self.bias else np.zeros((2, 3 * self.hidden))
        z, r, h = np.split(x @ weights["weight"].T + of_data, 3, axis=1)
        of_z, of_r, of_h = np.split(weights["recurrence"], 3)
        shift_z, shift_r, shift_h = np.split(of_state, 3)
        update = _sigmoid(z + hidden @ of_z.T + shift_z)
        reset = _sigmoid(r + hidden @ of_r.T + shift_r)
        if self.linear_before_reset:
            new = np.tanh(h + reset * (hidden @ of_h.T + shift_h))
        else:
            new = np.tanh(h + (reset * hidden) @ of_h.T + shift_h)
        return [(1 - update) * new + update * hidden]


@dataclass(frozen=True)
class Rnn(Recurrent):
    """The plain recurrent layer: tanh of the sums."""

    name: ClassVar[str] = "rnn"
    inputs: ClassVar[tuple[int, int]] = (1, 3)

    def step(self, x: Array, states: list[Array], weights: Mapping[str, Array]) -> list[Array]:
        total = x @ weights["weight"].T + states[0] @ weights["recurrence"].T
        return [np.tanh(total + weights["bias"].reshape(2, -1).sum(axis=0) if self.bias else total)]
