"""ONNX's own tests of operators, run through the importer, and what comes out of them as a table: `make docs`.

Most of them give weights and shapes as inputs, which a network here has at hand when it is read: where a node asks for the
value of an input, that input is put into the model as an initializer, and the model is read again.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnir.diagnostics import CnnirError

if TYPE_CHECKING:
    from onnx import ModelProto

    from cnnir.ir.graph import Graph

Array = np.ndarray[Any, Any]
Feeds = Mapping[str, Array]
Run = Callable[["Graph", Feeds], Mapping[str, Array]]

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "convolution": ("Conv", "ConvTranspose", "Gemm", "MatMul"),
    "pooling": ("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LpPool", "MaxPool"),
    "activations": (
        "Celu", "Clip", "Elu", "Gelu", "Hardmax", "HardSigmoid", "HardSwish", "LeakyRelu", "LogSoftmax", "Mish", "PRelu", "Relu",
        "Selu", "Shrink", "Sigmoid", "Softmax", "Softplus", "Softsign", "Swish", "Tanh", "ThresholdedRelu",
    ),
    "normalisation": (
        "BatchNormalization", "GroupNormalization", "InstanceNormalization", "LRN", "LayerNormalization", "LpNormalization",
        "MeanVarianceNormalization", "RMSNormalization",
    ),
    "arithmetic": (
        "Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Div", "Equal", "Erf", "Exp",
        "Floor", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mod", "Mul", "Neg",
        "Not", "Or", "Pow", "Reciprocal", "Round", "Sign", "Sin", "Sinh", "Sqrt", "Sub", "Sum", "Tan", "Where", "Xor",
    ),
    "reductions": (
        "ArgMax", "ArgMin", "CumSum", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
        "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare",
    ),
    "shape": (
        "Cast", "CastLike", "Concat", "Constant", "ConstantOfShape", "DepthToSpace", "Expand", "Flatten", "Gather", "Pad", "Reshape",
        "Resize", "Shape", "Size", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze", "Upsample",
    ),
    "quantized": (
        "ConvInteger", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "QLinearConv", "QLinearMatMul", "QuantizeLinear",
    ),
    "recurrent": ("GRU", "LSTM", "RNN"),
}  # fmt: skip
"""Operators of which every test must pass, by family; but for those whose element type has no place here."""

NO_TYPE = "C0812"
"""The code with which those are refused."""


@dataclass(frozen=True)
class Case:
    """One test: a model of one operator, or of the function that it stands for."""

    name: str
    op: str
    model: ModelProto
    data: Sequence[tuple[Sequence[Any], Sequence[Any]]]
    rtol: float
    atol: float


@dataclass(frozen=True)
class Outcome:
    """What became of a test: passed, or why not. A wrong answer is `differs`."""

    verdict: str
    why: str = ""
    codes: tuple[str, ...] = ()


@cache
def cases() -> tuple[Case, ...]:
    """All of them, in order."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: list[Any] = list(load_model_tests(kind="node"))
    operators = {t.name: t.model.graph.node[0].op_type for t in found if len(t.model.graph.node) == 1}
    return tuple(Case(t.name, _operator(t, operators), t.model, t.data_sets, t.rtol, t.atol) for t in found)


def _operator(test: Any, operators: Mapping[str, str]) -> str:
    base = test.name.split("_expanded")[0]
    return operators.get(test.name) or operators.get(base) or "(several nodes)"


def judged(case: Case, run: Run) -> Outcome:
    """Read a test's model, run it, and compare with what it expects, within its own tolerance."""
    for given, wanted in case.data:
        try:
            graph, feeds = imported(case, given)
            strange = [layer.op for layer in graph.layers() if hasattr(layer.op, "payload")]
            if strange:
                return Outcome("opaque", str(getattr(strange[0], "reason", "")))
            found = run(graph, feeds)
        except CnnirError as error:
            return Outcome("refused", error.diagnostics[0].message, tuple(d.code for d in error.diagnostics))
        for made, expected in zip(found.values(), wanted, strict=False):
            problem = _difference(made, _array(expected), case)
            if problem:
                return Outcome("differs", problem)
    return Outcome("passed")


def _difference(made: Array, expected: Array, case: Case) -> str:
    if made.shape != expected.shape:
        return f"the shape is {list(made.shape)}, not {list(expected.shape)}"
    exact = expected.dtype.kind in "biu" or str(expected.dtype).startswith(("int", "uint"))
    if exact:
        return "" if np.array_equal(made, expected.astype(made.dtype)) else "whole numbers differ"
    if made.dtype != expected.dtype:
        return f"it is {made.dtype}, not {expected.dtype}"
    a, b = made.astype(np.float64), expected.astype(np.float64)
    with np.errstate(all="ignore"):
        near = np.isclose(a, b, case.rtol, case.atol, equal_nan=True)
    return "" if near.all() else f"{int((~near).sum())} of {near.size} numbers, by up to {np.nanmax(np.abs(a - b)[~near]):.2g}"


