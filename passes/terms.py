"""What a user allows a rewrite to do to floating-point answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Exactness = Literal["exact", "ulp"]
Nan = Literal["assume", "strict"]


@dataclass(frozen=True)
class Terms:
    """`exactness`: equal bit for bit, or also what re-rounds within a stated bound. `nan`: whether the contract that data
    at a site are finite and NaN-free may be assumed, or must be proved from the ranges of the network's inputs. `training`:
    whether the answers must also stay while weights change, and for layers as they are in training."""

    exactness: Exactness = "exact"
    nan: Nan = "assume"
    training: bool = False
