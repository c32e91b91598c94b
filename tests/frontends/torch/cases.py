"""Modules whose meaning PyTorch and the network must share, each with the shapes of its inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

Case = tuple[Any, tuple[tuple[int, ...], ...]]
IMAGE = ((2, 4, 9, 8),)
SIGNAL = ((2, 4, 12),)
VOLUME = ((1, 2, 5, 6, 7),)


class Call(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)


def call(function: Callable[..., Any], *shapes: tuple[int, ...]) -> Case:
    return Call(function), shapes or IMAGE


class Recurrent(nn.Module):
    def __init__(self, make: Callable[..., nn.Module], **how: Any) -> None:
        super().__init__()
        self.rnn = make(5, 6, **how)

    def forward(self, x: Any) -> Any:
        return self.rnn(x)[0]


class Parameters(nn.Module):
    """Parameters that belong to no layer, of every shape that broadcasts."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.randn(4, 1, 1))
        self.scale = nn.Parameter(torch.tensor(0.7))
        self.shift = nn.Parameter(torch.tensor(0.3))
        self.place = nn.Parameter(torch.randn(1, 4, 9, 8))
        self.register_buffer("mean", torch.randn(1, 4, 1, 1))

    def forward(self, x: Any) -> Any:
        return (x - self.mean) * self.gamma * self.scale + self.place + self.shift


def written(x: Any) -> Any:
    y = x.clone()
    y[:, 0] = 1
    y[:, 1:3, 2:5] = x[:, 1:3, 3:6] * 2
    return y


def in_place(x: Any) -> Any:
    y = x * 2
    z = F.relu_(y)
    z += 1
    return y + F.hardswish(z, inplace=True)


ACTIVATIONS = {
    name: (make(), IMAGE)
    for name, make in {
        **{m.__name__: m for m in (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid,
                                   nn.Tanh, nn.Softplus, nn.Softsign, nn.LogSigmoid, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish,
                                   nn.Hardshrink, nn.Softshrink, nn.Tanhshrink, nn.RReLU)},
        "PReLU(4)": lambda: nn.PReLU(4), "GELU(tanh)": lambda: nn.GELU("tanh"), "Threshold": lambda: nn.Threshold(0.1, 0.0),
        "Threshold(20)": lambda: nn.Threshold(0.1, 20.0), "Softplus(2)": lambda: nn.Softplus(2.0), "GLU": lambda: nn.GLU(1),
        "Softmax": lambda: nn.Softmax(-1), "LogSoftmax": lambda: nn.LogSoftmax(1), "Dropout": lambda: nn.Dropout(0.3),
    }.items()
}  # fmt: skip

CONVOLUTIONS: dict[str, Case] = {
    "conv": (nn.Conv2d(4, 6, 3, padding=1), IMAGE),
    "conv, all at once": (nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(2, 1), dilation=(1, 2), groups=2, bias=False), IMAGE),
    "depthwise": (nn.Conv2d(4, 8, 3, groups=4), IMAGE),
    "same": (nn.Conv2d(4, 5, 4, padding="same"), IMAGE),
    "reflect": (nn.Conv2d(4, 5, 3, padding=1, padding_mode="reflect"), IMAGE),
    "circular": (nn.Conv2d(4, 5, 3, padding=1, padding_mode="circular"), IMAGE),
    "conv1d": (nn.Conv1d(4, 6, 3, 2), SIGNAL),
    "conv3d": (nn.Conv3d(2, 3, 3, padding=1), VOLUME),
    "without a batch": (nn.Conv2d(4, 6, 3), ((4, 9, 8),)),
    "transposed": (nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), IMAGE),
    "transposed1d": (nn.ConvTranspose1d(4, 6, 4, stride=2, padding=1), SIGNAL),
    "transposed3d": (nn.ConvTranspose3d(2, 3, 2, stride=2, dilation=2), VOLUME),
    "linear": (nn.Linear(8, 3), IMAGE),
    "matmul": call(torch.matmul, (2, 3, 4), (2, 4, 5)),
    "bmm": call(torch.bmm, (2, 3, 4), (2, 4, 5)),
    "attention": call(lambda q, k, v: F.scaled_dot_product_attention(q, k, v), (1, 2, 5, 8), (1, 2, 6, 8), (1, 2, 6, 8)),
    "weight norm": (nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 6, 3)), IMAGE),
    "LSTM": (Recurrent(nn.LSTM, batch_first=True, num_layers=2, bidirectional=True), ((3, 7, 5),)),
    "GRU": (Recurrent(nn.GRU, bias=False), ((7, 3, 5),)),
}

