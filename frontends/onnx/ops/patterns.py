"""Tensors that are made of places: OneHot, EyeLike."""

from __future__ import annotations

import numpy as np

from cnnir.ops.arithmetic import Add
from cnnir.ops.logic import Equal, Or, Where
from cnnir.ops.shape import Unsqueeze
from cnnir.types import numpy_dtype

from ..context import Context
from ..elements import DTYPES, element_name
from ..node import Known, Node, Operand
from ..registry import Unreadable, reads


@reads("OneHot")
def one_hot(node: Node, context: Context) -> Operand:
    """OneHot: one value at the places that are named, another elsewhere; negative places count from the end."""
    depth, rank = context.integers(1)[0], context.type(node.data()).rank + 1
    axis = node.int("axis", -1) % rank
    if not 0 < depth <= 1 << 24:
        raise Unreadable(f"its depth is {depth}")
    places = context.emit(Unsqueeze((axis,)), context.cast(node.data(), "i64"))
    every = np.arange(depth, dtype=np.int64).reshape(-1, *(1,) * (rank - 1 - axis))
    ends = (places, context.emit(Add(float(depth)), places))  # beyond both nothing is hit
    hit = context.emit(Or(), *(context.emit(Equal(), place, context.constant(every, "places")) for place in ends))
    off, on = context.known(2).array()
    return context.emit(Where(), hit, context.constant(np.asarray(on), "on"), context.constant(np.asarray(off), "off"))


@reads("EyeLike")
def eye_like(node: Node, context: Context) -> Operand:
    """Ones on a diagonal, in the shape of the input."""
    data, element = context.type(node.data()), node.int("dtype") or context.element(node.data())
    if element not in DTYPES or data.rank != 2 or data.elements > 1 << 24:
        raise Unreadable(f"it makes {element_name(element)}, or is too large")
    made = np.eye(*data.shape, k=node.int("k"), dtype=numpy_dtype(DTYPES[element]))
    return Known(node.outputs[0], (found := context.constant(made, "eye")).type, found.source)
