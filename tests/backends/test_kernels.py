"""Kernel templates: right on odd shapes, and the same bits however a region is cut into kernels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

tvm = pytest.importorskip("tvm")

from tvm import relax, tirx  # noqa: E402
from tvm.target import codegen  # noqa: E402

from cnnir.backends.tvm.kernels import blocked, epilogue, vector_math  # noqa: E402
from cnnir.backends.tvm.kernels.dense import dense  # noqa: E402
from cnnir.backends.tvm.kernels.direct import direct_conv  # noqa: E402
from cnnir.backends.tvm.kernels.epilogue import Epilogue, Extra, PoolWindow, Stage  # noqa: E402
from cnnir.backends.tvm.kernels.geometry import ConvGeometry, can_fuse_pool, choose_tile  # noqa: E402
from cnnir.backends.tvm.kernels.intrinsics import INTRINSICS  # noqa: E402
from cnnir.backends.tvm.kernels.layout import concat_kernel, flatten_kernel, pack_kernel, unpack_kernel  # noqa: E402
from cnnir.backends.tvm.kernels.pointwise import pointwise  # noqa: E402
from cnnir.backends.tvm.kernels.pooling import pool2d  # noqa: E402
from cnnir.backends.tvm.kernels.strict import forces_scalar  # noqa: E402
from cnnir.backends.tvm.target import host_target, lanes  # noqa: E402

HOST = host_target()
LANES = lanes(HOST)
RNG = np.random.default_rng(20261123)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def run(function, arguments: Sequence[np.ndarray], shape: Sequence[int], target=HOST) -> np.ndarray:
    """Compile, fill the output with NaN, run."""
    library = tvm.compile(function, target=target)
    output = tvm.runtime.tensor(np.full(shape, np.nan, np.float32))
    library[function.attrs["global_symbol"]](*(tvm.runtime.tensor(np.asarray(a, np.float32)) for a in arguments), output)
    return output.numpy()


def differing(left: np.ndarray, right: np.ndarray) -> int:
    assert left.shape == right.shape
    return int((left.view(np.uint32) != right.view(np.uint32)).sum())


def constant(value: float):
    return tirx.const(value, "float32")


CHANNEL, TENSOR = Extra("channel"), Extra("tensor")
BIAS = Stage(lambda v, bias: v + bias, (CHANNEL,))
RELU = Stage(lambda v: tirx.max(v, constant(0)))
ADD = Stage(lambda v, other: v + other, (TENSOR,))
AFFINE = Stage(lambda v: v * constant(0.2) + constant(0.5))
STAGES = {
    "affine": AFFINE,
    "scale_shift": Stage(lambda v, scale, shift: v * scale + shift, (CHANNEL, CHANNEL)),
    "quarter": Stage(lambda v: v / constant(4) + constant(0.1)),
    "add": ADD,
    "hard_swish": Stage(lambda v: v * tirx.min(tirx.max(v * constant(1 / 6) + constant(0.5), constant(0)), constant(1))),
    "sigmoid": Stage(lambda v: constant(1) / (constant(1) + INTRINSICS["exp"](-v))),
    "tanh": Stage(INTRINSICS["tanh"]),
    "gelu": Stage(lambda v: v * constant(0.5) * (constant(1) + INTRINSICS["erf"](v * constant(0.70710678)))),
    "leaky": Stage(lambda v: tirx.Select(v > constant(0), v, v * constant(0.1))),
}


def convolution(N, C, size, K, kernel, stride=(1, 1), pad=(0, 0, 0, 0), dilation=(1, 1), groups=1) -> ConvGeometry:
    out = tuple((size[axis] + pad[axis] + pad[axis + 2] - (kernel[axis] - 1) * dilation[axis] - 1) // stride[axis] + 1 for axis in (0, 1))
    return ConvGeometry(N, C, size, K, kernel, out, stride, pad, dilation, groups)


def convolve(x: np.ndarray, weight: np.ndarray, conv: ConvGeometry) -> np.ndarray:
    """The definition, in float64."""
    top, left, bottom, right = conv.pad
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (top, bottom), (left, right)))
    (OH, OW), groups = conv.out_size, conv.groups
    out = np.zeros((conv.batch, conv.out_channels, OH, OW))
    ins, outs = conv.in_channels // groups, conv.out_channels // groups
    for r in range(conv.kernel[0]):
        for s in range(conv.kernel[1]):
            y, z = r * conv.dilation[0], s * conv.dilation[1]
            tap = x[:, :, y : y + (OH - 1) * conv.stride[0] + 1 : conv.stride[0], z : z + (OW - 1) * conv.stride[1] + 1 : conv.stride[1]]
            for g in range(groups):
                part = slice(g * outs, (g + 1) * outs)
                out[:, part] += np.einsum("nchw,kc->nkhw", tap[:, g * ins : (g + 1) * ins], weight[part, :, r, s])
    return out


ONE, TWO, THREE = (1, 1, 1, 1), (2, 2, 2, 2), (3, 3, 3, 3)
CONVOLUTIONS = {
    "lenet1": convolution(1, 1, (32, 32), 6, (5, 5)),
    "lenet2": convolution(1, 6, (14, 14), 16, (5, 5)),
    "lenet3": convolution(2, 16, (5, 5), 120, (5, 5)),
    "first": convolution(1, 3, (35, 31), 64, (3, 3), pad=ONE),
    "alexnet1": convolution(1, 3, (227, 227), 16, (11, 11), (4, 4)),
    "resnet1": convolution(1, 3, (41, 41), 32, (7, 7), (2, 2), THREE),
    "13x13": convolution(1, 32, (13, 13), 64, (3, 3), pad=ONE),
    "7x7": convolution(2, 32, (7, 7), 48, (3, 3), pad=ONE),
    "1x1": convolution(1, 16, (17, 19), 16, (1, 1)),
    "1x1/2": convolution(1, 24, (13, 13), 10, (1, 1), (2, 2)),
    "prime width": convolution(1, 16, (9, 149), 16, (1, 1)),
    "asymmetric pad": convolution(1, 32, (28, 28), 32, (3, 3), (2, 2), (0, 0, 1, 1)),
    "everything": convolution(1, 17, (9, 9), 13, (3, 2), (1, 2), (2, 0, 1, 3), (2, 3)),
    "depthwise": convolution(1, 32, (29, 29), 32, (3, 3), pad=ONE, groups=32),
    "depthwise 24/2": convolution(1, 24, (29, 29), 24, (3, 3), (2, 2), ONE, groups=24),
    "multiplier": convolution(1, 32, (15, 15), 64, (3, 3), pad=ONE, groups=32),
    "resnext": convolution(1, 64, (14, 14), 64, (3, 3), pad=ONE, groups=16),
    "shufflenet": convolution(1, 272, (7, 7), 272, (1, 1), groups=4),
    "odd groups": convolution(1, 12, (9, 9), 18, (3, 3), pad=ONE, groups=3),
    "alexnet2": convolution(1, 96, (27, 27), 64, (5, 5), pad=TWO, groups=2),
    "one pixel": convolution(1, 10, (1, 1), 10, (1, 1)),
}


def conv_arguments(conv: ConvGeometry, lanes: int = LANES) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    x = normal(conv.batch, conv.in_channels, *conv.in_size)
    weight = normal(conv.out_channels, conv.in_channels // conv.groups, *conv.kernel)
    return x, weight, [blocked.pack(x, lanes), blocked.pack_conv_weight(weight, conv.groups, lanes)]


def out_shape(conv: ConvGeometry, pool: PoolWindow | None = None, lanes: int = LANES) -> tuple[int, ...]:
    return blocked.blocked_shape((conv.batch, conv.out_channels, *(pool.output if pool else conv.out_size)), lanes)


def windows(kind: str, kernel: tuple[int, int], size: tuple[int, int]) -> PoolWindow:
    return PoolWindow(kind, kernel, kernel, (size[0] // kernel[0], size[1] // kernel[1]))


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_direct_conv(name: str) -> None:
    """Right to rounding; and pooling in registers gives the bits of conv + relu, then the pool."""
    conv = CONVOLUTIONS[name]
    x, weight, arguments = conv_arguments(conv)
    bias = normal(conv.out_channels)
    arguments = [*arguments, blocked.pack_channel(bias, LANES)]
    exact = convolve(x, weight, conv)
    out = run(direct_conv(conv, Epilogue((BIAS, RELU)), lanes=LANES), arguments, out_shape(conv))
    np.testing.assert_allclose(blocked.unpack(out), np.maximum(exact + bias[:, None, None], 0), rtol=0, atol=4e-6 * np.abs(exact).max())
    if min(conv.out_size) < 2:
        return
    pool = windows("max", (2, 2), conv.out_size)
    pooled = run(direct_conv(conv, Epilogue((BIAS,), pool, (RELU,)), lanes=LANES), arguments, out_shape(conv, pool))
    N, blocks, H, W, b = pooled.shape
    apart = out[:, :, : 2 * H, : 2 * W].reshape(N, blocks, H, 2, W, 2, b).max((3, 5))
    assert differing(apart, pooled) == 0


@pytest.mark.parametrize("mcpu", ["x86-64-v3", "x86-64-v2"])
@pytest.mark.parametrize("name", ["everything", "7x7", "depthwise", "shufflenet", "lenet2"])
def test_narrower_vectors(mcpu: str, name: str) -> None:
    if not codegen.llvm_is_valid_cpu(mcpu, str(codegen.llvm_get_system_triple())) or LANES < 8:
        pytest.skip(f"this machine doesn't run {mcpu}")
    target = host_target(mcpu)
    width = lanes(target)
    assert width == {"x86-64-v3": 8, "x86-64-v2": 4}[mcpu]
    conv = CONVOLUTIONS[name]
    x, weight, arguments = conv_arguments(conv, width)
    out = run(direct_conv(conv, Epilogue((AFFINE,)), lanes=width), arguments, out_shape(conv, lanes=width), target)
    exact = convolve(x, weight, conv)
    np.testing.assert_allclose(blocked.unpack(out), exact * 0.2 + 0.5, rtol=0, atol=4e-6 * np.abs(exact).max())


def extras(stages: Sequence[Stage], N: int, K: int, size: tuple[int, int]) -> list[np.ndarray]:
    return [
        blocked.pack_channel(normal(K), LANES) if extra.kind == "channel" else blocked.pack(normal(N, K, *size), LANES)
        for stage in stages
        for extra in stage.extras
    ]


CHAIN = ("scale_shift", "add", "sigmoid", "affine", "gelu")


@pytest.mark.parametrize(
    ("stages", "pool_kind"),
    [*(((name,), "max") for name in STAGES), (("affine",), "avg"), (CHAIN, "none"), (CHAIN, "max"), (CHAIN, "avg")],
    ids=lambda value: value if isinstance(value, str) else "+".join(value),
)
@pytest.mark.parametrize("name", ["odd", "wide"])
def test_one_kernel_or_many(name: str, stages: tuple[str, ...], pool_kind: str) -> None:
    """conv -> stages -> pool -> stages in one kernel equals the same steps, each a kernel of its own, bit for bit."""
    conv = {
        "odd": convolution(2, 5, (13, 11), 7, (3, 3), pad=ONE),  # scalar tails, columns past the edge
        "wide": convolution(1, 16, (31, 29), 32, (1, 1)),
    }[name]
    chain = tuple(STAGES[stage] for stage in stages)
    pool = None if pool_kind == "none" else windows(pool_kind, (2, 3), conv.out_size)
    after = chain if pool else ()
    N, K = conv.batch, conv.out_channels
    _, _, arguments = conv_arguments(conv)
    before_extras = extras(chain, N, K, conv.out_size)
    after_extras = extras(after, N, K, pool.output) if pool else []
    fused = run(
        direct_conv(conv, Epilogue(chain, pool, after), lanes=LANES),
        [*arguments, *before_extras, *after_extras],
        out_shape(conv, pool),
    )

    value = run(direct_conv(conv, lanes=LANES), arguments, out_shape(conv))
    value = stage_by_stage(value, chain, before_extras)
    if pool:
        value = run(pool2d(N, K, conv.out_size, Epilogue(pool=pool), lanes=LANES), [value], out_shape(conv, pool))
        value = stage_by_stage(value, after, after_extras)
    assert differing(fused, value) == 0


def stage_by_stage(value: np.ndarray, stages: Sequence[Stage], arguments: Sequence[np.ndarray]) -> np.ndarray:
    remaining = list(arguments)
    for stage in stages:
        own, remaining = remaining[: len(stage.extras)], remaining[len(stage.extras) :]
        value = run(pointwise(value.shape, [stage], lanes=LANES), [value, *own], value.shape)
    return value


@pytest.mark.parametrize("shape", [(100_003,), (1, 6250, 1, 1, 16), (1, 33_334, 1, 1, 3)], ids=["scalar", "vector", "odd vector"])
def test_products_are_rounded(shape: tuple[int, ...]) -> None:
    """0.2 x + 0.5 is rounded twice, as NumPy does: no fma."""
    x = normal(*shape)
    expected = x * np.float32(0.2) + np.float32(0.5)
    assert differing(run(pointwise(shape, [AFFINE]), [x], shape), expected) == 0


def test_without_strict_products_are_not_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutation: leave the fences out, and the test above would fail wherever the CPU has fma."""
    if not codegen.llvm_cpu_has_features("fma", HOST):
        pytest.skip("no fma here")
    monkeypatch.setattr(epilogue, "strict", lambda expr: expr)
    x = normal(10_007)
    out = run(pointwise(x.shape, [AFFINE]), [x], x.shape)
    assert differing(out, x * np.float32(0.2) + np.float32(0.5)) > 0


