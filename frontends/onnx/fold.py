"""Computing at import what does not depend on the inputs: the shape arithmetic that exporters write out as nodes.

ONNX's own evaluator does it, for operators that give few elements whatever they are given.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper

from .elements import ELEMENTS
from .node import Array, Known, Node, known

FOLDED = frozenset({
    "Abs", "Add", "And", "ArgMax", "ArgMin", "Cast", "CastLike", "Ceil", "Clip", "Concat", "CumSum", "Div", "Equal", "Exp",
    "Expand", "Flatten", "Floor", "Gather", "GatherElements", "GatherND", "Greater", "GreaterOrEqual", "Less", "LessOrEqual",
    "Log", "Max", "Mean", "Min", "Mod", "Mul", "Neg", "NonZero", "Not", "Or", "Pad", "Pow", "Range", "Reciprocal", "ReduceL1",
    "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum",
    "ReduceSumSquare", "Relu", "Reshape", "Round", "ScatterElements", "ScatterND", "Sign", "Slice", "Split", "Sqrt", "Squeeze",
    "Sub", "Sum", "Tile", "TopK", "Transpose", "Trilu", "Unsqueeze", "Where", "Xor",
})  # fmt: skip
MOST = 2**20
"""Elements that are folded at most; larger tensors are weights, and stay what they are."""


def fold(node: Node) -> list[Known] | None:
    """The node's outputs, if its inputs are known and few; None where it is to be read like any other."""
    given = [v for v in node.inputs if v is not None]
    if node.op not in FOLDED or node.proto.domain not in ("", "ai.onnx") or not given:
        return None
    tensors = [v for v in given if isinstance(v, Known)]
    if len(tensors) < len(given) or any(v.narrow or v.type.dtype.startswith(("f8", "bf")) for v in tensors) or not _bounded(node, tensors):
        return None
    arrays = [v.array() if isinstance(v, Known) else None for v in node.inputs]
    try:
        results = _evaluate(node, arrays)
    except Exception:  # whatever the evaluator cannot do is read as a layer, and refused there if it is wrong
        return None
    found: list[Known] = []
    for name, array in zip(node.outputs, results, strict=False):
        made: Array = np.asarray(array)
        if str(made.dtype) not in _NAMED:  # a list, or text
            return None
        found.append(known(name, made))
    return found


_NAMED = {"float16", "float32", "float64", "bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}


def _bounded(node: Node, tensors: list[Known]) -> bool:
    """Whether the result is small for certain."""
    sizes = [v.type.elements for v in tensors]
    if sum(sizes) > MOST:
        return False
    if node.op == "Concat":
        return True
    if node.op == "Range":
        start, limit, delta = (float(v.array().reshape(-1)[0]) for v in tensors[:3])
        return delta != 0 and (limit - start) / delta <= MOST
    if node.op in ("Expand", "Tile"):
        numbers = [int(n) for n in np.ravel(tensors[1].array()).tolist()]
        return all(n >= 0 for n in numbers) and max(1, sizes[0]) * math.prod(max(1, n) for n in numbers) <= MOST
    if node.op == "Pad":
        pads = tensors[1].array() if len(tensors) > 1 else np.asarray(node.ints("pads") or ())
        rank = tensors[0].type.rank
        return math.prod(n + int(np.abs(pads).sum()) for n in tensors[0].type.shape) <= MOST if rank else False
    return math.prod(max(1, n) for n in sizes) <= 64 * MOST


def _evaluate(node: Node, arrays: list[Any]) -> list[Any]:
    from onnx.reference import ReferenceEvaluator  # its import takes a moment, and many models need none of it

    names = [f"i{k}" if a is not None else "" for k, a in enumerate(arrays)]
    outputs = [f"o{k}" if name else "" for k, name in enumerate(node.outputs)]
    proto = NodeProto(op_type=node.op, input=names, output=outputs)
    proto.attribute.extend(node.attributes.values())
    inputs = [
        helper.make_tensor_value_info(n, ELEMENTS.get(_short(a), TensorProto.UNDEFINED), a.shape)
        for n, a in zip(names, arrays, strict=True)
        if n
    ]
    results = [helper.make_empty_tensor_value_info(n) for n in outputs if n]
    model = helper.make_model(helper.make_graph([proto], "fold", inputs, results), opset_imports=[helper.make_opsetid("", node.opset)])
    feeds = {n: a for n, a in zip(names, arrays, strict=True) if n}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        given = iter(ReferenceEvaluator(model).run(None, feeds))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    return [next(given) if name else None for name in outputs]


def _short(array: Any) -> str:
    from cnnir.types import dtype_name

    return dtype_name(array.dtype)
