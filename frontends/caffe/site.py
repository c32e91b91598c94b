"""One layer being translated: what it reads, what it says, and the graph that it becomes part of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnir.diagnostics import CnnirError, OpError, Origin
from cnnir.ir.graph import Graph, Value
from cnnir.ir.weights import Computed, Held, Seeded
from cnnir.ops.base import Array, Op, Parameter
from cnnir.types import TensorType, numpy_dtype

from ..problems import refuse, refused_by_op
from .model.blobs import Blob, fitted
from .net import Layer
from .record import Record

Coefficients = Mapping[str, Array | None]
"""Role -> numbers, or None for those that are drawn from their key."""


@dataclass(eq=False)
class Site:
    """A layer at its place. `blobs` are its own of the weights file; None where there is no such file.

    `follower` is the layer that alone reads what this one makes, and nothing else; a translation that takes it along sets `took`.
    """

    graph: Graph
    layer: Layer
    inputs: list[Value]
    blobs: list[Blob] | None
    follower: Layer | None = None
    follower_blobs: list[Blob] | None = None
    took: bool = field(default=False)

    @property
    def types(self) -> list[TensorType]:
        """Types of the inputs."""
        return [self.graph.type(value) for value in self.inputs]

    @property
    def data(self) -> Value:
        """The first input."""
        return self.inputs[0]

    @property
    def type(self) -> TensorType:
        """The type of the first input."""
        return self.graph.type(self.inputs[0])

    def parameter(self, name: str) -> Record:
        """The message of that name, such as `convolution_param`."""
        return self.layer.parameter(name)

    def axis(self, said: Record, field: str = "axis", rank: int | None = None) -> int:
        """An axis counted from the front; raises CnnirError where the input has no such axis."""
        rank = self.type.rank if rank is None else rank
        axis = said.whole(field)
        if not -rank <= axis < rank:
            raise self.refuse(f"there is no axis {axis} here: the input is {self.type}", said, field, "C0209")
        return axis % rank

    # -- building -----------------------------------------------------------------------------------------------------

    def emit(self, op: Op, *values: Value, weights: Coefficients | None = None, suffix: str = "") -> Value:
        """Add a layer called as this one, or as this one with a suffix; raises CnnirError where op and inputs do not fit."""
        stem = f"{self.layer.name}/{suffix}" if suffix else self.layer.name
        inputs = list(values) if values or op.inputs[1] == 0 else [self.data]
        try:
            needed = op.parameters([self.graph.type(value) for value in inputs])
            op.check_arity(len(inputs))
            outputs = self.graph.infer(op, [self.graph.type(value) for value in inputs])
        except OpError as error:
            raise refused_by_op(error, self.layer.span, self.graph, inputs, f"layer `{self.layer.name}`: ") from None
        if any(t.elements >= 2**63 for t in outputs):
            raise refuse("C0210", "the tensor is too large: its elements do not count in 64 bits", self.layer.span, f"this is {outputs[0]}")
        keys = {
            role: self._store(role, parameter, place, (weights or {}).get(role)) for place, (role, parameter) in enumerate(needed.items())
        }
        return self.graph.add(op, inputs, name=self.graph.fresh(stem), weights=keys, origin=Origin(self.layer.span))

    def numbers(self, place: int, shape: tuple[int, ...], blobs: list[Blob] | None = None) -> Array | None:
        """A blob of the weights file in a shape; None where there is no such file. Raises CnnirError where it does not fit."""
        found = self.blobs if blobs is None else blobs
        return None if found is None else fitted(found, place, shape, self.layer)

    def _store(self, role: str, parameter: Parameter, place: int, values: Array | None) -> str:
        """The key of a weight; those that layers share have the name that the file gives them."""
        shared = self.layer.shared[place] if place < len(self.layer.shared) else ""
        key, weights = shared or f"{self.layer.name}.{role}", self.graph.weights
        if key in weights and not shared:
            key = weights.fresh(key)
        if key not in weights:
            weights[key] = Seeded(key, parameter) if values is None else _source(values, numpy_dtype(parameter.dtype))
        elif weights.shape(key) != parameter.shape:
            message = f"weight `{key}` is {list(weights.shape(key))} elsewhere, and must be {list(parameter.shape)} here"
            raise refuse("C0304", message, self.layer.span)
        return key

    # -- refusing -----------------------------------------------------------------------------------------------------

    def refuse(
        self, message: str, said: Record | None = None, field: str | None = None, code: str = "C0844", help: str | None = None
    ) -> CnnirError:
        """A diagnostic at a field of a message, where the file gives it, or at the layer."""
        span = said.span(field) if said is not None and field is not None and field in said else self.layer.span
        return refuse(code, message, span, help=help)


def _source(values: Array, dtype: np.dtype[Any]) -> Held | Computed:
    """Numbers that lie in a file: as they are, or copied when they are asked for, where they lie askew, turned, or in another dtype."""
    if values.dtype == dtype and values.flags.aligned and values.flags.c_contiguous:
        return Held(values)
    return Computed(values.shape, dtype, lambda: np.array(values, dtype, order="C"))