def test_products_are_rounded_after_conv() -> None:
    """acc * scale + shift after the sum too; the sum itself uses fma (it differs from NumPy's, and may)."""
    conv = convolution(1, 16, (56, 57), 32, (1, 1))
    _, _, arguments = conv_arguments(conv)
    scale, shift = extras([STAGES["scale_shift"]], 1, 32, conv.out_size)
    sums = run(direct_conv(conv, lanes=LANES), arguments, out_shape(conv))
    out = run(direct_conv(conv, Epilogue((STAGES["scale_shift"],)), lanes=LANES), [*arguments, scale, shift], out_shape(conv))
    per_channel = (slice(None), slice(None), None, None)
    assert differing(out, sums * scale[None][per_channel] + shift[None][per_channel]) == 0


@pytest.mark.parametrize("name", INTRINSICS)
def test_intrinsics_in_lanes_and_scalar(name: str) -> None:
    count = 1009
    x = RNG.uniform(0.01, 0.99, count).astype(np.float32) + np.float32(1.5 if name == "acosh" else 0)
    stage = [Stage(INTRINSICS[name])]
    scalar = run(pointwise((count,), stage), [x], (count,))
    shape = (1, -(-count // 16), 1, 1, 16)
    vector = run(pointwise(shape, stage), [np.resize(x, shape)], shape)
    assert differing(scalar, vector.reshape(-1)[:count]) == 0


def test_round_is_half_to_even() -> None:
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 3.2], np.float32)
    np.testing.assert_array_equal(run(pointwise(x.shape, [Stage(INTRINSICS["round"])]), [x], x.shape), np.round(x))


