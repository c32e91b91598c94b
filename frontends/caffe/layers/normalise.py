"""BatchNorm, Scale, Bias, LRN, MVN, Normalize-like layers, Softmax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnir.ir.graph import Value
from cnnir.ops.arithmetic import Add, BatchNorm, Bias, Div, Mul, Power, Scale, Sub
from cnnir.ops.base import Array
from cnnir.ops.constant import Constant
from cnnir.ops.pooling import AvgPool
from cnnir.ops.reduce import ReduceMean
from cnnir.ops.shape import Reshape
from cnnir.ops.smooth import primitive_op
from cnnir.ops.tensor import Lrn, Softmax
from cnnir.types import TensorType

from ..net import Layer
from ..site import Site
from .registry import layer


@layer("BatchNorm")
def batch_norm(site: Site) -> Sequence[Value]:
    """Normalisation by stored statistics; a `Scale` behind it that alone reads it becomes part of it."""
    said = site.parameter("batch_norm_param")
    if "use_global_stats" in said and not said.flag("use_global_stats"):
        raise site.refuse("statistics of the batch itself instead of stored ones", said, "use_global_stats")
    channels, eps = site.type.channels, said.real("eps")
    mean, variance = _statistics(site, channels)
    if variance is not None and not (variance + np.float32(eps) > 0).all():
        raise site.refuse(f"a variance of layer `{site.layer.name}` is negative", code="C0846")
    follower = site.follower
    scale: Array | None = np.ones(channels, np.float32)
    bias: Array | None = np.zeros(channels, np.float32)
    if follower is not None and _is_plain_scale(follower):
        site.took = True
        scale = site.numbers(0, (channels,), site.follower_blobs)
        if follower.parameter("scale_param").flag("bias_term"):
            bias = site.numbers(1, (channels,), site.follower_blobs)
    return [site.emit(BatchNorm(eps), weights={"scale": scale, "bias": bias, "mean": mean, "variance": variance})]


def _statistics(site: Site, channels: int) -> tuple[Array | None, Array | None]:
    """Mean and variance: the first two blobs, divided by the number in the third."""
    mean, variance, count = (site.numbers(place, shape) for place, shape in enumerate([(channels,), (channels,), (1,)]))
    if mean is None or variance is None or count is None:
        return None, None
    number = np.float32(count[0])
    factor = np.float32(0) if number == 0 else np.float32(1) / number
    return mean.astype(np.float32) * factor, variance.astype(np.float32) * factor


def _is_plain_scale(layer: Layer) -> bool:
    """Whether a layer is a `Scale` with a number a channel of its own."""
    said = layer.parameter("scale_param")
    return layer.type == "Scale" and len(layer.bottoms) == 1 and said.whole("axis") == 1 and said.whole("num_axes") == 1


@dataclass(frozen=True)
class _Span:
    """Where the coefficients of a Scale or Bias layer lie: the axes of the data from `axis` on, as many as `shape` has."""

    axis: int
    shape: tuple[int, ...]

    @property
    def per(self) -> str | None:
        """As our ops call it, where they know it."""
        return {0: "tensor"}.get(len(self.shape), "channel" if self.axis == 1 and len(self.shape) == 1 else None)

    def aligned(self, rank: int) -> tuple[int, ...]:
        """The shape with which the coefficients broadcast."""
        return (*self.shape, *(1,) * (rank - self.axis - len(self.shape)))


def _coefficients(site: Site, name: str) -> _Span:
    """The axes that `axis` and `num_axes` speak of, or the shape of the second bottom."""
    said, data = site.parameter(name), site.type
    axis = site.axis(said)
    if len(site.inputs) > 1:
        shape = site.types[1].shape
    else:
        count = said.whole("num_axes")
        shape = data.shape[axis:] if count == -1 else data.shape[axis : axis + count]
        if count < -1 or (count >= 0 and len(shape) != count):
            raise site.refuse(f"there are no {count} axes behind axis {axis} of {data}", said, "num_axes", "C0209")
    if data.shape[axis : axis + len(shape)] != shape:
        raise site.refuse(f"coefficients of shape {list(shape)} do not fit axis {axis} of {data}", said, "axis", "C0204")
    return _Span(axis, shape)


def _combined(site: Site, op: type[Mul | Add], span: _Span, operand: Value, value: Value) -> Value:
    """The data with coefficients that are a tensor, brought to a shape that broadcasts."""
    shape = span.aligned(site.type.rank)
    if site.graph.type(operand).shape != shape:
        operand = site.emit(Reshape(shape), operand, suffix="reshape") if shape else operand
    return site.emit(op(), value, operand)


@layer("Scale", bottoms=(1, 2))
def scale(site: Site) -> Sequence[Value]:
    """x times a factor: a number a channel, a number, numbers along other axes, or a second tensor; then perhaps a bias."""
    said = site.parameter("scale_param")
    span = _coefficients(site, "scale_param")
    own = len(site.inputs) == 1
    if not own:
        value = _combined(site, Mul, span, site.inputs[1], site.data)
    elif span.per:
        value = site.emit(Scale(span.per), weights={"factor": site.numbers(0, span.shape)})  # type: ignore[arg-type]
    else:
        value = _combined(site, Mul, span, _constant(site, span, 0, "factor"), site.data)
    return [_biased(site, value, span, int(own)) if said.flag("bias_term") else value]


@layer("Bias", bottoms=(1, 2))
def bias(site: Site) -> Sequence[Value]:
    """x and a bias, as `Scale` has its factor."""
    span = _coefficients(site, "bias_param")
    if len(site.inputs) > 1:
        return [_combined(site, Add, span, site.inputs[1], site.data)]
    return [_biased(site, site.data, span, 0)]


def _biased(site: Site, value: Value, span: _Span, place: int) -> Value:
    if span.per:
        return site.emit(Bias(span.per), value, weights={"bias": site.numbers(place, span.shape)})  # type: ignore[arg-type]
    return _combined(site, Add, span, _constant(site, span, place, "bias"), value)


def _constant(site: Site, span: _Span, place: int, suffix: str) -> Value:
    kind = TensorType(site.type.dtype, span.shape)
    return site.emit(Constant(kind), weights={"value": site.numbers(place, span.shape)}, suffix=suffix)


@layer("LRN")
def lrn(site: Site) -> Sequence[Value]:
    """Local response normalisation: across channels, or by the average of squares around each element."""
    said = site.parameter("lrn_param")
    size, alpha, beta, k = said.whole("local_size"), said.real("alpha"), said.real("beta"), said.real("k")
    if size % 2 == 0:
        raise site.refuse(f"`local_size` is odd in Caffe, and {size} is not", said, "local_size", "C0206")
    if said.text("norm_region") == "ACROSS_CHANNELS":
        return [site.emit(Lrn(size, alpha, beta, k))]
    half = (size // 2,) * 4  # here Caffe's sum begins at 1, whatever `k` says
    squares = site.emit(primitive_op("square"), suffix="square")
    mean = site.emit(AvgPool((size, size), (1, 1), half, count_include_pad=True), squares, suffix="mean")
    scaled = site.emit(Add(1.0), site.emit(Mul(alpha), mean, suffix="scale"), suffix="shift")
    return [site.emit(Mul(), site.data, site.emit(Power(-beta), scaled, suffix="power"))]


@layer("MVN")
def mvn(site: Site) -> Sequence[Value]:
    """(x - mean) / (deviation + eps) over each map, or over all channels of an example."""
    said, rank = site.parameter("mvn_param"), site.type.rank
    axes = tuple(range(1 if said.flag("across_channels") else 2, rank))
    if not axes:
        raise site.refuse(f"`MVN` needs spatial axes, and this is {site.type}", code="C0202")
    apart = site.emit(Sub(), site.data, site.emit(ReduceMean(axes), suffix="mean"))
    if not said.flag("normalize_variance"):
        return [apart]
    square = site.emit(primitive_op("square"), apart, suffix="square")
    variance = site.emit(ReduceMean(axes), square, suffix="variance")
    deviation = site.emit(primitive_op("sqrt"), variance, suffix="deviation")
    return [site.emit(Div(), apart, site.emit(Add(said.real("eps")), deviation, suffix="shift"))]


@layer("Softmax")
def softmax(site: Site) -> Sequence[Value]:
    """exp(x - max) / sum of exp(x - max) along an axis."""
    return [site.emit(Softmax(site.axis(site.parameter("softmax_param"))))]
