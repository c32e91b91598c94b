"""The laws: one file each, tried in the order of `LAWS`."""

from __future__ import annotations

from collections.abc import Mapping

from .down import Down
from .rule import Law
from .up import Up

LAWS: Mapping[str, Law] = {law.name: law for law in (Up(), Down())}
"""Law by name."""