def test_exp() -> None:
    """A sample of the sweep over all float32 (2e9 values, 12 s): non-decreasing, close, right at the ends."""
    bits = np.arange(0, np.float32(104).view(np.uint32), 997, dtype=np.uint32)
    x = np.concatenate([-bits.view(np.float32)[::-1], bits.view(np.float32)])
    near = np.arange(-2000, 2000) + np.float32(np.log(2) / 2).view(np.int32)  # where n changes
    x = np.sort(np.concatenate([x, near.astype(np.uint32).view(np.float32)]))
    y = run(pointwise(x.shape, [Stage(vector_math.exp)]), [x], x.shape)
    assert (y[1:] >= y[:-1]).all()
    exact = np.exp(x.astype(np.float64))
    normal_range = (x > -87) & (x < 88.7)
    ulp = np.spacing(exact[normal_range].astype(np.float32)).astype(np.float64)
    assert (np.abs(y[normal_range] - exact[normal_range]) / ulp).max() < 1.1
    ends = np.array([0.0, -0.0, 89, 1e30, np.inf, -104, -1e30, -np.inf], np.float32)
    np.testing.assert_array_equal(run(pointwise((8,), [Stage(vector_math.exp)]), [ends], (8,)), [1, 1, *[np.inf] * 3, *[0] * 3])


