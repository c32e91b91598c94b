"""Direct convolution: right on odd shapes, and the same bits however a region is cut into kernels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from tvm.target import codegen

from cnnir.backends.tvm.kernels import blocked, epilogue
from cnnir.backends.tvm.kernels.direct import direct_conv
from cnnir.backends.tvm.kernels.epilogue import Epilogue, PoolKind, PoolWindow, Stage
from cnnir.backends.tvm.kernels.geometry import can_fuse_pool, choose_tile
from cnnir.backends.tvm.kernels.pointwise import pointwise
from cnnir.backends.tvm.kernels.pooling import pool2d
from cnnir.backends.tvm.target import host_target, lanes

from .kernels import (
    AFFINE,
    BIAS,
    CONVOLUTIONS,
    HOST,
    LANES,
    ONE,
    RELU,
    STAGES,
    conv_arguments,
    convolution,
    convolve,
    differing,
    normal,
    out_shape,
    run,
    windows,
)


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
def test_one_kernel_or_many(name: str, stages: tuple[str, ...], pool_kind: PoolKind) -> None:
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


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_tiles_fit_the_registers(name: str) -> None:
    conv = CONVOLUTIONS[name]
    tile = choose_tile(conv, None, 16)
    assert 1 <= tile.columns * tile.blocks <= 28
    assert (conv.out_channels // blocked.block(conv.out_channels)) % tile.blocks == 0