def _array(value: Any) -> Array:
    from onnx import TensorProto, numpy_helper

    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)


def imported(case: Case, given: Sequence[Any]) -> tuple[Graph, dict[str, Array]]:
    """The network of a test and the inputs that are left; raises CnnirError."""
    names = [info.name for info in case.model.graph.input]
    feeds = {name: _array(value) for name, value in zip(names, given, strict=False) if not isinstance(value, list | type(None))}
    fixed = {name for name, value in feeds.items() if value.dtype.kind != "O" and not value.size}
    whole = {name for name, value in feeds.items() if value.dtype.kind in "iub"}
    while True:
        try:
            graph = _read(case, feeds, fixed)
        except CnnirError as error:
            unknown = {d.code for d in error.diagnostics} == {"C0808"}
            if not unknown or whole <= fixed:
                raise
            fixed = fixed | whole  # what was asked for is made of them
            continue
        needs = {name for layer in graph.layers() for name in _needs(layer.op)} & feeds.keys()
        if needs <= fixed:
            return graph, {name: feeds[name].astype(t.numpy, copy=False) for name, t in graph.inputs.items()}  # int4 lies in bytes
        fixed = fixed | needs


def _needs(op: Any) -> Iterable[str]:
    payload: Mapping[str, Any] = dict(getattr(op, "payload", ()))
    return payload.get("needs", ())


def _read(case: Case, feeds: Feeds, fixed: set[str]) -> Graph:
    from onnx import ModelProto, numpy_helper

    from cnnir.frontends import onnx as frontend

    model = ModelProto()
    model.CopyFrom(case.model)
    kept = [info for info in model.graph.input if info.name not in fixed]
    model.graph.initializer.extend(numpy_helper.from_array(feeds[name], name) for name in sorted(fixed))
    del model.graph.input[:]
    model.graph.input.extend(kept)
    shapes = {i.name: feeds[i.name].shape for i in kept if i.name in feeds and i.type.HasField("tensor_type")}
    return frontend.parse(model.SerializeToString(), case.name, shapes)


def reference(graph: Graph, feeds: Feeds) -> Mapping[str, Array]:
    """By the NumPy reference."""
    from cnnir.api import evaluate

    return evaluate(graph, feeds)


def placed(place: Any) -> Run:
    """Compiled for this machine, moved as `place` says."""

    def run(graph: Graph, feeds: Feeds) -> Mapping[str, Array]:
        from cnnir.api import compile, optimize

        return compile(optimize(graph, place=place).graph, threads=1)(feeds)

    return run


def table() -> str:
    """What became of every test, operator by operator, as Markdown."""
    results: dict[str, list[Outcome]] = defaultdict(list)
    for case in cases():
        results[case.op].append(judged(case, reference))
    passed = sum(o.verdict == "passed" for found in results.values() for o in found)
    family = {op: name for name, ops in FAMILIES.items() for op in ops}
    rows = [_row(op, family.get(op, ""), results[op]) for op in sorted(results)]
    head = ["| operator | family | passed | the others |", "|---|---|---|---|"]
    return "\n".join([_HEAD.format(passed=passed, total=len(cases())), *head, *rows, ""])


def _row(op: str, family: str, found: Sequence[Outcome]) -> str:
    others = Counter((o.verdict, _short(o)) for o in found if o.verdict != "passed").most_common(3)
    listing = "; ".join(f"{count} {verdict}: {why}" for (verdict, why), count in others)
    return f"| {op} | {family} | {sum(o.verdict == 'passed' for o in found)} of {len(found)} | {listing} |"


def _short(outcome: Outcome) -> str:
    text = outcome.why.replace("|", "/")
    if outcome.codes:
        return f"{outcome.codes[0]}, {re.sub(r'`[^`]*`', '`...`', text)[:90]}"
    return text[:110]


_HEAD = """\
# ONNX

Written by `make docs`, from the tests of operators that the package `onnx` brings along: {passed} of {total} pass through
import and the NumPy reference, within each test's own tolerance.

An operator without a layer here is written out as the function that ONNX says it stands for, if it is one; otherwise the node is
kept word for word, *opaque*: it prints, it blocks every move, and is named when the network is to be compiled or evaluated.
*Refused* models end in a diagnostic with a code (`cnnc explain CODE`). What *differs* is computed, but not within the tolerance of the
test: that is so in 16-bit floats only, where the test rounds every step and the reference once.

Of the operators with a family every test passes, but for those whose element type has no place here (C0812).
"""

if __name__ == "__main__":
    sys.stdout.write(table())