def test_tanh() -> None:
    bits = np.arange(0, np.float32(12).view(np.uint32), 997, dtype=np.uint32)
    near = np.arange(-2000, 2000) + np.float32(vector_math.TANH_SMALL).view(np.int32)  # where the formula changes
    x = np.sort(np.concatenate([bits, near.astype(np.uint32)])).view(np.float32)
    y = run(pointwise(x.shape, [Stage(vector_math.tanh)]), [x], x.shape)
    assert (y[1:] >= y[:-1]).all()
    exact = np.tanh(x.astype(np.float64))
    normal_range = x > 1e-37
    ulp = np.spacing(exact[normal_range].astype(np.float32)).astype(np.float64)
    assert (np.abs(y[normal_range] - exact[normal_range]) / ulp).max() < 1.4
    np.testing.assert_array_equal(run(pointwise(x.shape, [Stage(vector_math.tanh)]), [-x], x.shape), -y)


def test_values_used_twice() -> None:
    """A stage may use a Python value that holds a Let more than once (TIR wants each variable defined once)."""

    def logistic(v):
        power = vector_math.exp(v)
        return power / (constant(1) + power)

    x = normal(33)
    np.testing.assert_allclose(run(pointwise(x.shape, [Stage(logistic)]), [x], x.shape), 1 / (1 + np.exp(-x)), rtol=1e-6)


