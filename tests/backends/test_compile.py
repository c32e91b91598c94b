"""Compiled networks against the NumPy reference: every op, odd shapes, every fusion."""

from __future__ import annotations

import functools
import time

import numpy as np
import pytest

import cnnir
from cnnir.api import Fusion
from cnnir.backends.tvm.program import Program
from cnnir.feeds import random_feeds

FUSIONS: list[Fusion] = ["full", "act", "none"]
NETWORKS = {
    "chain": "x: f32[1, 3, 17, 19]) { x -> conv(8, 3, pad=1) -> relu -> maxpool(2) -> conv(10, 3, stride=2) -> sigmoid -> avgpool(2) }",
    "batch": "x: f32[3, 4, 12, 12]) { x -> conv(16, 3) -> relu -> maxpool(2) -> flatten -> fc(7) -> softmax }",
    "groups": "x: f32[1, 12, 9, 9]) { x -> conv(8, 3, groups=4, pad=1) -> depthwise(3) -> relu6 -> conv(5, 1) }",
    "dilated": "x: f32[1, 3, 20, 20]) { x -> conv(6, 3, dilation=2, pad=[0, 1, 2, 3]) -> batchnorm -> relu -> maxpool(3, stride=2, pad=1) }",
    "overlapping": "x: f32[1, 5, 23, 23]) { x -> conv(16, 5, stride=2) -> tanh -> maxpool(3, stride=2, ceil=on) -> lrn(5) }",
    "residual": "x: f32[1, 16, 8, 8]) { y = x -> conv(16, 3, pad=1) -> batchnorm -> relu\n z = y -> conv(16, 3, pad=1) -> batchnorm\n add(y, z) -> relu -> global_avgpool -> flatten -> fc(3) }",
    "fire": "x: f32[1, 8, 11, 11]) { s = x -> conv(4, 1) -> relu\n a = s -> conv(6, 1) -> relu\n b = s -> conv(10, 3, pad=1) -> relu\n concat(a, b) -> maxpool(3, stride=2) }",
    "silu by hand": "x: f32[1, 8, 8, 8]) { y = x -> conv(8, 1)\n s = y -> sigmoid\n mul(y, s) -> maxpool(2) -> prelu -> bias }",
    "two outputs": "x: f32[1, 4, 8, 8]) { y = x -> conv(4, 3)\n z = y -> relu\n return y, z }",
    "averages": "x: f32[1, 4, 13, 13]) { x -> avgpool(3, stride=2, pad=1, count_include_pad=on) -> avgpool(2, ceil=on) -> adaptive_avgpool(3) }",
    "uneven": "x: f32[1, 4, 13, 11]) { x -> relu -> adaptive_maxpool([5, 4]) -> neg -> minpool(2) -> global_maxpool }",
    "broadcast": "x: f32[1, 4, 6, 6]) { g = x -> global_avgpool -> sigmoid\n mul(x, g) -> add(1) -> mul(0.5) }",
    "elements": "x: f32[2, 4, 6, 6]) { x -> bias(per=element) -> prelu(per=element) -> bias(per=tensor) }",
    "rank 2": "x: f32[4, 33]) { x -> fc(20) -> batchnorm -> leaky(0.2) -> fc(6, bias=off) -> softmax }",
    "libm, then shared": "x: f32[1, 16, 6, 6] in [0, 1]) { x -> erf -> logsigmoid -> maxpool(2) -> expm1 -> gelu(form=tanh) }",
    "by zero": "x: f32[1, 2, 4, 4] in [1, 2]) { y = x -> div(0) -> min(3)\n d = y -> sub(3)\n div(y, d) -> min(3) -> maxpool(2) }",
    "input is output": "x: f32[1, 2, 3, 3]) { x -> dropout }",
}


@functools.cache
def compiled(name: str, fusion: Fusion) -> Program:
    """Compiled once for all tests: most of their time is the compiler's."""
    return cnnir.compile(network(NETWORKS[name]), threads=2, fusion=fusion)


def network(body: str) -> cnnir.Graph:
    return cnnir.parse("network n(" + body)


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("name", NETWORKS)
def test_llvm_agrees_with_the_reference(name: str, fusion: Fusion) -> None:
    graph = network(NETWORKS[name])
    feeds = random_feeds(graph.inputs, graph.ranges, seed=1)
    expected = cnnir.evaluate(graph, feeds)
    got = compiled(name, fusion)(feeds)
    assert got.keys() == expected.keys()
    for output, array in expected.items():
        assert got[output].shape == array.shape and got[output].dtype == array.dtype
        # Sums of at most 300 float32 products of unit size: 300 ulp of the largest is far above what rounding can do.
        np.testing.assert_allclose(got[output], array, rtol=0, atol=2e-5 * max(1.0, float(np.abs(array).max())))


