"""Every op of the language by name."""

from __future__ import annotations

from collections.abc import Mapping

from . import arithmetic, convolution, piecewise, pooling, smooth, tensor
from .base import Op

_MODULES = (arithmetic, convolution, piecewise, pooling, smooth, tensor)
_CLASSES = {c for m in _MODULES for c in vars(m).values() if isinstance(c, type) and issubclass(c, Op) and c.name}

OPS: Mapping[str, type[Op]] = {c.name: c for c in sorted({*_CLASSES, *smooth.PRIMITIVE_OPS}, key=lambda c: c.name)}
"""Spelling in the language -> op class."""