POOLS = {
    "2/2": ((2, 2), (2, 2), (0, 0, 0, 0), (1, 1), (8, 9)),
    "3/2 pad": ((3, 3), (2, 2), ONE, (1, 1), (11, 12)),
    "3/2 ceil": ((3, 3), (2, 2), (0, 0, 0, 0), (1, 1), (10, 10)),
    "3/2 ceil pad": ((3, 3), (2, 2), ONE, (1, 1), (10, 12)),
    "dilated": ((3, 2), (1, 2), (1, 0, 2, 1), (2, 1), (9, 9)),
    "global": ((7, 7), (1, 1), (0, 0, 0, 0), (1, 1), (7, 7)),
    "spp": ((5, 5), (1, 1), TWO, (1, 1), (6, 7)),
}


def pool_definition(x: np.ndarray, pool: PoolWindow) -> np.ndarray:
    H, W = x.shape[2:]
    out = np.zeros((*x.shape[:2], *pool.output))
    for h in range(pool.output[0]):
        for w in range(pool.output[1]):
            rows = [h * pool.stride[0] - pool.pad[0] + tap * pool.dilation[0] for tap in range(pool.kernel[0])]
            columns = [w * pool.stride[1] - pool.pad[1] + tap * pool.dilation[1] for tap in range(pool.kernel[1])]
            real = x[:, :, [row for row in rows if 0 <= row < H]][:, :, :, [column for column in columns if 0 <= column < W]]
            if pool.kind != "avg":
                out[:, :, h, w] = getattr(real, pool.kind)((2, 3))
                continue
            count = real.shape[2] * real.shape[3]
            if pool.count_include_pad:
                count = sum(row < H + pool.pad[2] for row in rows) * sum(column < W + pool.pad[3] for column in columns)
            out[:, :, h, w] = real.astype(np.float64).sum((2, 3)) / count
    return out