def test_fused_kernels_change_no_bit() -> None:
    for name, body in NETWORKS.items():
        graph = network(body)
        feeds = random_feeds(graph.inputs, graph.ranges, seed=2)
        full, apart = (compiled(name, fusion)(feeds) for fusion in FUSIONS[::2])
        for output in full:
            np.testing.assert_array_equal(full[output].view(np.uint32), apart[output].view(np.uint32))


def test_a_pool_rides_with_its_convolution_only_where_nothing_is_computed_twice() -> None:
    calls = {
        name: cnnir.compile(network(f"x: f32[1, 3, 16, 16]) {{ x -> conv(8, 3, pad=1) -> relu -> {pool} }}"), threads=1).manifest.calls
        for name, pool in {"tiled": "maxpool(2)", "overlapping": "maxpool(3, stride=2)", "padded": "maxpool(2, pad=1)"}.items()
    }
    assert ("conv1", "relu1", "maxpool1") in calls["tiled"]
    assert ("maxpool1",) in calls["overlapping"]
    assert ("maxpool1",) in calls["padded"]


def test_every_layer_is_in_exactly_one_kernel() -> None:
    for name, body in NETWORKS.items():
        graph = network(body)
        layers = {layer.name for layer in graph.layers()} - set(graph.inputs)
        for fusion in FUSIONS:
            computed = [layer for call in compiled(name, fusion).manifest.calls for layer in call]
            assert sorted(computed) == sorted(layers)


@pytest.mark.parametrize("pool", ["global_minpool", "global_avgpool", "conv(8, 8)", "maxpool(8)"])
def test_what_rides_may_broadcast_and_more_may_ride_behind_it(pool: str) -> None:
    """Found by a random network: the steps behind a broadcast one were computed over its first column."""
    graph = cnnir.parse(f"network n(x: f32[1, 8, 8, 8]) {{ x -> {pool} -> add(x) -> relu -> mul(x) }}")
    feeds = random_feeds(graph.inputs, graph.ranges, seed=1)
    answer, wanted = cnnir.compile(graph, threads=1)(feeds)["output"], cnnir.evaluate(graph, feeds)["output"]
    np.testing.assert_allclose(answer, wanted, rtol=1e-4, atol=1e-5)


def test_wrong_feeds_are_refused() -> None:
    program = cnnir.compile(network("x: f32[1, 2, 4, 4]) { x -> relu }"), threads=1)
    good = np.zeros((1, 2, 4, 4), np.float32)
    for feeds in ({}, {"y": good}, {"x": good[:, :1]}, {"x": good.astype(np.float64)}, {"x": good, "z": good}):
        with pytest.raises(cnnir.CnnirError):
            program(feeds)
    np.testing.assert_array_equal(program({"x": good})["relu1" if "relu1" in program.outputs else next(iter(program.outputs))], good)


def test_targets_are_checked() -> None:
    graph = network("x: f32[1, 2, 4, 4]) { x -> relu }")
    for target, code in {"": 2, "llvm -frobnicate": 2, "vulkan": 3, "llvm -mcpu=generic": 3}.items():
        with pytest.raises(cnnir.CnnirError) as caught:
            cnnir.compile(graph, target)
        assert caught.value.exit_code == code, target


