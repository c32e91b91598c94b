"""Normalisation as it is in use: batch norm by its running statistics; the others by those of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cnnir.ir.graph import Value
from cnnir.ops.arithmetic import BatchNorm, Bias, Dropout, Scale
from cnnir.ops.normal import GroupNorm, InstanceNorm, LayerNorm, LogSoftmax, centred
from cnnir.ops.tensor import Softmax

from ..build import Build, Known, Operand, Unsupported
from .table import Rule, cast, optional


def _coefficient(build: Build, given: Operand | None, shape: tuple[int, ...], fill: float, dtype: str, what: str) -> Known:
    """A scale or shift, or where there is none, what changes nothing."""
    return optional(given, what) or build.derived(np.full(shape, fill, build.type(given).numpy if given else _numpy(dtype)))


def _numpy(dtype: str) -> np.dtype:
    from cnnir.types import numpy_dtype

    return numpy_dtype(dtype)


def _pair(build: Build, input: Operand, shape: tuple[int, ...], weight: Operand | None, bias: Operand | None) -> tuple[Known, Known]:
    """Scale and shift for all of `shape`."""
    dtype = build.type(input).dtype
    scale = _coefficient(build, weight, shape, 1.0, dtype, "the scale of a normalisation")
    return scale, _coefficient(build, bias, shape, 0.0, dtype, "the shift of a normalisation")


def _running(
    build: Build, input: Operand, weight: Operand | None, bias: Operand | None, mean: Operand, variance: Operand, eps: float
) -> Operand:
    scale, shift = _pair(build, input, (build.type(input).channels,), weight, bias)
    what = "the statistics of a batch norm"
    return build.add(BatchNorm(eps), input, scale=scale, bias=shift, mean=optional(mean, what), variance=optional(variance, what))


def batch_norm(
    build: Build, input: Operand, weight: Operand | None, bias: Operand | None, running_mean: Operand | None,
    running_var: Operand | None, training: bool, momentum: float, eps: float, cudnn_enabled: bool = False,
) -> Operand:  # fmt: skip
    """By running statistics, also where the program was exported in training mode; by the batch's own where it keeps none."""
    del training, momentum, cudnn_enabled
    if running_mean is not None and running_var is not None:
        return _running(build, input, weight, bias, running_mean, running_var, eps)
    rank = len(build.shape(input))
    found = centred(build.add, input, build.type(input), (0, *range(2, rank)), eps)
    if weight is not None:
        found = build.add(Scale(), found, factor=optional(weight, "the scale of a batch norm"))
    return found if bias is None else build.add(Bias(), found, bias=optional(bias, "the shift of a batch norm"))


def _no_training(
    build: Build, input: Operand, weight: Operand | None, bias: Operand | None, running_mean: Operand, running_var: Operand,
    momentum: float, eps: float,
) -> tuple[Operand | None, ...]:  # fmt: skip
    """Core ATen's spelling; the other results are for training."""
    del momentum
    return _running(build, input, weight, bias, running_mean, running_var, eps), None, None


def _legit(
    build: Build, input: Operand, weight: Operand | None, bias: Operand | None, running_mean: Operand | None = None,
    running_var: Operand | None = None, training: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> tuple[Operand | None, ...]:  # fmt: skip
    return batch_norm(build, input, weight, bias, running_mean, running_var, training, momentum, eps), None, None, None, None


def layer_norm(
    build: Build, input: Operand, normalized_shape: Sequence[int], weight: Operand | None = None, bias: Operand | None = None,
    eps: float = 1e-5, cudnn_enable: bool = True,
) -> Operand:  # fmt: skip
    """Over the last axes."""
    del cudnn_enable
    shape = tuple(normalized_shape)
    scale, shift = _pair(build, input, shape, weight, bias)
    return build.add(LayerNorm(-len(shape), eps), input, scale=scale, bias=shift)


def _native_layer_norm(
    build: Build, input: Operand, normalized_shape: Sequence[int], weight: Operand | None, bias: Operand | None, eps: float
) -> tuple[Operand | None, ...]:
    return layer_norm(build, input, normalized_shape, weight, bias, eps), None, None


def group_norm(
    build: Build, input: Operand, num_groups: int, weight: Operand | None = None, bias: Operand | None = None, eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Operand:  # fmt: skip
    """Over groups of channels."""
    del cudnn_enabled
    scale, shift = _pair(build, input, (build.type(input).channels,), weight, bias)
    return build.add(GroupNorm(num_groups, eps), input, scale=scale, bias=shift)


def _native_group_norm(
    build: Build, input: Operand, weight: Operand | None, bias: Operand | None, N: int, C: int, HxW: int, group: int, eps: float
) -> tuple[Operand | None, ...]:
    del N, C, HxW
    return group_norm(build, input, group, weight, bias, eps), None, None


def instance_norm(
    build: Build, input: Operand, weight: Operand | None, bias: Operand | None, running_mean: Operand | None,
    running_var: Operand | None, use_input_stats: bool, momentum: float, eps: float, cudnn_enabled: bool = False,
) -> Operand:  # fmt: skip
    """By the statistics of each map, or by running ones, which makes it a batch norm."""
    del momentum, cudnn_enabled
    if not use_input_stats and running_mean is not None and running_var is not None:
        return _running(build, input, weight, bias, running_mean, running_var, eps)
    scale, shift = _pair(build, input, (build.type(input).channels,), weight, bias)
    return build.add(InstanceNorm(eps=eps), input, scale=scale, bias=shift)


def _softmax(make: type[Softmax] | type[LogSoftmax]) -> Rule:
    def rule(build: Build, input: Operand, dim: int, dtype: str | None = None, half_to_float: bool = False) -> Operand:
        if half_to_float:
            raise Unsupported("a softmax that also converts")
        data = cast(build, input, dtype) if dtype else input
        return build.add(make(build.axis(dim, len(build.shape(data)))), data)

    return rule


def _normalize_rms(
    build: Build, input: Operand, normalized_shape: Sequence[int], weight: Operand | None = None, eps: float | None = None
) -> Operand:
    """x / sqrt(mean of squares + eps)."""
    from cnnir.ops.arithmetic import Add, Div, Mul
    from cnnir.ops.reduce import ReduceMean
    from cnnir.ops.smooth import primitive_op

    rank = len(build.shape(input))
    over = tuple(range(rank - len(normalized_shape), rank))
    least = float(np.finfo(build.type(input).numpy).eps) if eps is None else eps
    squares = build.add(ReduceMean(over), build.add(primitive_op("square"), input))
    found = build.add(Div(), input, build.add(primitive_op("sqrt"), build.add(Add(least), squares)))
    return found if weight is None else build.add(Mul(), found, weight)


def _dropout(build: Build, input: Operand, p: float, train: bool) -> Operand:
    """Nothing in use; the layer stays, so that training is as it was."""
    del train
    return build.add(Dropout(p), input) if p > 0 and isinstance(input, Value) else input


RULES: Mapping[str, Rule] = {
    "batch_norm": batch_norm, "_native_batch_norm_legit_no_training": _no_training, "_native_batch_norm_legit": _legit,
    "_native_batch_norm_legit_functional": _legit, "native_batch_norm": _legit,
    "layer_norm": layer_norm, "native_layer_norm": _native_layer_norm, "group_norm": group_norm, "native_group_norm": _native_group_norm,
    "dropout": _dropout, "instance_norm": instance_norm, "rms_norm": _normalize_rms,
    **dict.fromkeys(("softmax", "_softmax"), _softmax(Softmax)), **dict.fromkeys(("log_softmax", "_log_softmax"), _softmax(LogSoftmax)),
}  # fmt: skip
