"""Every elementwise layer in front of every kind of max and min pool: moved and unmoved give the same bits, compiled too.

All layers are put into a few networks, one input each, so that the compiler runs a handful of times. The data are those
of laws.md section 4: all negative, ties, zeros of both signs, one huge value, denormals, +-FLT_MAX, neighbours of turning
points and thresholds.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

import cnnir
from cnnir.ir.graph import Graph
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.registry import OPS

Floats = np.ndarray

ANYWHERE = [
    "relu", "relu6", "leaky", "leaky(0)", "leaky(-0.3)", "prelu", "prelu(per=tensor)", "clip(-1, 1)", "hardtanh", "hardsigmoid", "hardswish",
    "threshold", "threshold(-0.5)", "hardshrink", "softshrink", "shrink(0.5, 0.25)", "shrink(0.5, 0.75)", "abs", "sign", "sigmoid", "tanh",
    "softplus", "softsign", "logsigmoid", "elu", "elu(-0.5)", "selu", "celu(0.7)", "celu(-0.7)", "silu", "mish", "gelu", "gelu(form=tanh)",
    "quickgelu", "tanhshrink", "exp", "expm1", "erf", "square", "atan", "sinh", "cosh", "asinh", "sin", "cos", "tan", "neg", "floor", "ceil", "round",
    "dropout", "bias", "bias(per=tensor)", "scale", "scale(per=tensor)", "batchnorm", "add(1)", "sub(0.25)", "mul(2)", "mul(-3)", "mul(0)", "div(3)", "div(-7)", "max(0.5)", "min(0.25)",
    "logistic", "twice", "from_one", "swish_by_hand", "cube", "cubic", "reciprocal", "inverse",
    "cast(f16) -> cast(f32)", "cast(f64) -> mul(0.1) -> cast(f32)", "quantize(0.1, 3) -> dequantize(0.1, 3)", "quantize(0.5, to=i16) -> dequantize([0.5, 0.1], 0)",
    *(f"{name}(0.5) -> cast(f32)" for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")),
    "pow(3)", "pow(0.5)", "mod(0.3)", "fmod(-0.3)", "greater(0) -> not -> cast(f32)",
]  # fmt: skip
POSITIVE = [
    "pow(1.5)",
    "pow(-0.5)",
    "pow(0)",
    "log",
    "log1p",
    "sqrt",
    "rsqrt",
    "reciprocal",
    "acosh",
    "inverse",
    "silu",
    "gelu",
    "mish",
    "softsign",
]
UNIT = ["asin", "acos", "atanh", "tan", "sin"]
POOLS = ["maxpool(2)", "minpool(3, stride=2, pad=1)"]
DEFINITIONS = """
activation logistic(x) = 1 / (1 + exp(-x))
activation twice(x) = 2 * x
activation from_one(x) = 1 - x
activation swish_by_hand(x) = x * clip(x + 3, 0, 6) / 6
activation cube(x) = x * x * x
activation cubic(x) = x * x * x - x
activation inverse(x) = 1 / x
"""
SIZE = 16


def network(layers: list[str], span: str) -> Graph:
    lines = [f"  y{i}_{j} = x -> {layer} -> {pool}" for i, layer in enumerate(layers) for j, pool in enumerate(POOLS)]
    names = ", ".join(f"y{i}_{j}" for i in range(len(layers)) for j in range(len(POOLS)))
    body = "\n".join([*lines, f"  return {names}"])
    return cnnir.parse(f"{DEFINITIONS}\nnetwork n(x: f32[6, 2, {SIZE}, {SIZE}]{span}) {{\n{body}\n}}")


def adversarial(seed: int) -> Floats:
    """Six images of two channels, each another way to break a swap."""
    rng = np.random.default_rng(seed)
    shape = (2, SIZE, SIZE)
    huge = rng.standard_normal(shape).astype(np.float32)
    huge[:, ::5, ::5] = np.float32(3.4028235e38) * rng.choice([-1, 1], huge[:, ::5, ::5].shape).astype(np.float32)
    tiny = (rng.integers(-40, 40, shape) * np.float32(1e-45)).astype(np.float32)
    zeros = rng.choice(np.array([0.0, -0.0, 1.0, -1.0], np.float32), shape)
    points = np.array([-1.2784645, -0.7517916, -1.1924316, -1.5, -3, 3, 0, 0.5, -0.5, 1, 20, -20, 6, 0.25, 88.7, -103.9], np.float32)
    near = rng.choice(points, shape)
    for _ in range(3):
        near = np.nextafter(near, rng.choice(np.array([-np.inf, np.inf], np.float32), shape))
    ties = np.repeat(np.repeat(rng.standard_normal((2, SIZE // 4, SIZE // 4)), 4, 1), 4, 2).astype(np.float32)
    return np.stack([-np.abs(rng.standard_normal(shape)).astype(np.float32) * 3, ties, zeros, huge, tiny, near])


def bits(array: Floats) -> Floats:
    """Bit patterns, with -0 written as +0."""
    return (array + np.float32(0)).view(np.uint32)


def data(span: tuple[float, float] | None, seed: int) -> Floats:
    values = adversarial(seed)
    return values if span is None else np.clip(np.abs(values), *span).astype(np.float32)


CASES = {
    "anywhere": (ANYWHERE, "", None, 116),
    "positive": (POSITIVE, " in [0.01, 50]", (0.01, 50.0), 24),
    "unit": (UNIT, " in [-1, 1]", (-1.0, 1.0), 10),
}


@pytest.mark.parametrize("case", CASES)
def test_moved_equals_unmoved_bit_for_bit(case: str) -> None:
    layers, text, span, least = CASES[case]
    graph = network(layers, text)
    never = cnnir.optimize(graph, place="never", exactness="exact")
    always = cnnir.optimize(graph, place="always", exactness="exact")
    moved = [d for d in always.decisions if d.verdict == "moved"]
    assert len(moved) >= least, "fewer sites moved than the laws allow"
    assert all(d.certificate is not None and d.certificate.float_class[0] in "EC" for d in moved)
    programs = [cnnir.compile(done.graph, threads=2) for done in (never, always)]
    for seed in range(4):
        feeds = {"x": data(span, seed)}
        for run in ([cnnir.evaluate(g.graph, feeds) for g in (never, always)], [program(feeds) for program in programs]):
            for name in graph.outputs:
                np.testing.assert_array_equal(bits(run[0][name]), bits(run[1][name]), err_msg=f"{name} of {layers}")


@pytest.mark.parametrize("case", CASES)
def test_what_re_rounds_stays_within_its_reported_bound(case: str) -> None:
    layers, text, span, _ = CASES[case]
    graph = network(layers, text)
    never = cnnir.optimize(graph, place="never", exactness="ulp")
    always = cnnir.optimize(graph, place="always", exactness="ulp")
    owner = {d.site.pool: d for d in always.decisions if d.verdict == "moved" and d.certificate and d.certificate.float_class == "U"}
    for seed in range(4):
        feeds = {"x": data(span, seed)}
        before, after = (cnnir.evaluate(g.graph, feeds) for g in (never, always))
        for name, value in graph.results.items():
            decision = owner.get(value.layer)
            bound = 0.0 if decision is None else decision.bound
            assert bound is not None
            differ = bits(before[name]) != bits(after[name])  # infinities and NaN of both are the same, not a difference
            np.testing.assert_array_less(np.abs(before[name].astype(np.float64)[differ] - after[name][differ]), bound, err_msg=name)


def test_every_elementwise_layer_of_the_language_is_tried() -> None:
    tried = {name for text in (*ANYWHERE, *POSITIVE, *UNIT) for name in re.findall(r"[a-z_0-9]+", text)}
    several = {"and", "or", "xor", "where", "choose"}  # of several tensors: tests/backends/test_table.py, tests/test_fuzz.py
    assert {name for name, op in OPS.items() if issubclass(op, Elementwise)} <= tried | several


ROUNDING = {  # networks that were once moved although the float code is not what the real function is, or is contracted
    "3 x - 2 x is not x": (
        "f32[1, 1, 128, 128] in [0, 1]",
        "a = x -> mul(12345678)\n b = x -> mul(12345677)\n sub(a, b) -> relu -> maxpool(2)",
    ),
    "batchnorm before uneven windows": ("f32[1, 3, 16, 16]", "x -> conv(8, 3) -> batchnorm -> relu -> adaptive_maxpool(3)"),
    "square, then add, rank 3": ("f32[1, 5, 40]", "x -> square -> add(0.3) -> maxpool(2)"),
    "square, then add, in double": ("f64[1, 5, 40]", "x -> square -> add(0.3) -> maxpool(2)"),
}


@pytest.mark.parametrize("name", ROUNDING)
def test_real_identities_and_contraction_change_no_bit(name: str) -> None:
    type, body = ROUNDING[name]
    graph = cnnir.parse(f"network n(x: {type}) {{\n {body}\n}}")
    moved = cnnir.optimize(graph, place="always").graph
    t = graph.inputs["x"]
    feeds = {"x": np.random.default_rng(1).random(t.shape).astype(t.numpy)}
    results = [cnnir.compile(g, threads=2, fusion=fusion)(feeds)["output"] for g in (graph, moved) for fusion in ("full", "act", "none")]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize(
    "body",
    [
        "select(exp(0.15452991425991058), 1.1671091318130493, -x, x)",
        "select(exp(x), 1.1671091318130493, select(x, 0.15452991425991058, x, -5), x)",
        "select(x, 0.15452991425991058, 1.1671091318130493, exp(x))",
    ],
)
def test_no_proof_rests_on_the_last_bit_of_a_library_function(body: str) -> None:
    """1.1671091318130493 is exp(0.1545...) in the reference; a compiled exp may be an ulp away."""
    graph = cnnir.parse(f"activation f(x) = {body}\nnetwork n(x: f32[1, 1, 2, 2] in [0.1, 3]) {{ x -> f -> maxpool(2) }}")
    (decision,) = cnnir.optimize(graph, place="always").decisions
    if decision.verdict == "moved":  # by the extremes of both sides, whichever way the function goes
        assert decision.certificate is not None and decision.certificate.law == "valley"
        assert [record.direction for record in decision.certificate.records] == ["monotone"]
