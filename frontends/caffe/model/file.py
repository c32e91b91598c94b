"""A `.caffemodel` file: layers by name, their blobs in order. Nothing but names and places is read here."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from cnnir.diagnostics import CnnirError, Diagnostic

from ...files import open_regular, unreadable
from ...wire import BYTES, Entry, Wire, WireError
from .blobs import Blob

_NET_LAYERS, _NET_LAYER = 2, 100
"""NetParameter: `layers` (V1LayerParameter) and `layer` (LayerParameter)."""
_NAME_AND_BLOBS = {_NET_LAYER: (1, 7), _NET_LAYERS: (4, 6)}
_V1_INNER, _V0_NAME_AND_BLOBS = 1, (1, 50)
"""V1LayerParameter.layer, in which files of 2013 have everything (V0LayerParameter)."""
MAX_FIELDS = 500_000
"""Fields of one file that are looked at: runs of numbers count once."""
_HDF5 = b"\x89HDF\r\n\x1a\n"


class Model:
    """The weights of a network, by the names of its layers. Several layers may have one name."""

    def __init__(self, shown: str, layers: dict[str, list[list[Blob]]]) -> None:
        self.shown = shown
        self._layers = layers

    def __contains__(self, name: str) -> bool:
        return name in self._layers

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def blobs(self, name: str, occurrence: int = 0) -> list[Blob]:
        """The blobs of the layer of a name, or of the next one of that name; none where there is no such layer."""
        found = self._layers.get(name, [])
        return found[occurrence] if occurrence < len(found) else []


def open_model(path: Path) -> Model:
    """Map a file and find its layers; raises CnnirError where it is not a `.caffemodel` (exit code 2 where it cannot be read)."""
    with open_regular(path) as file:
        try:
            empty = not path.stat().st_size
            data = memoryview(b"") if empty else memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError) as error:
            raise unreadable(path, error) from None
    if bytes(data[:8]) == _HDF5:
        raise _damaged(path, "it is an HDF5 file", "save the network with `snapshot_format: BINARYPROTO`")
    wire = Wire(data, MAX_FIELDS)
    try:
        layers = _layers(wire)
    except WireError as error:
        raise _damaged(path, str(error)) from None
    if not layers:
        raise _damaged(path, "it has no layers")
    return Model(str(path), layers)


def _damaged(path: Path, reason: str, help: str | None = None) -> CnnirError:
    return CnnirError(Diagnostic("C0845", f"`{path}` is not a readable .caffemodel: {reason}", help=help))


def _layers(wire: Wire) -> dict[str, list[list[Blob]]]:
    found: dict[str, list[list[Blob]]] = {}
    for entry in wire.fields(0, len(wire.data)):
        if entry.kind == BYTES and entry.number in _NAME_AND_BLOBS:
            name, blobs = _layer(wire, entry, *_NAME_AND_BLOBS[entry.number])
            found.setdefault(name, []).append(blobs)
    return found


def _layer(wire: Wire, layer: Entry, name_number: int, blob_number: int) -> tuple[str, list[Blob]]:
    name, blobs = "", list[Blob]()
    for entry in wire.fields(layer.begin, layer.end):
        if entry.kind != BYTES:
            continue
        if entry.number == name_number:
            name = wire.text(entry)
        elif entry.number == blob_number:
            blobs.append(Blob(wire, entry.begin, entry.end))
        elif layer.number == _NET_LAYERS and entry.number == _V1_INNER and blob_number != _V0_NAME_AND_BLOBS[1]:
            name, blobs = _layer(wire, entry, *_V0_NAME_AND_BLOBS)
    return name, blobs