POOLS: dict[str, Case] = {
    "max": (nn.MaxPool2d(3, 2, 1), IMAGE),
    "max, ceil, dilated": (nn.MaxPool2d(2, 3, dilation=2, ceil_mode=True), IMAGE),
    "max1d": (nn.MaxPool1d(3), SIGNAL),
    "max3d": (nn.MaxPool3d(2, 2, 1), VOLUME),
    "max with indices": (nn.MaxPool2d(2, return_indices=True), IMAGE),
    "avg": (nn.AvgPool2d(3, 2, 1), IMAGE),
    "avg, real elements": (nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), IMAGE),
    "avg, ceil": (nn.AvgPool2d(3, 2, 1, ceil_mode=True), IMAGE),
    "avg, divisor": (nn.AvgPool2d(3, 2, 1, divisor_override=5), IMAGE),
    "avg1d": (nn.AvgPool1d(4, 2), SIGNAL),
    "adaptive avg": (nn.AdaptiveAvgPool2d((4, 3)), IMAGE),
    "adaptive max": (nn.AdaptiveMaxPool2d((4, 3)), IMAGE),
    "adaptive to one": (nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), IMAGE),
    "mean of a map": call(lambda x: x.mean((2, 3))),
}

NORMS: dict[str, Case] = {
    "batch": (nn.BatchNorm2d(4), IMAGE),
    "batch, plain": (nn.BatchNorm2d(4, affine=False), IMAGE),
    "batch, its own": (nn.BatchNorm2d(4, track_running_stats=False), IMAGE),
    "batch1d": (nn.BatchNorm1d(4), ((3, 4),)),
    "layer": (nn.LayerNorm([9, 8]), IMAGE),
    "layer, plain": (nn.LayerNorm(8, elementwise_affine=False), IMAGE),
    "group": (nn.GroupNorm(2, 4), IMAGE),
    "instance": (nn.InstanceNorm2d(4, affine=True), IMAGE),
    "RMS": (nn.RMSNorm(8), IMAGE),
    "parameters": (Parameters(), IMAGE),
}

