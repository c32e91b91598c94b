"""Winograd convolution: exact matrices, right on odd shapes, one result whatever rides along, errors bounded, chosen where it pays."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tvm.target import codegen

import cnnir
from cnnir.backends.tvm.algorithm import choose
from cnnir.backends.tvm.kernels import blocked
from cnnir.backends.tvm.kernels.epilogue import Epilogue, PoolKind, PoolWindow, Stage
from cnnir.backends.tvm.kernels.geometry import ConvGeometry
from cnnir.backends.tvm.kernels.pointwise import pointwise
from cnnir.backends.tvm.kernels.pooling import pool2d
from cnnir.backends.tvm.kernels.winograd import Tiling, can_pool, pack_weight, weight_shape, winograd_conv
from cnnir.backends.tvm.kernels.winograd_matrices import POINTS, TAPS, amplification, matrices
from cnnir.backends.tvm.target import host_target, lanes
from cnnir.cli import run_command
from cnnir.diagnostics import CnnirError
from cnnir.feeds import random_feeds
from cnnir.ops import convolution as conv_op

from .kernels import BIAS, LANES, ONE, RELU, STAGES, convolution, convolve, differing, normal, out_shape, run, windows

SHAPES = {
    "odd": convolution(1, 16, (13, 11), 48, (3, 3), pad=ONE),
    "batch": convolution(2, 24, (17, 9), 40, (3, 3)),
    "uneven pads": convolution(1, 32, (8, 21), 16, (3, 3), pad=(0, 1, 2, 0)),
    "one tile": convolution(2, 16, (3, 3), 16, (3, 3)),
    "many panels": convolution(1, 16, (31, 33), 16, (3, 3), pad=ONE),
}
TILES = sorted(POINTS)


def arguments(conv: ConvGeometry, tiling: Tiling, x: np.ndarray, weight: np.ndarray, width: int = LANES) -> list[np.ndarray]:
    return [blocked.pack(x, width), pack_weight(weight, tiling, width)]


def data(conv: ConvGeometry) -> tuple[np.ndarray, np.ndarray]:
    return normal(conv.batch, conv.in_channels, *conv.in_size), normal(conv.out_channels, conv.in_channels, 3, 3)


@pytest.mark.parametrize("m", TILES)
def test_matrices_are_exact(m: int) -> None:
    """With fractions, A^T [(G g) * (B^T d)] is the correlation of any d and g, not nearly but exactly."""
    found, a = matrices(m), m + TAPS - 1
    d = [Fraction(3 * i * i - 7 * i + 2, 5) for i in range(a)]
    g = [Fraction(2, 3), Fraction(-5, 7), Fraction(11)]

    def times(matrix, vector):
        return [sum((x * y for x, y in zip(row, vector, strict=True)), Fraction(0)) for row in matrix]

    product = [x * y for x, y in zip(times(found.weight, g), times(found.input, d), strict=True)]
    assert times(found.output, product) == [sum(d[i + k] * g[k] for k in range(TAPS)) for i in range(m)]
    for coefficient in (c for matrix in (found.input, found.output) for row in matrix for c in row):
        assert Fraction(float(np.float32(float(coefficient)))) == coefficient


@pytest.mark.parametrize("m", TILES)
@pytest.mark.parametrize("name", SHAPES)
def test_right_and_the_same_bits_in_every_order(name: str, m: int) -> None:
    conv = SHAPES[name]
    x, weight = data(conv)
    bias = normal(conv.out_channels)
    exact = np.maximum(convolve(x, weight, conv) + bias[:, None, None], 0)
    found: list[np.ndarray] = []
    for tiling in (Tiling(m), Tiling(m, 1), Tiling(m, 2, columns=5)):
        packed = arguments(conv, tiling, x, weight)
        assert packed[1].shape == weight_shape(conv, tiling, LANES)
        kernel = winograd_conv(conv, tiling, Epilogue((BIAS, RELU)), lanes=LANES)
        found.append(run(kernel, [*packed, blocked.pack_channel(bias, LANES)], out_shape(conv)))
    np.testing.assert_allclose(blocked.unpack(found[0]), exact, rtol=0, atol=2e-5 * np.abs(exact).max())
    assert differing(found[0], found[1]) == differing(found[0], found[2]) == 0


@pytest.mark.parametrize("mcpu", ["x86-64-v3", "x86-64-v2"])
@pytest.mark.parametrize("m", TILES)
def test_narrower_vectors(mcpu: str, m: int) -> None:
    if not codegen.llvm_is_valid_cpu(mcpu, str(codegen.llvm_get_system_triple())) or LANES < 8:
        pytest.skip(f"this machine doesn't run {mcpu}")
    target = host_target(mcpu)
    width, conv, tiling = lanes(target), SHAPES["odd"], Tiling(m, 2, columns=12)
    x, weight = data(conv)
    out = run(winograd_conv(conv, tiling, lanes=width), arguments(conv, tiling, x, weight, width), out_shape(conv, lanes=width), target)
    exact = convolve(x, weight, conv)
    np.testing.assert_allclose(blocked.unpack(out), exact, rtol=0, atol=2e-5 * np.abs(exact).max())


def apart(value: np.ndarray, stages: tuple[Stage, ...], extras: list[np.ndarray]) -> np.ndarray:
    remaining = list(extras)
    for stage in stages:
        own, remaining = remaining[: len(stage.extras)], remaining[len(stage.extras) :]
        value = run(pointwise(value.shape, [stage], lanes=LANES), [value, *own], value.shape)
    return value


@pytest.mark.parametrize("kind", ["max", "avg", "min", "none"])
@pytest.mark.parametrize("chain", [("scale_shift", "add", "sigmoid"), ("affine", "gelu"), ("hard_swish", "quarter")], ids="+".join)
def test_one_kernel_or_many(chain: tuple[str, ...], kind: PoolKind) -> None:
    """conv -> stages -> pool -> stages in one kernel equals the same steps, each a kernel of its own, bit for bit."""
    conv = convolution(2, 16, (13, 10), 24, (3, 3), pad=ONE)
    stages = tuple(STAGES[name] for name in chain)
    pool = None if kind == "none" else windows(kind, (2, 2), conv.out_size)
    x, weight = data(conv)
    before = extras(stages, conv.out_channels, (2, *conv.out_size))
    after = extras(stages, conv.out_channels, (2, *pool.output)) if pool else []
    for m, rows in ((2, None), (4, 2), (6, None)):
        tiling = Tiling(m, rows)
        packed = arguments(conv, tiling, x, weight)
        epilogue = Epilogue(stages, pool, stages if pool else ())
        fused = run(winograd_conv(conv, tiling, epilogue, lanes=LANES), [*packed, *before, *after], out_shape(conv, pool))
        value = apart(run(winograd_conv(conv, tiling, lanes=LANES), packed, out_shape(conv)), stages, before)
        if pool:
            value = run(pool2d(2, conv.out_channels, conv.out_size, Epilogue(pool=pool), lanes=LANES), [value], out_shape(conv, pool))
            value = apart(value, stages, after)
        assert differing(fused, value) == 0


def extras(stages: tuple[Stage, ...], channels: int, shape: tuple[int, int, int]) -> list[np.ndarray]:
    N, H, W = shape
    return [
        blocked.pack_channel(normal(channels), LANES) if extra.kind == "channel" else blocked.pack(normal(N, channels, H, W), LANES)
        for stage in stages
        for extra in stage.extras
    ]


def test_pools_that_do_not_divide_a_tile() -> None:
    conv, pool = SHAPES["many panels"], PoolWindow("max", (3, 3), (3, 3), (10, 11))
    assert [can_pool(m, pool) for m in (2, 4, 6)] == [False, False, True]
    with pytest.raises(NotImplementedError):
        winograd_conv(conv, Tiling(4), Epilogue(pool=pool), lanes=LANES)


@pytest.mark.parametrize("kind", ["normal", "after relu", "all positive", "extreme signs"])
@pytest.mark.parametrize("m", TILES)
def test_errors(m: int, kind: str) -> None:
    """Below 1e-4 of the largest output, and below the bound that facts about ranges count on."""
    conv = convolution(1, 256, (18, 18), 16, (3, 3))
    x, weight = data(conv)
    if kind == "after relu":
        x = np.maximum(x, 0)
    if kind == "all positive":
        x, weight = np.abs(x), np.abs(weight)
    if kind == "extreme signs":
        x, weight = np.sign(x) * np.float32(1.1), np.sign(weight) * np.float32(0.3)
    out = run(winograd_conv(conv, Tiling(m), lanes=LANES), arguments(conv, Tiling(m), x, weight), out_shape(conv))
    exact = convolve(x, weight, conv)
    error = np.abs(blocked.unpack(out) - exact).max()
    assert error < 1e-4 * np.abs(exact).max()
    magnitude = np.abs(x).max() * np.abs(weight).sum(axis=(1, 2, 3)).max()
    assert error < amplification(m) * (conv.in_channels + conv_op.TRANSFORMS) * 2.0**-24 * magnitude


def test_facts_count_on_the_largest_tile() -> None:
    assert max(map(amplification, TILES)) <= conv_op.AMPLIFICATION < 1.01 * max(map(amplification, TILES))


def test_the_choice() -> None:
    """By geometry; deep layers all at once, shallow ones in groups; never where it cannot be, or does not pay."""
    shallow, deep = convolution(1, 64, (112, 112), 64, (3, 3), pad=ONE), convolution(1, 512, (28, 28), 512, (3, 3), pad=ONE)
    chosen = [choose(conv, "auto", 16) for conv in (shallow, deep)]
    assert chosen[0] is not None and chosen[0].rows is not None
    assert chosen[1] is not None and chosen[1].rows is None
    strange = [
        convolution(1, 64, (56, 56), 64, (3, 3), stride=(2, 2)),
        convolution(1, 64, (56, 56), 64, (3, 3), dilation=(2, 2)),
        convolution(1, 64, (56, 56), 64, (3, 3), groups=4),
        convolution(1, 64, (56, 56), 64, (5, 5)),
        convolution(1, 3, (56, 56), 64, (3, 3)),
    ]
    assert [choose(conv, wanted, 16) for conv in strange for wanted in ("auto", "winograd")] == [None] * 10
    small = convolution(1, 8, (20, 20), 16, (3, 3))
    assert choose(small, "auto", 16) is None
    assert choose(small, "winograd", 16) is not None
    assert choose(shallow, "direct", 16) is None


NETWORK = """network n(x: f32[2, 16, 30, 25] in [-1, 1]) {
    x -> conv(32, 3, pad=1) -> sigmoid -> maxpool(2) -> conv(24, 3) -> tanh -> maxpool(2) -> conv(16, 3, pad=1) -> relu
}"""


def test_moved_and_unmoved_networks_give_the_same_bits() -> None:
    graph = cnnir.parse(NETWORK)
    moved = cnnir.optimize(graph, place="always").graph
    feeds = random_feeds(graph.inputs, graph.ranges, 1)
    programs = [cnnir.compile(g, threads=2, fusion=fusion, conv="winograd") for g in (graph, moved) for fusion in ("full", "act", "none")]
    assert programs[0].work.kernels < programs[1].work.kernels < programs[2].work.kernels
    answers = [next(iter(p(feeds).values())) for p in programs]
    assert all(differing(answers[0], answer) == 0 for answer in answers)
    direct = next(iter(cnnir.compile(graph, threads=2, conv="direct")(feeds).values()))
    assert differing(direct, answers[0]) > 0  # it was Winograd indeed
    np.testing.assert_allclose(answers[0], direct, rtol=0, atol=1e-5)


def test_options_that_are_refused() -> None:
    graph = cnnir.parse(NETWORK)
    with pytest.raises(CnnirError) as unknown:
        cnnir.compile(graph, conv="winogard")  # type: ignore[arg-type]  # that is the point
    assert unknown.value.diagnostics[0].code == "C0508"
    assert "did you mean `winograd`?" in str(unknown.value.diagnostics[0].help)
    with pytest.raises(CnnirError) as elsewhere:
        cnnir.compile(graph, "cuda", conv="winograd")
    assert elsewhere.value.diagnostics[0].code == "C0509"


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "n.cnn"
    path.write_text(NETWORK)
    texts: list[str] = []
    for conv in ("direct", "winograd"):
        assert run_command(["compile", str(path), "--emit", "tir", "--conv", conv]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] != texts[1]
    assert run_command(["run", str(path), "--random", "0", "--conv", "fast"]) == 2
    assert "--conv" in capsys.readouterr().err
