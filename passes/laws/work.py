"""Work of a site, counted for its price."""

from __future__ import annotations

import math

from cnnir.ops.elementwise import Elementwise
from cnnir.ops.pooling import Pooling
from cnnir.scalar.cost import steps
from cnnir.types import TensorType

from ..site import PoolSite


def region_steps(site: PoolSite, elements: int) -> int:
    """Scalar steps of the region's layers on so many elements each."""
    return elements * sum(steps(layer.op.formula()) for layer in site.region.layers if isinstance(layer.op, Elementwise))


def comparisons(pool: Pooling, data: TensorType) -> int:
    """Elements that the kernels fold: all of every window, padding too (they select, and skip nothing)."""
    return math.prod(data.shape[:2]) * math.prod(axis.taps.size for axis in pool.windows(data))


def pooled(pool: Pooling, data: TensorType) -> int:
    """Elements that the windows of a pool hold, all together."""
    return math.prod(data.shape[:2]) * math.prod(int(axis.real.sum()) for axis in pool.windows(data))
