"""Random networks: chains, branches, repeated pieces, shared weights, names of every kind, layers that nothing needs."""

from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import strategies as st

from cnnir.ir.graph import Graph, Value
from cnnir.ir.weights import Seeded
from cnnir.ops.base import Op
from cnnir.ops.constant import Constant
from cnnir.ops.convert import Cast
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.pooling import Pooling
from cnnir.types import TensorType

from .fitting import Wanted, accepted, fitting
from .kinds import EVALUATED, Choice
from .types import ranges, types
from .words import NAMES

_KEYS = st.one_of(st.none(), st.none(), st.none(), st.sampled_from(["conv2", "k", "a.weight"]), NAMES)


def graphs(
    axes: Sequence[int] = (2,), most: int = 8, dtypes: Sequence[str] = ("f32",), ops: Sequence[type[Op]] = EVALUATED
) -> st.SearchStrategy[Graph]:
    """Networks whose inputs have these dtypes and so many spatial axes (-1: rank 1, -2: a single number).

    `most` steps, each a layer of one of `ops`, an activation and a pool, or a repetition of the last ones. A network sticks
    to a few ops, as often as not to two activations and two pools above all, so that what a pass looks for does occur.
    """
    return _networks(Choice(tuple(axes), most, tuple(dtypes), tuple(ops)))


@st.composite
def _networks(draw: st.DrawFn, choice: Choice) -> Graph:
    growth = _Growth(draw, Graph(draw(NAMES)), choice)
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 2, 3]))):
        growth.new_input(draw(types(choice.dtypes, choice.axes)))
    palette = growth.palette()
    for _ in range(draw(st.integers(min(1, choice.most), choice.most))):
        if growth.added and not draw(st.integers(0, 4)):
            growth.repeat()
        else:
            for kind in draw(st.sampled_from(palette)):
                growth.layer(kind)
    growth.finish()
    return growth.graph


class _Growth:
    """A network that is being made."""

    def __init__(self, draw: st.DrawFn, graph: Graph, choice: Choice) -> None:
        self.draw = draw
        self.graph = graph
        self.choice = choice
        self.values: list[Value] = []
        self.added: list[str] = []

    def palette(self) -> list[tuple[type[Op], ...]]:
        """The kinds of layers of this network. Chosen evenly: hypothesis likes to choose again what it has chosen before."""
        chance = random.Random(self.draw(st.integers(0, 2**24)))
        found: list[tuple[type[Op], ...]] = [(chance.choice(self.choice.ops),) for _ in range(self.draw(st.integers(1, 5)))]
        layers = [op for op in self.choice.ops if issubclass(op, Elementwise)]
        pools = [op for op in self.choice.ops if issubclass(op, Pooling)]
        if layers and pools and self.draw(st.booleans()):
            found += [(chance.choice(layers), chance.choice(pools)) for _ in range(2)]  # what placement is about
        return found

    def new_input(self, type: TensorType) -> Value:
        """One more network input."""
        declared = None if type.dtype.startswith("f8") else self.draw(ranges(type.dtype))
        self.values.append(self.graph.add_input(self.graph.fresh(self.draw(NAMES)), type, declared))
        return self.values[-1]

    def layer(self, kind: type[Op]) -> None:
        """A layer of this kind, if one fits."""
        fit = fitting(self.draw, self.graph, kind, self.values, self.choice)
        if fit is not None:
            self._add(fit.op, [self._made(wanted) for wanted in fit.operands], self.draw(_KEYS))

    def repeat(self) -> None:
        """The last layers once more or several times, each time on what the last time made."""
        period = self.draw(st.integers(1, min(4, len(self.added))))
        piece = self.added[-period:]
        key = self.draw(_KEYS)
        for _ in range(self.draw(st.integers(1, 3))):
            moved = {value: self.values[-1] for value in self.graph.operands(piece[0])[:1] if value is not None}
            for name in piece:
                op, operands = self.graph[name].op, [moved.get(v, v) if v else None for v in self.graph.operands(name)]
                if not accepted(self.graph, op, operands) or len(self.graph) > 60:
                    return
                again = self._add(op, operands, key)
                moved |= dict(zip(self.graph.values(name), self.graph.values(again.layer), strict=True))

    def finish(self) -> None:
        """The network's outputs: the newest value, and any others."""
        others = self.draw(st.lists(st.sampled_from(self.values), max_size=2))
        kept = [self.values[-1], *others]
        names = self.draw(st.lists(st.one_of(st.just("output"), NAMES), min_size=len(kept), max_size=len(kept), unique=True))
        self.graph.results = dict(zip(names, kept, strict=True))

    def _made(self, wanted: Wanted) -> Value | None:
        if not isinstance(wanted, TensorType):
            return wanted
        alike = [v for v in self.values if self.graph.type(v) == wanted]
        if alike and self.draw(st.booleans()):
            return self.draw(st.sampled_from(alike))
        if Constant in self.choice.ops and self.draw(st.booleans()):
            return self._add(Constant(wanted), [])
        shaped = [v for v in self.values if self.graph.type(v).shape == wanted.shape]
        if shaped and Cast in self.choice.ops and self.draw(st.booleans()):
            return self._add(Cast(wanted.dtype), [self.draw(st.sampled_from(shaped))])  # pyright: ignore[reportArgumentType] - a DType
        return self.new_input(wanted)

    def _add(self, op: Op, operands: Sequence[Value | None], key: str | None = None) -> Value:
        """Add a layer with seeded weights, under its own name or under `key`."""
        graph = self.graph
        name = graph.fresh(self.draw(NAMES) if not self.draw(st.integers(0, 3)) else op.name)
        weights: dict[str, str] = {}
        for role, parameter in op.parameters([graph.type(v) for v in operands if v is not None]).items():
            where = f"{key or name}.{role}"
            while where in graph.weights and graph.weights.source(where) != Seeded(where, parameter):
                where += f"/{name}"
            weights[role] = where
            graph.weights[where] = Seeded(where, parameter)
        added = graph.add(op, operands, name=name, weights=weights)
        self.added.append(name)
        self.values += graph.values(name)
        return added
