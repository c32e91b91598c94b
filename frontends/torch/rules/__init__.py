"""How PyTorch's operations become layers: a table in each file, all of them together here."""

from __future__ import annotations

from collections.abc import Mapping

from . import activations, arithmetic, convolution, factories, normalisation, picking, pooling, recurrent, reductions, resizing, shapes
from .table import Rule

RULES: Mapping[str, Rule] = {
    **activations.RULES, **arithmetic.RULES, **convolution.RULES, **factories.RULES, **normalisation.RULES, **picking.RULES,
    **pooling.RULES, **recurrent.RULES, **reductions.RULES, **resizing.RULES, **shapes.RULES,
}  # fmt: skip
"""Name of an operation, with its overload where only that one is meant, -> the rule."""