FUNCTIONS: dict[str, Case] = {
    "arithmetic": call(lambda x, y: (x + 2 * y - 1) / 3 + torch.rsub(x, 1) - torch.add(x, y, alpha=2), *IMAGE * 2),
    "powers": call(lambda x: x.pow(2) + (x.abs() + 1).pow(0.5) + (x.abs() + 1) ** 1.5 + torch.rsqrt(x.abs() + 1)),
    "clamps": call(lambda x: x.clamp(-0.5, 0.5) + x.clamp(min=0) + x.clamp(max=0.25)),
    "where": call(lambda x, y: torch.where((x > y) & (x != 0), x, -y) + x.masked_fill(y < 0, 3.0), *IMAGE * 2),
    "extremes": call(lambda x, y: torch.maximum(x, y) + torch.minimum(x, y), *IMAGE * 2),
    "remainders": call(lambda x: torch.remainder(x, 0.7) + torch.fmod(x, 0.7)),
    "rounding": call(lambda x: x.floor() + x.ceil() + x.round() + x.sign() + torch.div(x, 0.3, rounding_mode="floor")),
    "smooth": call(lambda x: x.exp() + x.sin() + x.cos() + torch.erf(x) + torch.expm1(x) + torch.log1p(x.abs()) + torch.erfc(x)),
    "reductions": call(lambda x: x.sum(1, keepdim=True) + x.mean() + x.amax((2, 3), keepdim=True) + x.amin(3, keepdim=True)),
    "extremes of an axis": call(lambda x: x.max(1)[0] + x.min(1).values + x.max(1)[1]),
    "variance": call(lambda x: x.var(1) + x.std((1,), unbiased=False) + torch.logsumexp(x, 1) + torch.linalg.vector_norm(x, dim=1)),
    "positions": call(lambda x: x.argmax(1) + x.argmin(1, keepdim=False)),
    "cumsum": call(lambda x: x.cumsum(1)),
    "shapes": call(lambda x: x.view(2, 2, 18, 8).transpose(1, 2).reshape(2, -1).unsqueeze(1).squeeze().permute(1, 0).flatten()),
    "joins": call(lambda x, y: torch.cat([x, y, torch.stack([x[:, 0], y[:, 1]], 1)], 1), *IMAGE * 2),
    "splits": call(lambda x: x.chunk(2, 1)[0] + x.split([1, 3], 1)[0] + x.unbind(1)[2].unsqueeze(1) + x.tensor_split(3, 1)[1]),
    "slices": call(lambda x: x[:, 1:3, ::2, -3:] + x.narrow(1, 0, 2)[..., :5, :3] + x.select(2, 1)[:, :2, None, :3]),
    "flip and roll": call(lambda x: x.flip(2, 3) + x.roll(3, 2) + x.roll((1, -2), (1, 3))),
    "expand": call(lambda x: x[:, :1].expand(-1, 4, -1, -1) + x[:, :1].repeat(1, 4, 1, 1) + x[:, :2].repeat_interleave(2, 1)),
    "indices": call(lambda x: x[:, [2, 0, 1]] + torch.index_select(x, 1, torch.tensor([0, 3, 3]))),
    "pads": call(lambda x: F.pad(x, (1, 2, 0, 1), value=2.0) + F.pad(x, (1, 2, 0, 1), "reflect") + F.pad(x, (1, 2, 0, 1), "replicate")),
    "cut and go round": call(lambda x: F.pad(F.pad(x, (-1, 2)), (1, 1, 2, 0), "circular")),
    "pixels": call(lambda x: F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2) + F.channel_shuffle(x, 2)),
    "nearest": call(lambda x: F.interpolate(x, scale_factor=2) + F.interpolate(x, (18, 16), mode="nearest-exact")),
    "nearest to a size": call(lambda x: F.interpolate(x, (7, 11))),
    "linear": call(
        lambda x: F.interpolate(x, scale_factor=1.5, mode="bilinear") + F.interpolate(x, (13, 12), mode="bilinear", align_corners=True)
    ),
    "linear1d": call(lambda x: F.interpolate(x, 17, mode="linear"), *SIGNAL),
    "types": call(lambda x: x.double().float() + (x > 0) + (x * 4).int() * 0.5 + x.type(torch.float64).to(torch.float32)),
    "factories": call(lambda x: x + torch.arange(8) + torch.zeros(9, 1) + torch.full((4, 1, 1), 0.5) + torch.ones_like(x)),
    "a grid": call(lambda x: x + torch.meshgrid(torch.arange(9.0), torch.linspace(0, 1, 8), indexing="ij")[0]),
    "in place": call(in_place),
    "written through a view": call(written),
    "several outputs": call(lambda x: (x.relu(), x.tanh(), x)),
}
CASES: dict[str, Case] = {
    f"{kind}: {name}": case
    for kind, cases in (
        ("activation", ACTIVATIONS), ("convolution", CONVOLUTIONS), ("pool", POOLS), ("norm", NORMS), ("function", FUNCTIONS),
    )
    for name, case in cases.items()
}  # fmt: skip
