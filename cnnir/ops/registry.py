"""Every op of the language by name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path

from . import smooth
from .base import Op

_MODULES = [importlib.import_module(f"{__package__}.{m.name}") for m in pkgutil.iter_modules([str(Path(__file__).parent)])]
_CLASSES = {c for m in _MODULES for c in vars(m).values() if isinstance(c, type) and issubclass(c, Op) and c.name and c.listed}

OPS: Mapping[str, type[Op]] = {c.name: c for c in sorted({*_CLASSES, *smooth.PRIMITIVE_OPS}, key=lambda c: c.name)}
"""Spelling in the language -> op class."""
