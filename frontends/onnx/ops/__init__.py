"""What operators mean, a family a file: each function takes a node and gives its outputs."""

from __future__ import annotations

import importlib
import pkgutil


def load() -> None:
    """Import every file, which registers its functions."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
