"""A manifest as JSON and back. Reading trusts nothing: every value is checked for its type and its bounds."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar, cast

import numpy as np

from cnnir.diagnostics import CnnirError
from cnnir.types import DTYPES, TensorType, dtype_name, numpy_dtype

from .manifest import Manifest, Work
from .targets import parse_target

T = TypeVar("T")
SCHEMA = 3
MAX_THREADS = 1 << 16
LARGEST = float(np.finfo(np.float64).max)
SEAL = "manifest_sha256"


@dataclass(frozen=True)
class Entry:
    """Where a weight lies in the file of weights."""

    offset: int
    type: TensorType


@dataclass(frozen=True)
class Document:
    """Everything that `manifest.json` says."""

    manifest: Manifest
    library: str
    weights: tuple[Entry, ...]
    hashes: Mapping[str, str]


class OtherSchema(Exception):
    """The document was written by a cnnir that writes other documents."""


def to_json(document: Document) -> str:
    """The text of `manifest.json`, sealed with a hash of itself."""
    manifest = document.manifest
    content: dict[str, Any] = {"schema": SCHEMA, **asdict(manifest)}
    for ports in ("inputs", "outputs"):
        content[ports] = {n: _port(t) for n, t in getattr(manifest, ports).items()}
    content["library"] = document.library
    content["weights"] = [{"offset": e.offset, **_port(e.type)} for e in document.weights]
    content["sha256"] = dict(document.hashes)
    return json.dumps({**content, SEAL: seal(content)}, indent=1) + "\n"


def _port(type: TensorType) -> dict[str, Any]:
    return {"dtype": type.dtype, "shape": list(type.shape)}


def seal(content: Mapping[str, Any]) -> str:
    """SHA-256 of the content, however it is indented, without the seal itself."""
    bare = {key: value for key, value in content.items() if key != SEAL}
    return hashlib.sha256(json.dumps(bare, sort_keys=True).encode()).hexdigest()


def from_json(text: str) -> Document:
    """What a manifest says; raises ValueError or RecursionError where it is damaged, OtherSchema where another cnnir wrote it."""
    content = _mapping(json.loads(text), "the manifest")
    if _whole(content.get("schema"), "schema") != SCHEMA:
        raise OtherSchema(f"it has schema {content['schema']}, this cnnir reads {SCHEMA}")
    if content.get(SEAL) != seal(content):
        raise ValueError("the manifest is not the one that was saved")
    known = {f.name for f in fields(Manifest)} | {"schema", "library", "weights", "sha256", SEAL}
    if content.keys() != known:
        raise ValueError(f"the manifest should have {', '.join(sorted(known ^ content.keys()))}, or should not")
    return Document(
        _manifest(content),
        _word(content["library"], "library"),
        tuple(_entry(e) for e in _items(content["weights"], "weights")),
        {n: _word(h, "sha256") for n, h in _mapping(content["sha256"], "sha256").items()},
    )


def _manifest(content: Mapping[str, Any]) -> Manifest:
    inputs, outputs = (_each(content, key, _tensor) for key in ("inputs", "outputs"))
    ranges = _each(content, "ranges", _range)
    if ranges.keys() != inputs.keys() or not outputs:
        raise ValueError("inputs, their ranges and outputs do not go together")
    work = _each(content, "work", _whole)
    if work.keys() != {f.name for f in fields(Work)}:
        raise ValueError("work is not counted as it should be")
    return Manifest(
        _word(content["name"], "name"), _target(content["target"]), _whole(content["threads"], "threads", 1, MAX_THREADS), inputs, outputs,
        Work(**work), _each(content, "versions", _word), ranges,
        tuple(tuple(_word(n, "a layer") for n in _items(call, "a call")) for call in _items(content["calls"], "calls")),
        tuple(_word(f, "a CPU feature") for f in _items(content["cpu_features"], "cpu_features")),
    )  # fmt: skip


# -- values -----------------------------------------------------------------------------------------------------------


def _mapping(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} should be an object")
    return cast("dict[str, Any]", value)


def _items(value: object, what: str) -> Sequence[object]:
    if not isinstance(value, list):
        raise ValueError(f"{what} should be a list")
    return cast("list[object]", value)


def _each(content: Mapping[str, Any], key: str, read: Callable[[object, str], T]) -> dict[str, T]:
    return {name: read(value, f"{key}: {name}") for name, value in _mapping(content[key], key).items()}


def _word(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{what} should be text")
    return value


def _whole(value: object, what: str, least: int = 0, most: int = 2**63 - 1) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{what} should be a whole number from {least} to {most}")
    return value


def _tensor(value: object, what: str) -> TensorType:
    content = _mapping(value, what)
    dtype, shape = content.get("dtype"), tuple(_whole(n, what, 1) for n in _items(content.get("shape"), what))
    if dtype not in DTYPES or math.prod(shape) >= 2**60:
        raise ValueError(f"{what} is no tensor")
    return TensorType(dtype, shape)


def _range(value: object, what: str) -> tuple[float, float] | None:
    if value is None:
        return None
    ends = [float(n) for n in _items(value, what) if isinstance(n, int | float) and not isinstance(n, bool) and abs(n) <= LARGEST]
    if len(ends) != 2 or ends[0] > ends[1]:
        raise ValueError(f"{what} is no range")
    return ends[0], ends[1]


def _target(value: object) -> str:
    try:
        parse_target(_word(value, "target"))
    except CnnirError as error:
        raise ValueError(str(error)) from error
    return str(value)


def _entry(value: object) -> Entry:
    content = _mapping(value, "a weight")
    return Entry(_whole(content.get("offset"), "offset"), _tensor(value, "a weight"))


def type_of(array: np.ndarray[Any, Any]) -> TensorType:
    """The type of an array."""
    found = TensorType(dtype_name(array.dtype), array.shape)
    assert numpy_dtype(found.dtype) == array.dtype
    return found
