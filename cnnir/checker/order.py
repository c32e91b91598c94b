"""Certificates about max and min pools: the direction of every channel, found again, and the bound of what re-rounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from cnnir.certificates import ChannelFacts

from .conditions import Place, comparing, data_range, full_windows, identity_start, private, zero_sign
from .directions import Pieces, Search, Way, contradiction, pieces
from .function import Function
from .report import Check, confirmed, refuted, unconfirmed
from .windows import kind_of

IMPLIED_BY: Mapping[Way, set[str]] = {
    "up": {"up", "constant"},
    "down": {"down", "constant"},
    "valley": {"valley", "up", "down", "constant", "monotone"},
    "peak": {"peak", "up", "down", "constant", "monotone"},
}
"""The directions in a certificate that make a function go this way."""


def check(place: Place, mask: str) -> Iterator[Check]:
    """Everything about a move by the laws up, down, channel and valley; `mask` is the name of a channel move's mask."""
    yield private(place)
    yield comparing(place)
    yield identity_start(place)
    yield full_windows(place)
    yield data_range(place)
    yield covered(place)
    yield float_class(place)
    if mask:
        yield _mask(place, mask)
    minus_zero = False
    for record in place.certificate.records:
        for row in place.function.distinct(record.channels):
            way = _wanted(place, record, mask, row)
            found = _look(place, record, row, way)
            minus_zero |= bool(found.minus_zero.any())
            yield from _channel(place, record, row, way, found)
    yield zero_sign(place, minus_zero)


def covered(place: Place) -> Check:
    """The certificate's groups of channels are all the channels, once each."""
    records, rows = place.certificate.records, place.function.rows
    spoken = sorted(c for record in records for c in record.channels)
    everywhere = [record for record in records if not record.channels]
    if (len(everywhere) == 1 and not spoken) or (not everywhere and spoken == list(range(rows))):
        return confirmed("every channel")
    return refuted("every channel", f"the certificate speaks of {len(spoken)} channels of {rows}")


def float_class(place: Place) -> Check:
    """Class E needs no library function."""
    granted = place.function.taken_for_granted
    if place.certificate.float_class not in ("E", "C (swept)", "C (assumed)", "U"):
        return refuted("float class", f"there is no class `{place.certificate.float_class}`")
    if place.certificate.float_class == "E" and granted:
        return unconfirmed("float class", f"it is said to be exact everywhere, which needs {granted}")
    return confirmed("float class", granted)


def _mask(place: Place, mask: str) -> Check:
    values = np.asarray(place.graph.weights[mask])
    channels, other = place.graph.type(place.data).channels, 0 if values.dtype.kind == "u" else -1
    if values.shape != (channels,) or not bool(np.isin(values.astype(np.float64), (1, other)).all()):
        return refuted("mask", f"`{mask}` is not 1 or {other} for each of {channels} channels")
    return confirmed("mask")


def _wanted(place: Place, record: ChannelFacts, mask: str, row: int) -> Way:
    """The direction that the move needs in a channel."""
    law = place.decision.law
    if law == "channel":
        rises = float(place.graph.weights[mask][row]) > 0 if mask else record.direction != "down"
        return "up" if rises else "down"
    if law == "valley":
        return "valley" if kind_of(place.pool) == "max" else "peak"
    return "down" if law == "down" else "up"


def _look(place: Place, record: ChannelFacts, row: int, way: Way) -> Pieces:
    """The pieces on the certificate's range; or where some stay open, on the part of it where the data can lie."""
    found = _cut(place, record.data, row, way)
    if not found.open.any() or not place.function.data.is_float:
        return found
    own = place.ranges[place.data]
    part = max(own[0], record.data[0]), min(own[1], record.data[1])
    return found if part == record.data or part[0] > part[1] else _cut(place, part, row, way)


def _cut(place: Place, data: tuple[float, float], row: int, way: Way) -> Pieces:
    minus_zero = place.ranges.may_be_minus_zero(place.data)
    found = pieces(place.function, row, *data, Search(minus_zero=minus_zero))
    if place.certificate.float_class != "U" or (found.goes(way) and not found.open.any()):
        return found
    return pieces(place.function, row, *data, Search(True, _slack(place), minus_zero))


def _channel(place: Place, record: ChannelFacts, row: int, way: Way, found: Pieces) -> Iterator[Check]:
    """Whether one channel goes the way the move needs, and gives no NaN."""
    channel = row if place.function.rows > 1 else None
    if record.direction not in IMPLIED_BY[way]:
        yield refuted(way, f"the certificate says {record.direction}, and the move needs {way}", channel=channel)
    yield replace(_goes(place.function, record, row, way, found, _slack(place)), channel=channel)
    if found.nan[~found.open].any():
        yield refuted("no NaN", "the region gives NaN for finite data", channel=channel)
    elif place.certificate.float_class == "U" and place.certificate.bound is None:
        yield unconfirmed("bound", "the certificate states none", channel)


def _slack(place: Place) -> float:
    """By how much the function may break its direction."""
    if place.certificate.float_class != "U":
        return 0.0
    return np.inf if place.certificate.bound is None else place.certificate.bound


def _goes(function: Function, record: ChannelFacts, row: int, way: Way, found: Pieces, slack: float) -> Check:
    shown = contradiction(function, row, way, *record.data, slack)
    if shown is not None:
        return refuted(way, str(shown), shown)
    if not found.goes(way):
        words = "pieces of the range go other ways"
        return unconfirmed(way, f"{words}, as far as they re-round by no more than {slack:.3g}") if slack else refuted(way, words)
    if found.open.any():
        i = int(np.argmax(found.open))
        at = f"[{found.lo[i]:.9g}, {found.hi[i]:.9g}]"
        return unconfirmed(way, f"{int(found.open.sum())} of {len(found.open)} pieces of the range stay open, such as {at}")
    cut = f"{len(found.open)} {'piece' if len(found.open) == 1 else 'pieces'}"
    at = f" of [{found.lo.min():.6g}, {found.hi.max():.6g}]" if found.hi.max() < record.data[1] or found.lo.min() > record.data[0] else ""
    return confirmed(way, f"{cut}{at}{f', within {found.bound():.3g}' if found.bound() else ''}")
