"""Networks that a law must refuse for one reason each, and windows of data that would show why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cnnir.ir.graph import Graph, Value
from cnnir.ops import arithmetic, piecewise, smooth
from cnnir.ops.convolution import Conv
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.pooling import AvgPool, MaxPool, MinPool, Pooling
from cnnir.ops.special_pools import MaxPoolPlaces
from cnnir.ops.tensor import Concat
from cnnir.passes.terms import Terms
from cnnir.scalar.expr import Expr, X, apply
from cnnir.types import TensorType

from .networks import Array, chain

TWO = MaxPool((2, 2), (2, 2))
AVERAGE = AvgPool((2, 2), (2, 2))
COUNTING = AvgPool((2, 2), (2, 2), (1, 1, 1, 1), count_include_pad=True)
EXACT, ULP, STRICT = Terms(), Terms("ulp"), Terms("ulp", "strict")


@dataclass(frozen=True)
class Spread(Elementwise):
    """An op that broadcasts its input along the first spatial axis."""

    name: ClassVar[str] = "spread"
    linear: bool = False

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        n, c, _, w = inputs[0].shape
        return (inputs[0].with_shape((n, c, 4, w)),)

    def formula(self) -> Expr:
        return X * 2 if self.linear else apply("max", X, 0)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        return (np.repeat(super().evaluate(inputs, parameters)[0], 4, axis=2),)


def window(*values: float, dtype: str = "float32") -> Callable[[], Array]:
    """One window of a 2 x 2 pool, everywhere, in every order of its elements."""

    def data() -> Array:
        rows = np.array([np.roll(values, k) for k in range(4)], dtype).reshape(1, 4, 2, 2)
        return np.concatenate([rows, rows[..., ::-1], rows[..., ::-1, :]], axis=1)

    return data


WINDOW = (1, 12, 2, 2)


def used_twice() -> Graph:
    """relu is read by a pool and by a sigmoid."""
    graph = chain(piecewise.Relu(), TWO, shape=WINDOW)
    graph.results["other"] = graph.add(smooth.Sigmoid(), [Value("relu")])
    return graph


def shown() -> Graph:
    """relu is an output of the network."""
    graph = chain(piecewise.Relu(), TWO, shape=WINDOW)
    graph.results["other"] = Value("relu")
    return graph


def two_values() -> Graph:
    """The sum of two network inputs."""
    graph = Graph()
    values = [graph.add_input(name, TensorType("f32", WINDOW)) for name in "xz"]
    graph.results["y"] = graph.add(TWO, [graph.add(arithmetic.Add(), values)])
    return graph


def places_used() -> Graph:
    """relu makes ties of negative numbers, and the first of them has another place than the greatest."""
    graph = chain(piecewise.Relu(), MaxPoolPlaces((2, 2), (2, 2)), shape=WINDOW)
    graph.results["places"] = Value("maxpool_with_places", 1)
    return graph


def mixed_slopes() -> Graph:
    """A PReLU whose slope is negative in channel 7 alone, in front of a min pool: there a valley is no good."""
    slopes = np.full(12, 0.25)
    slopes[7] = -0.41
    return chain(piecewise.PRelu(), MinPool((2, 2), (2, 2)), shape=WINDOW, weights={"slope": slopes})


def joined(axis: int) -> Graph:
    """Two relus joined, in front of a pool whose windows reach across the seam of a spatial axis."""
    graph = Graph()
    values = [graph.add(piecewise.Relu(), [graph.add_input(name, TensorType("f32", (1, 12, 2, 1 if axis == 3 else 2)))]) for name in "xz"]
    graph.results["y"] = graph.add(TWO, [graph.add(Concat(axis), values)])
    return graph


def joined_and_read() -> Graph:
    """A concat that a pool reads, and somebody else."""
    graph = joined(1)
    graph.results["other"] = graph.add(smooth.Sigmoid(), [Value("concat")])
    return graph


def pooled_twice(second: Pooling, *others: Elementwise, size: int = 4) -> Graph:
    """Two pools in a row, which would be cheaper as one if they were one."""
    return chain(TWO, second, *others, shape=(1, 4, size, size))


def pooled_and_read() -> Graph:
    """Two pools in a row, with what is between them read by somebody else."""
    graph = pooled_twice(TWO)
    graph.results["other"] = graph.add(smooth.Sigmoid(), [Value("maxpool")])
    return graph


def zeros() -> Array:
    """Of two zeros the one in a window of its own comes first, but not down the columns of both windows; and mirrored."""
    one = np.full((4, 4), -1, np.float32)
    one[0, 1], one[2, 0] = -0.0, 0.0
    return np.stack([one, -one, one[::-1, ::-1], one.T])[None] * np.float32(1)


def pointwise(conv: Conv, pool: AvgPool | MaxPool, *others: Elementwise) -> Graph:
    """A convolution in front of a pool."""
    return chain(conv, pool, *others, shape=(1, 4, 4, 4))


def pointwise_read() -> Graph:
    """A 1 x 1 convolution that somebody else reads, too."""
    graph = pointwise(Conv(4, (1, 1)), AVERAGE)
    graph.results["other"] = graph.add(smooth.Sigmoid(), [Value("conv")])
    return graph


def overflowing() -> Graph:
    """A 1 x 1 convolution that adds numbers of one sign up, on numbers up to the largest."""
    ones = {"weight": np.ones(()), "bias": np.zeros(())}
    return chain(Conv(4, (1, 1)), AVERAGE, shape=(1, 4, 4, 4), range=(-3e38, 3e38), weights=ones)


def image(*values: float) -> Callable[[], Array]:
    """A 4 x 4 image of 4 channels that repeats the values."""
    return lambda: np.resize(np.asarray(values, np.float32), (1, 4, 4, 4))


def rounds_down() -> Array:
    """Neighbours on which x / (1 + |x|), as computed, falls."""
    x = np.linspace(0.05, 0.95, 1 << 16).astype(np.float32)
    after = np.nextafter(x, np.float32(2))
    falls = np.flatnonzero(x / (1 + x) > after / (1 + after))
    pairs = np.stack([x[falls], after[falls]], axis=1)[:12]
    return np.tile(pairs[None, :, None, :], (1, 1, 2, 1)).astype(np.float32)
