"""Layer types and what makes them: `@layer("Convolution")` in front of a function from a site to the values of its tops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cnnir.ir.graph import Value

from ..site import Site

Convert = Callable[[Site], Sequence[Value]]
MANY = 1_000_000


@dataclass(frozen=True)
class Kind:
    """A type of layer: how many bottoms and tops it has, least and most, and what makes it."""

    convert: Convert
    bottoms: tuple[int, int]
    tops: tuple[int, int]


KINDS: dict[str, Kind] = {}
"""Type of layer, as a prototxt says it -> its kind."""


def layer(*types: str, bottoms: tuple[int, int] = (1, 1), tops: tuple[int, int] = (1, 1)) -> Callable[[Convert], Convert]:
    """Register the function for layers of these types."""

    def registered(convert: Convert) -> Convert:
        for type in types:
            KINDS[type] = Kind(convert, bottoms, tops)
        return convert

    return registered
