"""The laws: one file each."""

from __future__ import annotations

from collections.abc import Mapping

from .concat import Concat
from .pointwise import Pointwise
from .proving import REGION_LAWS
from .rule import Law, LayerLaw

LAYER_LAWS: tuple[LayerLaw, ...] = (Concat(), Pointwise())
"""Laws about the one layer in front of a pool, tried where no region stands there."""

LAWS: Mapping[str, Law] = {law.name: law for law in (*REGION_LAWS, *LAYER_LAWS)}
"""Law by name."""
