"""Layers of Caffe -> layers of the network, a family a file."""

from __future__ import annotations

from . import activation, arithmetic, convolution, normalise, pooling, reduction, shape
from .registry import KINDS, Kind

__all__ = ["DROPPED", "KINDS", "Kind"]

_FAMILIES = (activation, arithmetic, convolution, normalise, pooling, reduction, shape)  # importing them fills the registry

DROPPED = frozenset({"Accuracy", "Silence", "HDF5Output"})
"""Layers that answer nothing at inference, beside every type that ends with `Loss`."""
