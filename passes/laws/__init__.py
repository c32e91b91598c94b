"""The laws: one file each."""

from __future__ import annotations

from collections.abc import Mapping

from .absorb import Absorb
from .cascade import Cascade
from .concat import Concat
from .pointwise import Pointwise
from .proving import REGION_LAWS
from .rule import LayerLaw, RegionLaw

LAYER_LAWS: tuple[LayerLaw, ...] = (Concat(), Pointwise(), Cascade())
"""Laws about the one layer in front of a pool, tried where no region stands there."""

LAWS: Mapping[str, RegionLaw | LayerLaw] = {law.name: law for law in (*REGION_LAWS, *LAYER_LAWS, Absorb())}
"""Law by name, with those that passes of their own apply."""