def test_avx2_code_gives_right_answers() -> None:
    graph = network(NETWORKS["chain"])
    feeds = random_feeds(graph.inputs, graph.ranges)
    got, expected = cnnir.compile(graph, "llvm -mcpu=haswell", threads=1)(feeds), cnnir.evaluate(graph, feeds)
    for output, array in expected.items():
        np.testing.assert_allclose(got[output], array, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_kernels_without_a_template_agree_with_the_reference(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain kernels are what CUDA gets; here they run on the CPU, unscheduled."""
    monkeypatch.setattr("cnnir.backends.tvm.blocked_regions.has_template", lambda graph, layer: False)
    graph = network(NETWORKS[name])
    feeds = random_feeds(graph.inputs, graph.ranges, seed=3)
    got = cnnir.compile(graph, threads=1)(feeds)
    for output, array in cnnir.evaluate(graph, feeds).items():
        np.testing.assert_allclose(got[output], array, rtol=0, atol=2e-5 * max(1.0, float(np.abs(array).max())))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_has_cuda_source(name: str) -> None:
    source = cnnir.emit(network(NETWORKS[name]), "cuda", "cuda")
    assert "__global__" in source and "__expf" not in source and "__fmaf" not in source


PLAIN = {
    "rank 3": "x: f32[2, 4, 15]) { x -> relu -> neg -> softmax }",
    "rank 5": "x: f32[1, 2, 3, 4, 5]) { x -> sigmoid -> flatten -> fc(3) }",
    "double": "x: f64[1, 3, 9, 9]) { x -> conv(4, 3, pad=1) -> gelu -> maxpool(2) -> softplus -> round -> avgpool(2) }",
    "half": "x: f16[1, 3, 9, 9]) { x -> relu -> maxpool(2) -> mul(0.5) -> tanh -> floor }",
    "brain": "x: bf16[1, 3, 9, 9]) { x -> relu -> mul(0.3) -> maxpool(2) }",
    "unsigned": "x: u8[1, 3, 9, 9]) { x -> sign -> minpool(2, pad=1) }",
    "integers": "x: i8[1, 3, 9, 9]) { x -> relu -> maxpool(2) -> add(1) -> neg }",
}


@pytest.mark.parametrize("name", PLAIN)
def test_other_ranks_and_dtypes_compile(name: str) -> None:
    graph = network(PLAIN[name])
    rng = np.random.default_rng(0)
    feeds = {n: (rng.standard_normal(t.shape) * 40).astype(t.numpy) for n, t in graph.inputs.items()}
    got = cnnir.compile(graph, threads=1)(feeds)
    for output, array in cnnir.evaluate(graph, feeds).items():
        assert got[output].dtype == array.dtype
        np.testing.assert_allclose(
            got[output].astype(np.float64), array.astype(np.float64), rtol=1e-3 if array.dtype == np.float16 else 1e-5, atol=1e-4
        )


def test_a_constant_beyond_the_dtype_is_infinite_there() -> None:
    graph = network("x: f32[1, 1, 2, 2]) { x -> add(1e308) -> maxpool(2) }")
    feeds = {"x": np.zeros((1, 1, 2, 2), np.float32)}
    for outputs in (cnnir.evaluate(graph, feeds), cnnir.compile(graph, threads=1)(feeds)):
        assert outputs["output"].item() == np.inf


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32", "f64"])
def test_softplus_overflows_in_no_dtype(dtype: str) -> None:
    """exp of 12 is infinite in f16, and softplus of 25 is not 25 in f64."""
    graph = cnnir.parse(f"network n(x: {dtype}[1, 1, 16, 16]) {{ a = x -> softplus; b = x -> mish; c = x -> logsigmoid; return a, b, c }}")
    x = np.linspace(-8, 60, 256).reshape(1, 1, 16, 16).astype(graph.inputs["x"].numpy)
    wide = x.astype(np.float64)
    real = {"a": np.logaddexp(wide, 0), "b": wide * np.tanh(np.logaddexp(wide, 0)), "c": -np.logaddexp(-wide, 0)}
    tolerance = {"f16": 2e-3, "bf16": 2e-2, "f32": 5e-7, "f64": 1e-15}[dtype]
    for found in (cnnir.evaluate(graph, {"x": x}), cnnir.compile(graph, threads=1)({"x": x})):
        for name, wanted in real.items():
            np.testing.assert_allclose(found[name].astype(np.float64), wanted, rtol=tolerance, atol=1e-7, err_msg=name)


def test_long_chains_of_smooth_layers_compile_in_time() -> None:
    """TVM's analyzer writes every Let out, so stages multiply; what is too much for one kernel goes on in the next."""
    graph = network("x: f32[1, 3] in [-1, 1]) { x -> [mish]*3 -> [relu]*9 -> [silu]*9 -> [tanh]*4 }")
    feeds = random_feeds(graph.inputs, graph.ranges, seed=4)
    start = time.process_time()
    program = cnnir.compile(graph, threads=1)
    assert time.process_time() - start < 20  # one kernel of three mishes took hours
    (call,) = [call for call in program.manifest.calls if "relu1" in call]
    assert {f"relu{n}" for n in range(1, 10)} < {*call}  # what costs nothing still rides
    np.testing.assert_allclose(program(feeds)["output"], cnnir.evaluate(graph, feeds)["output"], rtol=1e-5)


@pytest.mark.parametrize(
    ("body", "values"),
    [
        ("x: i32[4]) { x -> abs }", [-(2**31), 2**24 + 1, -(2**24) - 3, 5]),
        ("x: i64[3]) { x -> neg -> abs }", [1, -(2**63), 2**62 + 1]),
        ("x: u16[3]) { x -> abs -> neg }", [1, 0, 2**16 - 1]),
        ("x: i8[3]) { x -> neg -> abs }", [-(2**7), 2**7 - 1, -1]),
        ("x: i16[3]) { x -> abs -> neg }", [-(2**15), 2**15 - 1, -1]),
        ("x: i32[4]) { x -> neg -> abs }", [-(2**31), 2**31 - 1, -1, 0]),
        ("x: i32[4]) { x -> add(7) -> add(2) -> dropout -> relu }", [2**31 - 1, -(2**31), -9, 5]),
        ("x: i32[4]) { x -> mul(3) -> relu -> sub(100) }", [2**31 - 1, -(2**31), 2**30, 5]),
        ("x: u32[3]) { mul(x, x) -> sub(1) }", [2**32 - 1, 2**16, 0]),
        ("x: u64[3]) { x -> neg }", [2**64 - 1, 1, 0]),
        ("x: f32[3]) { div(0, x) }", [0.0, -0.0, 3.0]),
        ("x: f32[3]) { x -> mul(0) }", [np.inf, -np.inf, 3.0]),
        ("x: f32[3]) { sub(x, x) }", [np.inf, -np.inf, 3.0]),
        ("x: f16[3]) { mul(0, x) }", [np.inf, -np.inf, 3.0]),
        ("x: f16[3]) { sub(x, x) }", [np.inf, -np.inf, 3.0]),
        ("x: bf16[3]) { x -> mul(0) }", [np.inf, -np.inf, 3.0]),
        ("x: bf16[3]) { sub(x, x) }", [np.inf, -np.inf, 3.0]),
        ("x: f64[3]) { x -> mul(0) }", [np.inf, -np.inf, 3.0]),
        ("x: f64[3]) { sub(x, x) }", [np.inf, -np.inf, 3.0]),
        ("x: f32[1, 1, 3]) { x -> lrn(5, alpha=1, beta=1e80) }", [0.5, 1.0, 2.0]),
        ("x: f16[1, 1, 3]) { x -> pad(1, value=1e80) }", [0.5, 1.0, 2.0]),
        ("x: f32[3]) { not_equal(x, x) }", [np.nan, -0.0, np.inf]),
        ("x: f32[3]) { equal(x, x) }", [np.nan, -0.0, np.inf]),
        ("x: f32[3]) { x -> cast(bool) }", [np.nan, -0.0, np.inf]),
        ("x: f32[3]) { x -> sign }", [np.nan, -0.0, -np.inf]),
        ("x: f32[3]) { x -> batchnorm -> bias -> prelu }", [-0.5, 1.0, 2.0]),
        ("x: f32[]) { x -> bias -> sigmoid -> mul(2) }", 0.5),
    ],
)
def test_what_random_networks_found(body: str, values: list[float]) -> None:
    """Integers that no float32 holds, no sign at all, 0 / 0, 0 times an infinity, no sign of no number, numbers beyond the dtype, vectors and numbers."""
    graph = network(body)
    feeds = {"x": np.asarray(values, graph.inputs["x"].numpy).reshape(graph.inputs["x"].shape)}
    got, expected = (run(feeds)["output"] for run in (cnnir.compile(graph, threads=1), lambda f: cnnir.evaluate(graph, f)))
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
    if graph.inputs["x"].is_float:
        np.testing.assert_allclose(got.astype(np.float64), expected.astype(np.float64), rtol=1e-6)
    else:
        np.testing.assert_array_equal(got, expected)


def test_bf16_is_rounded_at_every_step_in_whatever_kernel() -> None:
    """TVM computes kernels of bf16 in float32 throughout: layers in one kernel were rounded once, in two twice."""
    graph = network(
        "x: bf16[1, 3, 8, 8]) { y = mul(x, x); z = mul(-1.5, y) -> add(0.3); return mul(z, y) -> cast(f32) -> mul(1.1) -> cast(bf16) -> exp }"
    )
    feeds = {"x": np.random.default_rng(5).standard_normal((1, 3, 8, 8)).astype(graph.inputs["x"].numpy)}
    expected = cnnir.evaluate(graph, feeds)
    for fusion in ("none", "full"):
        got = cnnir.compile(graph, threads=1, fusion=fusion)(feeds)
        for name, array in expected.items():
            np.testing.assert_array_equal(got[name].view(np.uint16), array.view(np.uint16))
