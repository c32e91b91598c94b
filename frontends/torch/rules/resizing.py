"""Upsampling: nearest neighbour and linear interpolation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from cnnir.ops.resize import Resize

from ..build import Build, Operand, Unsupported
from .table import Rule

Coordinates = Literal["half_pixel", "asymmetric", "align_corners"]


def _sizes(build: Build, input: Operand, size: Sequence[int] | None, scales: Sequence[float | None]) -> dict[str, Any]:
    """`scale` where PyTorch goes by it, `size` elsewhere; one number where all axes have the same."""
    lengths = build.shape(input)[2:]
    known = [s for s in scales if s is not None]
    if len(known) == len(lengths) and (size is None or all(int(n * s) == out for n, s, out in zip(lengths, known, size, strict=True))):
        return {"scale": float(known[0]) if len(set(known)) == 1 else tuple(map(float, known))}
    if size is None:
        raise Unsupported("a resize without a size")
    return {"size": tuple(size)}


def _nearest(exact: bool) -> Rule:
    """PyTorch's `nearest` takes the neighbour below, `nearest-exact` the nearest one."""

    def rule(
        build: Build,
        input: Operand,
        output_size: Sequence[int] | None,
        scale_factors: Sequence[float] | None = None,
        **scales: float | None,
    ) -> Operand:
        how = _sizes(build, input, output_size, scale_factors or tuple(scales.values()))
        if exact:
            return build.add(Resize(**how, coordinates="half_pixel", rounding="prefer_ceil"), input)
        return build.add(Resize(**how, coordinates="asymmetric", rounding="floor"), input)

    return rule


def _linear(
    build: Build, input: Operand, output_size: Sequence[int] | None, align_corners: bool, scale_factors: Sequence[float] | None = None,
    **scales: float | None,
) -> Operand:  # fmt: skip
    how = _sizes(build, input, output_size, scale_factors or tuple(scales.values()))
    coordinates: Coordinates = "align_corners" if align_corners else "half_pixel"
    return build.add(Resize(**how, mode="linear", coordinates=coordinates), input)


RULES: Mapping[str, Rule] = {
    **{f"upsample_nearest{n}d": _nearest(exact=False) for n in (1, 2, 3)},
    **{f"_upsample_nearest_exact{n}d": _nearest(exact=True) for n in (1, 2, 3)},
    **dict.fromkeys(("upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d"), _linear),
}
