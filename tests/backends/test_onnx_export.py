"""The exporter: every op, run by onnxruntime, against the NumPy reference."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from cnnir.backends.onnx_export import export, save  # noqa: E402
from cnnir.backends.reference import evaluate  # noqa: E402
from cnnir.diagnostics import CnnirError  # noqa: E402
from cnnir.ir.graph import Graph, Value  # noqa: E402
from cnnir.ir.weights import Seeded  # noqa: E402
from cnnir.ops import arithmetic as ar  # noqa: E402
from cnnir.ops import piecewise as pw  # noqa: E402
from cnnir.ops import pooling as po  # noqa: E402
from cnnir.ops import shape as sh  # noqa: E402
from cnnir.ops import smooth as sm  # noqa: E402
from cnnir.ops import tensor as te  # noqa: E402
from cnnir.ops.activation import UserActivation  # noqa: E402
from cnnir.ops.base import Op  # noqa: E402
from cnnir.ops.convolution import Conv, Dense  # noqa: E402
from cnnir.ops.elementwise import Elementwise  # noqa: E402
from cnnir.ops.registry import OPS  # noqa: E402
from cnnir.scalar.expr import Const, Param, X, apply  # noqa: E402
from cnnir.types import TensorType  # noqa: E402

RNG = np.random.default_rng(20261123)
EPS = float(np.finfo(np.float32).eps)


def add(graph: Graph, op: Op, inputs: Sequence[Value], name: str | None = None) -> Value:
    """A layer with seeded weights."""
    name = name or graph.fresh(op.name)
    parameters = op.parameters([graph.type(v) for v in inputs])
    for role, parameter in parameters.items():
        graph.weights[f"{name}.{role}"] = Seeded(f"{name}.{role}", parameter)
    return graph.add(op, inputs, name=name, weights={role: f"{name}.{role}" for role in parameters})


def single(op: Op, *shapes: Sequence[int], dtype: str = "f32") -> Graph:
    graph = Graph("one")
    inputs = [graph.add_input(f"x{i}", TensorType(dtype, tuple(s))) for i, s in enumerate(shapes)]
    graph.results["y"] = add(graph, op, inputs)
    return graph


def session(model: Any) -> Any:
    onnx.checker.check_model(model, full_check=True)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(graph: Graph, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    model = export(graph)
    names = [o.name for o in model.graph.output]
    return dict(zip(names, session(model).run(names, feeds), strict=True))


def check(graph: Graph, feeds: dict[str, np.ndarray], tolerance: float, absolute: float = 0.0) -> None:
    expected = evaluate(graph, feeds)
    found = run(graph, feeds)
    assert list(found) == list(expected)
    for name, wanted in expected.items():
        assert found[name].shape == wanted.shape and found[name].dtype == wanted.dtype
        np.testing.assert_allclose(found[name], wanted, rtol=tolerance, atol=absolute, err_msg=name)


def points(low: float, high: float) -> np.ndarray:
    """Numbers of a range, small ones of both signs among them, as (2, 3, 4, 40)."""
    tiny = [s * 10.0**-k for k in range(1, 9) for s in (-1, 1)]
    wanted = [0.0, *(v for v in tiny if low <= v <= high), low, high]
    rest = RNG.uniform(low, high, 960 - len(wanted))
    return np.concatenate([wanted, rest]).astype(np.float32).reshape(2, 3, 4, 40)


ODD = UserActivation("odd", apply("select", X, 0.5, sm.sigmoid(X * 2) + sm.softplus(-X), pw.clamp(X + 3, 0, 6) / 6 - apply("square", X)))
FLAT = UserActivation("flat", Const(2.5))
RANGES = {  # where a function is defined, or does not overflow
    "acos": (-1, 1), "asin": (-1, 1), "atanh": (-0.999, 0.999), "acosh": (1.01, 50), "log": (1e-4, 90), "log1p": (-0.99, 90),
    "sqrt": (0, 90), "rsqrt": (1e-3, 90), "reciprocal": (1e-3, 90), "div": (1e-2, 9), "tan": (-1.5, 1.5), "sinh": (-9, 9), "cosh": (-9, 9),
}  # fmt: skip


def all_default(cls: type[Op]) -> bool:
    return all(f.default is not dataclasses.MISSING for f in dataclasses.fields(cls))


VARIANTS: list[Op] = [
    *(cls() for cls in OPS.values() if issubclass(cls, Elementwise) and cls.inputs == (1, 1) and all_default(cls) and cls.name != "not"),
    *(c(constant=v, reverse=r) for c in (ar.Add, ar.Sub, ar.Mul, ar.Div, ar.Minimum, ar.Maximum) for v, r in ((0.7, False), (1.5, True))),
    pw.Leaky(0.3), pw.Leaky(-0.5), pw.Leaky(2.0), pw.PRelu("tensor"), pw.PRelu("element"), pw.Clip(-0.5, 0.75), pw.Clip(-math.inf, 1),
    pw.Clip(0, math.inf), pw.Clip(-math.inf, math.inf), pw.HardSigmoid(0.2, 0.4), pw.Threshold(-0.5), pw.Shrink(0.5, 0.25),
    pw.Threshold(0.5), pw.Shrink(-0.5, 0.25), pw.HardShrink(0.3), pw.HardShrink(-0.3), pw.SoftShrink(0.3), pw.SoftShrink(-0.3),
    sm.Elu(0.5), sm.Celu(2.0), sm.Celu(-1.0), sm.Selu(1.5, 1.1), sm.Gelu("tanh"),
    ar.Bias("tensor"), ar.Bias("element"), ar.BatchNorm(1e-3), ODD, FLAT,
]  # fmt: skip


# Relative to the value: a few roundings, one after another, and onnxruntime's exp, tanh and erf, good to a few units in
# the last place. Absolute, for differences of nearly equal numbers (the reference rounds at the same places, but an
# operator of ONNX rounds at its own): units in the last place of the largest operand, at most 9 in magnitude.
@pytest.mark.parametrize("op", VARIANTS, ids=lambda op: f"{op.name}-{list(op.attributes().values())}"[:40])
def test_elementwise(op: Op):
    low, high = RANGES.get(op.name, (-9.0, 9.0))
    check(single(op, (2, 3, 4, 40)), {"x0": points(low, high)}, 16 * EPS, 8 * EPS)


@pytest.mark.parametrize("name", ["expm1", "log1p", "tanh", "sinh", "elu", "tanhshrink"])
def test_small_numbers_keep_their_digits(name: str):
    x = np.array([s * 10.0**-k for k in range(1, 30) for s in (-1, 1)], np.float32).reshape(1, 2, 29)
    absolute = 1e-7 if name in ("elu", "tanhshrink") else 0.0  # Elu is exp(x) - 1 there; tanhshrink cancels by itself
    check(single(OPS[name](), x.shape), {"x0": x}, 16 * EPS, absolute)


@pytest.mark.parametrize("name", ["expm1", "log1p", "sigmoid", "softplus", "silu", "logsigmoid"])
def test_ends_of_the_range(name: str):
    low = -1.0 if name == "log1p" else -200.0
    x = np.array([low, low / 2, 50.0, 80.0, 1e4, 3e38], np.float32).reshape(1, 1, 6)
    with np.errstate(all="ignore"):
        check(single(OPS[name](), x.shape), {"x0": x}, 16 * EPS, 1e-37)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "min", "max"])
def test_two_tensors_broadcast(name: str):
    feeds = {"x0": points(-3, 3), "x1": RNG.uniform(0.5, 2, (3, 1, 1)).astype(np.float32)}
    check(single(OPS[name](), (2, 3, 4, 40), (3, 1, 1)), feeds, 2 * EPS)


@pytest.mark.parametrize("op", [pw.Relu(), pw.Relu6(), ar.Add(constant=3), ar.Neg(), pw.Abs(), pw.Clip(-2, 4)], ids=lambda op: op.name)
def test_integers(op: Op):
    check(single(op, (1, 3, 5), dtype="i32"), {"x0": np.arange(-7, 8, dtype=np.int32).reshape(1, 3, 5)}, 0)


DOUBLES = [sm.Sigmoid(), sm.Elu(0.3), OPS["log1p"](), pw.Leaky(0.1), ar.BatchNorm(), sm.Silu()]


@pytest.mark.parametrize("op", DOUBLES, ids=lambda op: op.name)
def test_double(op: Op):
    wide = points(-0.9, 9).astype(np.float64)
    check(single(op, wide.shape, dtype="f64"), {"x0": wide}, 1e-14, 20 * 2.0**-52)  # its sigmoid is good to a unit of 1, times 9


def max_like(**fields: object) -> list[Op]:
    return [po.MaxPool(**fields), po.MinPool(**fields), po.AvgPool(**fields, count_include_pad=True)]  # type: ignore[arg-type]


POOLS: list[tuple[Op, tuple[int, ...]]] = [
    *((op, (2, 3, 9, 12)) for fields in (
        {"kernel": (2, 2), "stride": (2, 2)}, {"kernel": (3, 3), "stride": (2, 2), "ceil": True},
        {"kernel": (3, 2), "stride": (2, 3), "pad": (1, 0, 1, 1)}, {"kernel": (3, 3), "stride": (2, 2), "pad": (1, 1, 1, 1), "ceil": True},
        {"kernel": (2, 2), "stride": (1, 2), "dilation": (2, 3)}, {"kernel": (2, 2), "stride": (3, 3), "pad": (1, 1, 1, 1), "ceil": True},
        {"kernel": (2, 2), "stride": (1, 1), "dilation": (3, 3), "pad": (2, 2, 2, 2)}, {"kernel": (1, 1), "stride": (2, 2), "ceil": True},
        {"kernel": (2, 2), "stride": (5, 5), "pad": (0, 0, 1, 1), "ceil": True},
        {"kernel": (3, 3), "stride": (4, 4), "dilation": (2, 2), "ceil": True},
    ) for op in [*max_like(**fields), po.AvgPool(**fields)]),  # type: ignore[arg-type]
    (po.MaxPool((3,), (2,), (1, 1), (1,)), (2, 3, 9)), (po.AvgPool((3,), (2,), (1, 1), (1,), True), (2, 3, 10)),
    (po.MaxPool((2, 2, 2), (2, 2, 2), (0,) * 6, (1, 1, 1)), (1, 2, 4, 6, 5)),
    (po.AvgPool((2, 3, 2), (2, 2, 2), (1,) * 6, (1, 1, 1), True), (1, 2, 5, 6, 5)),
    *((cls((3, 4)), (2, 3, 9, 12)) for cls in (po.AdaptiveMaxPool, po.AdaptiveMinPool, po.AdaptiveAvgPool)),
    (po.AdaptiveAvgPool((4, 1)), (1, 2, 5, 7)), (po.AdaptiveAvgPool((7, 7)), (1, 2, 7, 7)),
    *((cls(), (2, 3, 5, 7)) for cls in (po.GlobalMaxPool, po.GlobalMinPool, po.GlobalAvgPool)), (po.GlobalAvgPool(), (1, 2, 4, 5, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("op", "shape"), POOLS, ids=lambda v: f"{v.name}-{list(v.attributes().values())}" if isinstance(v, Op) else "")
def test_pools(op: po.Pooling, shape: tuple[int, ...]):
    x = RNG.standard_normal(shape).astype(np.float32)
    selects = op.reduce != "avg"  # otherwise: a sum of at most 100 numbers of magnitude 4
    check(single(op, shape), {"x0": x}, 0 if selects else 8 * EPS, 0 if selects else 16 * EPS)


def test_uneven_adaptive_pools_are_refused_together():
    graph = Graph("uneven")
    x = graph.add_input("x", TensorType("f32", (1, 2, 7, 9)))
    graph.results["a"] = graph.add(po.AdaptiveMaxPool((5, 3)), [x], name="first")
    graph.results["b"] = graph.add(pw.Relu(), [graph.add(po.AdaptiveAvgPool((7, 7)), [x], name="second")])
    with pytest.raises(CnnirError) as caught:
        export(graph)
    assert [d.code for d in caught.value.diagnostics] == ["C0701", "C0701"]
    assert "first" in str(caught.value) and "second" in str(caught.value)


CONVS = [
    (Conv(8, (3, 3), pad=(1, 1, 1, 1)), (2, 4, 7, 9)), (Conv(8, (3, 2), (2, 1), (1, 0, 2, 1), (2, 3), 2), (1, 4, 11, 9)),
    (Conv(6, (3, 3), (1, 1), (1, 1, 1, 1), groups=6, bias=False), (1, 6, 5, 5)), (Conv(4, (3,), (2,), (1, 1), (1,)), (1, 3, 8)),
    (Conv(4, (2, 3, 2), (1, 2, 1), (0, 1, 1, 0, 1, 0), (1, 1, 2)), (1, 3, 4, 5, 6)), (Dense(7), (3, 11)), (Dense(7, bias=False), (3, 11)),
]  # fmt: skip


@pytest.mark.parametrize(("op", "shape"), CONVS, ids=lambda v: f"{v.name}-{list(v.attributes().values())}" if isinstance(v, Op) else "")
def test_convolutions(op: Op, shape: tuple[int, ...]):
    x = RNG.standard_normal(shape).astype(np.float32)
    check(single(op, shape), {"x0": x}, 0, 64 * EPS)  # sums of up to 36 products, of magnitude up to 10


TENSORS: list[tuple[Op, tuple[int, ...]]] = [
    (te.Softmax(), (2, 5, 3)), (te.Softmax(-1), (2, 5, 3)), (te.Flatten(), (2, 3, 4, 5)), (te.Flatten(), (4,)), (te.Lrn(5), (2, 7, 3, 4)),
    (te.Lrn(4, 0.5, 0.5, 2.0), (2, 7, 3, 4)), (te.Lrn(3, 0.9), (2, 7, 3)), (te.Lrn(3, 0.9), (2, 7)), (te.Lrn(9, 0.9), (1, 4, 2, 2, 3)),
    (sh.Transpose((-1, 0)), (2, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("op", "shape"), TENSORS, ids=lambda v: f"{v.name}-{list(v.attributes().values())}" if isinstance(v, Op) else "")
def test_tensor_ops(op: Op, shape: tuple[int, ...]):
    check(single(op, shape), {"x0": RNG.standard_normal(shape).astype(np.float32)}, 32 * EPS, 0)


def branches() -> Graph:
    graph = Graph("branches")
    x = graph.add_input('odd "name"/0', TensorType("f32", (1, 3, 12, 12)))
    stem = add(graph, sm.Silu(), [add(graph, ar.BatchNorm(), [add(graph, Conv(8, (3, 3), pad=(1, 1, 1, 1)), [x])])])
    left = add(graph, pw.PRelu(), [add(graph, Conv(4, (1, 1)), [stem], "left")])
    right = add(graph, sm.Mish(), [add(graph, Conv(8, (3, 3), pad=(1, 1, 1, 1), groups=4), [stem], "right")])
    joined = graph.add(te.Concat(), [left, right])
    total = add(graph, ar.Add(), [stem, right])
    pooled = add(graph, po.MaxPool((3, 3), (2, 2), ceil=True), [joined])
    dense = add(graph, Dense(5), [graph.add(te.Flatten(), [add(graph, ar.Dropout(), [pooled])])])
    graph.results = {"probabilities": graph.add(te.Softmax(), [dense]), "total": total, "again": total, 'odd "name"/0': x, "left": right}
    graph.add(po.AdaptiveMaxPool((5, 5)), [joined], name="nobody reads this")
    return graph


def test_branches_outputs_and_names():
    graph = branches()
    x = RNG.standard_normal((1, 3, 12, 12)).astype(np.float32)
    found = run(graph, {'odd "name"/0': x})
    expected = evaluate(graph, {'odd "name"/0': x})
    assert list(found) == ["probabilities", "total", "again", 'odd "name"/0_2', "left"]  # an output may not be called as an input is
    for mine, theirs in zip(found.values(), expected.values(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=64 * EPS)


def test_shared_weights_stay_shared():
    graph = Graph("shared")
    x = graph.add_input("x", TensorType("f32", (1, 4, 5, 5)))
    first = add(graph, Conv(4, (1, 1)), [x], "a")
    graph.results["y"] = graph.add(Conv(4, (1, 1)), [first], name="b", weights=dict(graph["a"].weights))
    assert [i.name for i in export(graph).graph.initializer] == ["a.weight", "a.bias"]


def test_operators_that_runtimes_fuse_are_found_in_formulas():
    kinds = {n.op_type for n in export(single(ODD, (1, 2, 3))).graph.node}
    assert {"Sigmoid", "Softplus", "Clip"} <= kinds and not {"Exp", "Max"} & kinds


def test_a_new_elementwise_op_needs_no_change():
    @dataclasses.dataclass(frozen=True)
    class Scaled(ar.Bias):
        def coefficients(self, parameters):
            return {"bias": parameters["bias"] * 2}

        def formula(self):
            return X * Param("bias") + Param("bias")

    check(single(Scaled(), (2, 3, 4, 40)), {"x0": points(-2, 2)}, 2 * EPS, EPS)


def test_external_data(tmp_path):
    graph = branches()
    graph.results.pop('odd "name"/0')
    x = {'odd "name"/0': RNG.standard_normal((1, 3, 12, 12)).astype(np.float32)}
    save(graph, tmp_path / "in.onnx")
    save(graph, tmp_path / "out.onnx", external=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.onnx", "out.onnx", "out.onnx.data"]
    onnx.checker.check_model(str(tmp_path / "out.onnx"), full_check=True)
    results = [ort.InferenceSession(str(tmp_path / n), providers=["CPUExecutionProvider"]).run(None, x) for n in ("in.onnx", "out.onnx")]
    assert all((a == b).all() for a, b in zip(*results, strict=True))


def test_weights_too_large_for_one_message(monkeypatch, tmp_path):
    monkeypatch.setattr("cnnir.backends.onnx_export.LIMIT", 100)
    graph = branches()
    with pytest.raises(CnnirError, match="C0702"):
        export(graph)
    save(graph, tmp_path / "net.onnx")
    assert (tmp_path / "net.onnx.data").exists()
