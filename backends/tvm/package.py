"""Packages on disk: a folder with library, weights and manifest.

    model.cnnpkg/
        manifest.json    target, threads, types, counted work, versions, SHA-256 and place of everything else
        library.so       the network's code
        weights.bin      packed weights at 64-byte offsets, mapped when loaded, never copied

A package is code: loading one runs it. Hashes find damage, not malice; load only what you trust.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnir.diagnostics import CnnirError, Diagnostic
from cnnir.types import TensorType

from .cpu import check_cpu
from .manifest import Manifest, Work
from .runner import ALIGNMENT

Array = np.ndarray[Any, Any]
SCHEMA = 1
LIBRARY, WEIGHTS, MANIFEST = "library.so", "weights.bin", "manifest.json"


@dataclass(frozen=True)
class Contents:
    """What is in a package: constants in the order `main` takes them, and further files by name."""

    manifest: Manifest
    library: Path
    constants: Sequence[Array]
    files: Mapping[str, bytes]


def write(path: Path, contents: Contents) -> None:
    """Write a package, all of it or nothing: it is made beside `path` and renamed. Replaces a package that is there."""
    if path.exists() and not (path / MANIFEST).is_file():
        raise CnnirError(Diagnostic("C0501", f"`{path}` exists and is not a package", help="choose another path"), exit_code=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        shutil.copyfile(contents.library, folder / LIBRARY)
        entries = _write_weights(contents.constants, folder / WEIGHTS)
        for name, content in contents.files.items():
            (folder / name).write_bytes(content)
        hashes = {p.name: _sha256(p) for p in sorted(folder.iterdir())}
        (folder / MANIFEST).write_text(json.dumps(_to_json(contents.manifest, entries, hashes), indent=1) + "\n")
        folder.chmod(0o755)
        _replace(folder, path)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _replace(folder: Path, path: Path) -> None:
    if not path.exists():
        folder.rename(path)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent)) / "package"
    path.rename(old)
    folder.rename(path)
    shutil.rmtree(old.parent)


def read(path: Path, threads: int | None = None) -> Contents:
    """Open a package; raises CnnirError where it is damaged, or (exit code 3) made for another CPU."""
    try:
        document = json.loads((path / MANIFEST).read_text())
        manifest, entries, hashes = _from_json(document, threads)
        check_cpu(manifest.cpu_features, path)
        _check_files(path, hashes)
        weights = _map_weights(path / WEIGHTS, entries)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CnnirError(
            Diagnostic("C0503", f"`{path}` is not a package that can be run", notes=(str(error),), help="compile it again")
        ) from error
    extra = {n: (path / n).read_bytes() for n in hashes if n not in (LIBRARY, WEIGHTS)}
    return Contents(manifest, path / LIBRARY, weights, extra)


def _check_files(path: Path, hashes: Mapping[str, str]) -> None:
    """Every file is there and unchanged. Weights are checked by size alone, when mapped: hashing them costs a second a GB."""
    for name in {LIBRARY, WEIGHTS, *hashes}:
        if name != Path(name).name:
            raise ValueError(f"the manifest names a file outside the package: {name}")
        if not (path / name).is_file():
            raise ValueError(f"{name} is missing")
        if name != WEIGHTS and _sha256(path / name) != hashes[name]:
            raise ValueError(f"{name} is not the file that was saved")


def _write_weights(constants: Sequence[Array], path: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    with path.open("wb") as file:
        for array in constants:
            file.write(b"\0" * (-file.tell() % ALIGNMENT))
            entries.append({"offset": file.tell(), "shape": list(array.shape), "dtype": str(array.dtype)})
            file.write(np.ascontiguousarray(array).data)
    return entries


def _map_weights(path: Path, entries: list[dict[str, Any]]) -> list[Array]:
    """Weights as views of one mapping. Mode "c": DLPack refuses read-only memory, and nothing reaches the disk."""
    size = path.stat().st_size
    arrays: list[Array] = []
    memory = np.memmap(path, np.uint8, mode="c") if size else np.empty(0, np.uint8)
    for entry in entries:
        shape, dtype = entry["shape"], np.dtype(entry["dtype"])
        length, offset = math.prod(shape) * dtype.itemsize, entry["offset"]
        if dtype.hasobject or min(shape, default=0) < 0 or offset < 0 or offset % ALIGNMENT or offset + length > size:
            raise ValueError(f"{path.name} does not hold what the manifest says")
        arrays.append(memory[offset : offset + length].view(dtype).reshape(shape))
    return arrays


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
        return digest.hexdigest()


def _to_json(manifest: Manifest, entries: list[dict[str, Any]], hashes: Mapping[str, str]) -> dict[str, Any]:
    document = asdict(manifest)
    for ports in ("inputs", "outputs"):
        document[ports] = {n: {"dtype": t.dtype, "shape": list(t.shape)} for n, t in getattr(manifest, ports).items()}
    return {"schema": SCHEMA, **document, "weights": entries, "sha256": dict(hashes)}


def _from_json(document: dict[str, Any], threads: int | None) -> tuple[Manifest, list[dict[str, Any]], dict[str, str]]:
    if document["schema"] != SCHEMA:
        raise ValueError(f"schema {document['schema']}, this cnnir reads {SCHEMA}")

    def ports(key: str) -> dict[str, TensorType]:
        return {n: TensorType(v["dtype"], tuple(v["shape"])) for n, v in document[key].items()}

    manifest = Manifest(
        document["name"], document["target"], threads or int(document["threads"]), ports("inputs"), ports("outputs"),
        Work(**document["work"]), document["versions"],
        {n: None if r is None else (float(r[0]), float(r[1])) for n, r in document["ranges"].items()},
        tuple(tuple(call) for call in document["calls"]), tuple(document["cpu_features"]),
    )  # fmt: skip
    return manifest, document["weights"], document["sha256"]
