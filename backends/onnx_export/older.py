"""Forms of operators in opsets before the one that the rules of this folder are written for.

What is an input today often was an attribute; an attribute that is at its default may be one that there was not yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import defs, helper

from cnnir.diagnostics import OpError
from cnnir.types import TensorType

if TYPE_CHECKING:
    from .builder import Builder

NEWEST_FORM = 20
"""The opset of which the rules are."""

_REDUCTIONS = ("Max", "Min", "Mean", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
_ATTRIBUTES: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "Clip": (11, ("min", "max")),
    "Squeeze": (13, ("axes",)),
    "Unsqueeze": (13, ("axes",)),
    "Slice": (10, ("starts", "ends", "axes", "steps")),
    "Pad": (11, ("pads", "value")),
    "ReduceSum": (13, ("axes",)),
    **{f"Reduce{name}": (18, ("axes",)) for name in _REDUCTIONS},
}
"""Operator -> the opset since which its second and further inputs are inputs, and the attributes that they were before."""
_SCALARS = frozenset({"min", "max", "value"})


Call = tuple[str, Sequence[str], dict[str, Any]]
"""An operator, its inputs, its attributes."""


def older(build: Builder, operator: str, inputs: Sequence[str], attributes: Mapping[str, Any]) -> Call:
    """A node as the opset of `build` wants it; raises OpError where it cannot be said there."""
    opset, given = build.opset, dict(attributes)
    if operator in ("Max", "Min") and opset < 8:
        operator, inputs, given = _bound(build, operator, inputs)
    since, names = _ATTRIBUTES.get(operator, (0, ()))
    if opset < since:
        for name, tensor in zip(names, inputs[1:], strict=False):
            if tensor:
                given[name] = _numbers(build, tensor, name)
        inputs = inputs[:1]
    if operator == "Slice" and opset < 10 and set(given.pop("steps", [1])) != {1}:
        raise OpError("C0701", f"ONNX's Slice takes no steps in opset {opset}")
    if operator == "Gemm" and opset < 11 and len(inputs) == 2:
        inputs = [*inputs, build.scalar(0, "f32")]
    return operator, inputs, _known(operator, opset, given)


def _bound(build: Builder, operator: str, inputs: Sequence[str]) -> Call:
    """The larger of an element and a number: before opset 8 tensors are of one shape there, and a Clip says the same."""
    constants = [name for name in inputs if name in build.constants]
    if not constants:
        return operator, inputs, {}
    if len(inputs) != 2 or len(constants) != 1 or build.constants[constants[0]].shape:
        raise OpError("C0701", f"ONNX's {operator} takes tensors of one shape in opset {build.opset}")
    (data,) = (name for name in inputs if name != constants[0])
    return "Clip", [data], {"min" if operator == "Max" else "max": _numbers(build, constants[0], "min")}


def along(build: Builder, operator: str, data: str, t: TensorType, axis: int) -> str:
    """An operator along one axis; before opset 13 it is along this axis and all behind it, so there the axis goes last."""
    axis %= t.rank
    if build.opset >= 13 or axis == t.rank - 1:
        return build.node(operator, [data], t.dtype, axis=axis)
    order = [*(i for i in range(t.rank) if i != axis), axis]
    back = [order.index(i) for i in range(t.rank)]
    last = build.node(operator, [build.node("Transpose", [data], t.dtype, perm=order)], t.dtype, axis=t.rank - 1)
    return build.node("Transpose", [last], t.dtype, perm=back)


def _numbers(build: Builder, tensor: str, name: str) -> Any:
    array = build.constants[tensor].array if tensor in build.constants else None
    if array is None:
        raise OpError("C0701", f"`{name}` is an attribute in opset {build.opset}, and not known here")
    found = np.asarray(array())
    return float(found) if name in _SCALARS else [int(n) for n in found.reshape(-1)]


def _known(operator: str, opset: int, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Those attributes that the operator has; one that it does not have yet must be at its later default."""
    schema, later = defs.get_schema(operator, opset), defs.get_schema(operator, NEWEST_FORM)
    for name in attributes.keys() - schema.attributes.keys():
        default = later.attributes[name].default_value if name in later.attributes else None
        value: Any = attributes[name]
        plain = default is not None and default.name and helper.get_attribute_value(default) in (value, str(value).encode())
        if not plain and not (name == "dilations" and set(value) == {1}):
            raise OpError("C0701", f"ONNX's {operator} has no `{name}` in opset {opset}")
    return {name: value for name, value in attributes.items() if name in schema.attributes}
