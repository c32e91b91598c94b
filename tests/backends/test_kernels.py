"""The other kernel templates, and the functions that stages call: the same bits in lanes and in scalar code."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from tvm import relax, tirx

from cnnir.backends.tvm.kernels import blocked, vector_math
from cnnir.backends.tvm.kernels.dense import dense
from cnnir.backends.tvm.kernels.direct import direct_conv
from cnnir.backends.tvm.kernels.epilogue import Epilogue, PoolKind, PoolWindow, Stage
from cnnir.backends.tvm.kernels.intrinsics import INTRINSICS
from cnnir.backends.tvm.kernels.layout import concat_kernel, flatten_kernel, pack_kernel, unpack_kernel
from cnnir.backends.tvm.kernels.pointwise import pointwise
from cnnir.backends.tvm.kernels.pooling import pool2d
from cnnir.backends.tvm.kernels.strict import forces_scalar
from cnnir.backends.tvm.scalar import builders

from .kernels import (
    ADD,
    BIAS,
    HOST,
    LANES,
    ONE,
    RELU,
    RNG,
    STAGES,
    TWO,
    constant,
    convolution,
    convolve,
    differing,
    normal,
    out_shape,
    run,
    windows,
)


@pytest.mark.parametrize("name", INTRINSICS)
def test_intrinsics_in_lanes_and_scalar(name: str) -> None:
    count = 1009
    x = RNG.uniform(0.01, 0.99, count).astype(np.float32) + np.float32(1.5 if name == "acosh" else 0)
    stage = [Stage(INTRINSICS[name])]
    scalar = run(pointwise((count,), stage), [x], (count,))
    shape = (1, -(-count // 16), 1, 1, 16)
    vector = run(pointwise(shape, stage), [np.resize(x, shape)], shape)
    assert differing(scalar, vector.reshape(-1)[:count]) == 0


def test_cosh_rises_where_the_float_function_of_c_falls() -> None:
    """glibc 2.36's coshf(1) is less than that of the number before: found by a region in front of a pool."""
    bits = np.float32(1).view(np.uint32) + np.arange(-5000, 5000, dtype=np.int64)
    x = bits.astype(np.uint32).view(np.float32)
    for stage in (INTRINSICS["cosh"], builders("llvm", "float32", vector=False)["cosh"]):
        assert np.all(np.diff(run(pointwise(x.shape, [Stage(stage)]), [x], x.shape)) >= 0)


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


def test_tanh_computes_its_argument_once() -> None:
    """expm1 is a call of a C function, and a compiler would make five of them."""
    kernel = pointwise((8,), [Stage(lambda x: vector_math.tanh(INTRINSICS["expm1"](x)))])
    assert str(kernel).count("expm1f") == 1


def test_log1p_never_decreases_and_is_accurate() -> None:
    above = np.linspace(0, 0x7F7FFFFF, 400_000).astype(np.uint32)
    below = np.linspace(0x80000000, 0xBF7FFFFF, 400_000).astype(np.uint32)[::-1]
    seams = np.concatenate([np.float32(c).view(np.int32) + np.arange(-500, 500) for c in (2**-0.5 - 1, 2**0.5 - 1, 1, 2.0**24, 2.0**25)])
    bits = np.concatenate([below, above, seams.astype(np.int64).astype(np.uint32)])
    x = np.sort(bits.view(np.float32))
    y = run(pointwise(x.shape, [Stage(vector_math.log1p)]), [x], x.shape)
    assert (y[1:] >= y[:-1]).all()
    exact = np.log1p(x.astype(np.float64))
    ulp = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    assert (np.abs(y - exact) / ulp).max() < 0.9
    ends = np.asarray([-1, -2, np.inf, np.nan, 0.0, -0.0], np.float32)
    found = run(pointwise(ends.shape, [Stage(vector_math.log1p)]), [ends], ends.shape)
    np.testing.assert_array_equal(found, np.asarray([-np.inf, np.nan, np.inf, np.nan, 0, 0], np.float32))
    assert np.signbit(found).tolist()[-2:] == [False, True]


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
def test_pool(name: str, kind: PoolKind, include_pad: bool) -> None:
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
