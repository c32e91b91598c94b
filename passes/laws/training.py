"""What a network that is still trained forbids: a layer may not move on the strength of weights that will change.

Batch norm of another tensor has another mean and variance, dropout in front of a pool is none behind it, and a scale that is
positive today may be negative after the next step. What is left holds at every step: relu, fixed slopes, any formula of numbers.
"""

from __future__ import annotations

from cnnir.ir.graph import Layer
from cnnir.ops.elementwise import Elementwise

from ..site import PoolSite
from ..terms import Terms
from .rule import Refusal


def unsteady(site: PoolSite, terms: Terms) -> Refusal | None:
    """Refuse a region with a layer that is another function in training, where the network is to be trained."""
    found = next((layer for layer in site.region.layers if not is_steady(layer)), None) if terms.training else None
    if found is None:
        return None
    steady = isinstance(found.op, Elementwise) and found.op.steady
    why = "has weights, which training changes" if steady else "is another function in training"
    return Refusal("the same in training", f"`{found.name}` {why}", found.name)


def is_steady(layer: Layer) -> bool:
    """Whether an elementwise layer is one and the same function all through training."""
    return not layer.weights and isinstance(layer.op, Elementwise) and layer.op.steady