@pytest.mark.parametrize(("kind", "include_pad"), [("max", False), ("min", False), ("avg", False), ("avg", True)])
@pytest.mark.parametrize("name", POOLS)
def test_pool(name: str, kind: str, include_pad: bool) -> None:
    kernel, stride, pad, dilation, size = POOLS[name]
    output = []
    for axis in (0, 1):
        extent = size[axis] + pad[axis] + pad[axis + 2] - (kernel[axis] - 1) * dilation[axis] - 1
        count = -(-extent // stride[axis]) + 1
        output.append(count - ((count - 1) * stride[axis] >= size[axis] + pad[axis]))
    pool = PoolWindow(kind, kernel, stride, tuple(output), pad, dilation, include_pad)
    for channels in (3, 32):
        x, bias = normal(2, channels, *size), normal(channels)
        packed = blocked.pack_channel(bias, LANES)
        function = pool2d(2, channels, size, Epilogue((BIAS,), pool, (BIAS,)), lanes=LANES)
        out = run(function, [blocked.pack(x, LANES), packed, packed], blocked.blocked_shape((2, channels, *output), LANES))
        expected = pool_definition(x + bias[:, None, None], pool) + bias[:, None, None]
        np.testing.assert_allclose(blocked.unpack(out), expected, rtol=0, atol=1e-5)


def test_pool_starts_from_infinity() -> None:
    x = np.full((1, 1, 2, 2, 4), -np.inf, np.float32)
    pool = PoolWindow("max", (2, 2), (2, 2), (1, 1))
    assert (run(pool2d(1, 4, (2, 2), Epilogue(pool=pool), lanes=4), [x], (1, 1, 1, 1, 4)) == -np.inf).all()


def test_pools_that_cannot_be_fused() -> None:
    conv = CONVOLUTIONS["13x13"]
    refused = [
        PoolWindow("max", (3, 3), (2, 2), (6, 6)),  # overlapping
        PoolWindow("max", (2, 2), (2, 2), (7, 7), pad=ONE),
        PoolWindow("max", (2, 2), (2, 2), (7, 7)),  # ceil mode: overhangs
        PoolWindow("max", (2, 2), (2, 2), (5, 5), dilation=(2, 2)),
        PoolWindow("avg", (13, 13), (13, 13), (1, 1)),  # more sums than registers
    ]
    for pool in refused:
        assert not can_fuse_pool(conv, pool, LANES)
        with pytest.raises(NotImplementedError):
            direct_conv(conv, Epilogue(pool=pool), lanes=LANES)


@pytest.mark.parametrize(("N", "inputs", "outputs"), [(1, 33, 10), (1, 400, 120), (3, 100, 1000), (8, 512, 256), (19, 64, 40)])
def test_dense(N: int, inputs: int, outputs: int) -> None:
    """Right to rounding, and the same bits for a row whatever batch it comes in."""
    x, weight, bias, other = normal(N, inputs), normal(outputs, inputs), normal(outputs), normal(N, outputs)
    stages = [BIAS, ADD, STAGES["gelu"]] if N == 3 else [BIAS, ADD, RELU]

    def compute(rows: slice, count: int) -> np.ndarray:
        packed = blocked.pack_dense_weight(weight, count, LANES)
        return run(dense(count, inputs, outputs, stages, lanes=LANES), [x[rows], packed, bias, other[rows]], (count, outputs))

    out = compute(slice(None), N)
    if N != 3:
        exact = np.maximum(x.astype(np.float64) @ weight.T.astype(np.float64) + bias + other, 0)
        np.testing.assert_allclose(out, exact, rtol=0, atol=1e-5 * np.sqrt(inputs))
    assert differing(out[:1], compute(slice(0, 1), 1)) == 0


@pytest.mark.parametrize("shape", [(1, 3, 5, 7), (2, 48, 9, 6), (1, 10, 4, 4), (1, 24, 3, 3)])
def test_layouts(shape: tuple[int, int, int, int]) -> None:
    x = normal(*shape)
    packed = blocked.pack(x, LANES)
    np.testing.assert_array_equal(run(pack_kernel(shape, lanes=LANES), [x], packed.shape), packed)
    np.testing.assert_array_equal(run(unpack_kernel(shape, lanes=LANES), [packed], shape), x)
    flat = x.reshape(shape[0], -1)
    np.testing.assert_array_equal(run(flatten_kernel(shape, lanes=LANES), [packed], flat.shape), flat)


@pytest.mark.parametrize("channels", [(16, 32), (24, 16, 3), (8, 16), (64, 64, 64), (13, 4)])
def test_concat(channels: tuple[int, ...]) -> None:
    parts = [normal(2, count, 5, 6) for count in channels]
    expected = blocked.pack(np.concatenate(parts, axis=1), LANES)
    out = run(concat_kernel(2, channels, (5, 6), lanes=LANES), [blocked.pack(part, LANES) for part in parts], expected.shape)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("shape", [(), (7,), (3, 5), (1, 1000), (2, 3, 4), (1, 2, 5, 5, 16)])
def test_pointwise_of_any_rank(shape: tuple[int, ...]) -> None:
    x, other = np.asarray(normal(*shape)), np.asarray(normal(*shape))
    np.testing.assert_array_equal(run(pointwise(shape, [ADD]), [x, other], shape), x + other)


def test_block() -> None:
    assert [blocked.block(channels) for channels in (1, 3, 6, 10, 16, 24, 64, 120, 1000)] == [1, 3, 6, 10, 16, 8, 16, 8, 8]
    assert [blocked.block(channels, 4) for channels in (3, 6, 64)] == [3, 3, 4]
    x = normal(2, 24, 3, 5)
    np.testing.assert_array_equal(blocked.unpack(blocked.pack(x)), x)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_tiles_fit_the_registers(name: str) -> None:
    conv = CONVOLUTIONS[name]
    tile = choose_tile(conv, None, 16)
    assert 1 <= tile.columns * tile.blocks <= 28
    assert (conv.out_channels // blocked.block(conv.out_channels)) % tile.blocks == 0


def test_calls_of_c_are_seen() -> None:
    x = tirx.Var("x", "float32")
    assert forces_scalar(INTRINSICS["erf"](x) + x)
    assert not forces_scalar(INTRINSICS["exp"](x))


def test_relax_program_of_kernels(tmp_path) -> None:
    """call_tir keeps the kernels as they are, through build, export and load."""
    conv = convolution(1, 3, (28, 28), 32, (3, 3), pad=ONE)
    pool = windows("max", (2, 2), conv.out_size)
    kernels = {
        "pack": pack_kernel((1, 3, 28, 28), "pack", LANES),
        "conv": direct_conv(conv, Epilogue((BIAS,), pool, (RELU,)), "conv", LANES),
        "flatten": flatten_kernel((1, 32, 14, 14), "flatten", LANES),
        "fc": dense(1, 6272, 10, [BIAS], "fc", LANES),
    }
    x, weight, bias = normal(1, 3, 28, 28), normal(32, 3, 3, 3), normal(32)
    fc_weight, fc_bias = normal(10, 6272), normal(10)
    arguments = [
        x,
        blocked.pack_conv_weight(weight, lanes=LANES),
        blocked.pack_channel(bias, LANES),
        blocked.pack_dense_weight(fc_weight, lanes=LANES),
        fc_bias,
    ]
    builder = relax.BlockBuilder()
    parameters = [relax.Var(f"p{i}", relax.TensorType(a.shape, "float32")) for i, a in enumerate(arguments)]
    functions = {name: builder.add_func(kernel, name) for name, kernel in kernels.items()}

    def call(name: str, inputs: list, shape: tuple[int, ...]):
        return builder.emit(relax.call_tir(functions[name], inputs, relax.TensorType(shape, "float32")))

    with builder.function("main", parameters):
        with builder.dataflow():
            value = call("pack", [parameters[0]], blocked.blocked_shape((1, 3, 28, 28), LANES))
            value = call("conv", [value, *parameters[1:3]], out_shape(conv, pool))
            value = call("flatten", [value], (1, 6272))
            value = builder.emit_output(call("fc", [value, *parameters[3:]], (1, 10)))
        builder.emit_func_output(value)
    path = str(tmp_path / "program.so")
    relax.build(builder.finalize(), HOST).export_library(path)
    machine = relax.VirtualMachine(tvm.runtime.load_module(path), tvm.cpu())
    out = machine["main"](*(tvm.runtime.tensor(a) for a in arguments)).numpy()
    features = np.maximum(convolve(x, weight, conv) + bias[:, None, None], 0).reshape(1, 32, 14, 2, 14, 2).max((3, 5))
    np.testing.assert_allclose(out, features.reshape(1, -1) @ fc_weight.T.astype(np.float64) + fc_bias, rtol=0, atol=2e-2)
