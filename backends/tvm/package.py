"""Packages on disk: a folder with library, weights and manifest.

    model.cnnpkg/
        manifest.json           target, threads, types, counted work, versions, SHA-256 and place of everything else
        library-<hash>.so       the network's code; named by content, because a process loads a name only once
        weights.bin             packed weights at 64-byte offsets, mapped when loaded, never copied

A package is code: loading one runs it. Hashes find damage, not malice; load only what you trust.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from cnnir.diagnostics import CnnirError, Diagnostic
from cnnir.files import cannot_write

from .cpu import check_cpu, check_machine
from .manifest import Manifest
from .manifest_json import Document, Entry, OtherSchema, from_json, to_json, type_of
from .runner import ALIGNMENT

Array = np.ndarray[Any, Any]
WEIGHTS, MANIFEST = "weights.bin", "manifest.json"
LARGEST_MANIFEST = 256 << 20
"""Bytes; a million kernel calls take less."""
RUNTIME = ("apache-tvm", "apache-tvm-ffi")
"""What compiled code and this process must agree on to the letter: neither promises a stable binary interface."""


@dataclass(frozen=True)
class Contents:
    """What is in a package: constants in the order `main` takes them, and further files by name."""

    manifest: Manifest
    library: Path
    constants: Sequence[Array]
    files: Mapping[str, bytes]


def write(path: Path, contents: Contents) -> None:
    """Write a package, all of it or nothing: it is made beside `path` and renamed. Replaces a package that is there.

    Raises CnnirError (exit code 2) where it cannot be, and where something else is there.
    """
    try:
        _check_place(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".cnnir-", dir=path.parent))
        try:
            _fill(folder, contents)
            folder.chmod(0o755)
            _replace(folder, path)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    except (OSError, RuntimeError, ValueError) as error:
        raise cannot_write(path, error) from error


def _check_place(path: Path) -> None:
    if path.is_symlink() and not path.exists():
        raise _taken(path, "is a link to nothing")
    if path.exists() and not is_package(path):
        raise _taken(path, "exists and is not a package")
    inside = next((parent for parent in path.resolve().parents if is_package(parent)), None)
    if inside is not None:
        raise _taken(path, f"lies inside the package `{inside}`")


def is_package(path: Path) -> bool:
    """Whether a folder looks like a package."""
    return (path / MANIFEST).is_file() and (path / WEIGHTS).is_file()


def _taken(path: Path, why: str) -> CnnirError:
    return CnnirError(Diagnostic("C0501", f"`{path}` {why}", help="choose another path"), exit_code=2)


def _fill(folder: Path, contents: Contents) -> None:
    """Write all files of a package, the manifest last."""
    library = f"library-{_sha256(contents.library)[:16]}.so"
    shutil.copyfile(contents.library, folder / library)
    entries = _write_weights(contents.constants, folder / WEIGHTS)
    for name, content in contents.files.items():
        (folder / name).write_bytes(content)
    hashes = {p.name: _sha256(p) for p in sorted(folder.iterdir())}
    (folder / MANIFEST).write_text(to_json(Document(contents.manifest, library, entries, hashes)))


def _replace(folder: Path, path: Path) -> None:
    """Rename `folder` to `path`; a package that is there goes only when the new one has its place."""
    path = path.resolve()
    if not path.exists():
        folder.rename(path)
        return
    aside = Path(tempfile.mkdtemp(prefix=".cnnir-", dir=path.parent))
    old = aside / "package"
    try:
        path.rename(old)
        folder.rename(path)
    except BaseException:  # an interrupt too
        if old.exists() and not path.exists():
            old.rename(path)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def read(path: Path, threads: int | None = None, verify: bool = False) -> Contents:
    """Open a package; raises CnnirError where it is damaged, or (exit code 3) made for another CPU or version.

    `verify` hashes the weights too, which costs a second a GB.
    """
    try:
        document = from_json(_read_manifest(path / MANIFEST))
        manifest = document.manifest
        check_machine(manifest.target, path)
        check_cpu(manifest.cpu_features, path)
        _check_versions(manifest.versions, path)
        _check_files(path, document, verify)
        weights = _map_weights(path / WEIGHTS, document.weights)
        extra = {n: (path / n).read_bytes() for n in document.hashes if n not in (document.library, WEIGHTS)}
    except OtherSchema as error:
        raise _other_version(path, str(error)) from error
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, error) from error
    manifest = manifest if threads is None else replace(manifest, threads=threads)
    return Contents(manifest, path / document.library, weights, extra)


def damaged(path: Path, error: Exception) -> CnnirError:
    """The diagnostic for a package that is not what was saved."""
    return CnnirError(Diagnostic("C0503", f"`{path}` is not a package that can be run", notes=(str(error),), help="compile it again"))


def _read_manifest(path: Path) -> str:
    if not path.is_file():  # nor a FIFO, which nobody may ever write into
        raise ValueError(f"{path.name} is missing")
    if path.stat().st_size > LARGEST_MANIFEST:
        raise ValueError(f"{path.name} is larger than any manifest")
    return path.read_text(encoding="utf-8")


def _check_versions(versions: Mapping[str, str], path: Path) -> None:
    """Raise CnnirError (exit code 3) unless the package was compiled with what is installed here."""
    differ = [f"{p} {versions.get(p, 'of no known version')}, here {v}" for p in RUNTIME if versions.get(p) != (v := _installed(p))]
    if differ:
        raise _other_version(path, f"it was compiled with {'; '.join(differ)}")


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _other_version(path: Path, note: str) -> CnnirError:
    return CnnirError(
        Diagnostic("C0515", f"`{path}` was compiled for another version", notes=(note,), help="compile it again here"), exit_code=3
    )


def _check_files(path: Path, document: Document, verify: bool) -> None:
    """Every file is there and unchanged. Weights are checked by size alone, when mapped, unless `verify` is set."""
    for name in {document.library, WEIGHTS, *document.hashes}:
        if name != Path(name).name:
            raise ValueError(f"the manifest names a file outside the package: {name}")
        if not (path / name).is_file():
            raise ValueError(f"{name} is missing")
        if (name != WEIGHTS or verify) and _sha256(path / name) != document.hashes.get(name):
            raise ValueError(f"{name} is not the file that was saved")


def _write_weights(constants: Sequence[Array], path: Path) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    with path.open("wb") as file:
        for array in constants:
            file.write(b"\0" * (-file.tell() % ALIGNMENT))
            entries.append(Entry(file.tell(), type_of(array)))
            file.write(np.ascontiguousarray(array).view(np.uint8).data)
    return tuple(entries)


def _map_weights(path: Path, entries: Sequence[Entry]) -> list[Array]:
    """Weights as views of one mapping. Mode "c": DLPack refuses read-only memory, and nothing reaches the disk."""
    size = path.stat().st_size
    arrays: list[Array] = []
    memory = np.memmap(path, np.uint8, mode="c") if size else np.empty(0, np.uint8)
    for entry in entries:
        end = entry.offset + entry.type.bytes
        if entry.offset % ALIGNMENT or end > size:
            raise ValueError(f"{path.name} does not hold what the manifest says")
        arrays.append(memory[entry.offset : end].view(entry.type.numpy).reshape(entry.type.shape))
    return arrays


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
        return digest.hexdigest()
