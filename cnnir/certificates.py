"""Certificates: why a rewrite is right, as data that can be stored, read back, and checked by somebody else."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, cast

SCHEMA = "cnnir.certificate/1"

Source = Literal["every finite number", "the ranges of the network's inputs"]
"""Where the range comes from that a fact holds on."""
Derivation = Literal["layer by layer", "as one formula"]
"""How a fact was derived: each layer on what the one before it gives, or the whole region at once, its range cut in pieces."""
Ends = tuple[float, float]


@dataclass(frozen=True)
class ChannelFacts:
    """What the proof knows of a region in some channels, for data in a range."""

    channels: tuple[int, ...]
    """Indices on axis 1; empty for every channel."""
    direction: str
    """`up`, `down`, `constant`, `monotone`, `valley`, `peak`, `affine` or `unknown`."""
    float_class: str
    """`E`, `C (...)` or `U`, as in the certificate."""
    data: Ends
    """The range of x that all this holds on,"""
    source: Source = "every finite number"
    """where that range comes from,"""
    derivation: Derivation = "layer by layer"
    """and how the facts were found."""
    turn: Ends | None = None
    """Of a valley or peak: one way until the first number, the other way from the second on."""
    range: Ends | None = None
    """The range of f(x),"""
    nan: bool = False
    """whether f(x) may be NaN,"""
    minus_zero: bool = False
    """and whether it may be -0."""
    bound: float | None = 0.0
    """How far the float code may break the direction; None where nobody knows."""

    def to_json(self) -> dict[str, Any]:
        """As JSON-able data, infinities as the words `inf` and `-inf`."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> ChannelFacts:
        """What `to_json` gave."""
        return cls(**{f.name: _FACTS.get(f.name, _same)(document[f.name]) for f in fields(cls)})


@dataclass(frozen=True)
class Certificate:
    """Why a move is right, machine-readable: the law, the facts it used, the side conditions that were checked."""

    law: str
    facts: Mapping[str, str]
    """The facts in words, by the channels they are about."""
    conditions: tuple[str, ...]
    """The side conditions that were checked, in order."""
    float_class: str
    """The worst over the channels: `E` exact on every IEEE target, exact for this formula over this library `C (swept)` where that
    was seen on every input and `C (assumed)` where not, `U` within `bound`."""
    bound: float | None = None
    """Of class U: how far apart the two networks can be at the site, for any data in their proven range;"""
    growth: float | None = None
    """where the data decide that, as in averages, the bound for each unit of the largest |x| at the site."""
    assumptions: tuple[str, ...] = ()
    """What the proof takes for granted, in words."""
    records: tuple[ChannelFacts, ...] = ()
    """The facts as data, one record for each group of channels, covering all of them."""
    region: tuple[str, ...] = ()
    """The layers that the move is about, producers first,"""
    pool: str = ""
    """the pool they trade places with,"""
    dtype: str = ""
    """and the element type they compute in."""

    def about(self, region: tuple[str, ...], pool: str, dtype: str) -> Certificate:
        """The same certificate with the layers that it is about."""
        return replace(self, region=region, pool=pool, dtype=dtype)

    def to_json(self) -> dict[str, Any]:
        """As JSON-able data."""
        plain = {f.name: _plain(getattr(self, f.name)) for f in fields(self)}
        return {"schema": SCHEMA, **plain, "records": [record.to_json() for record in self.records]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Certificate:
        """What `to_json` gave; raises ValueError for another schema, KeyError where something is missing."""
        if document.get("schema") != SCHEMA:
            raise ValueError(f"not a {SCHEMA}: {document.get('schema')}")
        read = {f.name: _READ.get(f.name, _same)(document[f.name]) for f in fields(cls)}
        return cls(**read)


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(v) for v in cast("tuple[object, ...]", value)]
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value


def _same(value: Any) -> Any:
    return value


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _ends(value: Any) -> Ends | None:
    return None if value is None else (float(value[0]), float(value[1]))


def _records(documents: Any) -> tuple[ChannelFacts, ...]:
    return tuple(ChannelFacts.from_json(document) for document in documents)


_FACTS: Mapping[str, Callable[[Any], Any]] = {"channels": tuple, "data": _ends, "turn": _ends, "range": _ends, "bound": _number}
_READ: Mapping[str, Callable[[Any], Any]] = {
    "facts": dict, "conditions": tuple, "assumptions": tuple, "region": tuple, "bound": _number, "growth": _number, "records": _records,
}  # fmt: skip
