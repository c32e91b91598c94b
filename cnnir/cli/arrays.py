"""Arrays for a run, from `.npy` and `.npz` files that are not trusted: a header is compared before its data are read."""

from __future__ import annotations

import io
import struct
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
import numpy as np

from cnnir.diagnostics import CnnirError, Diagnostic

if TYPE_CHECKING:
    from cnnir.types import TensorType

Array = np.ndarray[Any, Any]
HEADERS = 64 << 20
"""Bytes that standard input may hold beside the arrays of the network."""
_UNREADABLE = (
    OSError, ValueError, EOFError, KeyError, IndexError, AttributeError, TypeError, RuntimeError, MemoryError, SyntaxError, struct.error,
    tokenize.TokenError, zlib.error, zipfile.BadZipFile,
)  # fmt: skip
"""What NumPy and zipfile raise at damaged, encrypted or unknown files. NotImplementedError and RecursionError are RuntimeErrors."""


def read_arrays(given: str, inputs: Mapping[str, TensorType]) -> dict[str, Array]:
    """The arrays of `[NAME=]FILE` for the inputs of a network; nothing else in the file is read, and no pickle.

    Raises UsageError where the file cannot be read, CnnirError (exit code 2) where an array is not what the network takes.
    """
    name, _, path = given.rpartition("=") if "=" in given and not _exists(given) else ("", "", given)
    if name and name not in inputs:
        raise _refusal("C0601", f"the network has no input `{name}`", f"its inputs are {', '.join(inputs)}")
    try:
        with _open(path, inputs) as file:
            return _members(file, path, {name: inputs[name]} if name else inputs)
    except _UNREADABLE as error:
        raise click.UsageError(f"cannot read `{path}` as .npy or .npz: {error or type(error).__name__}") from error


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def _open(path: str, inputs: Mapping[str, TensorType]) -> IO[bytes]:
    if path != "-":
        return Path(path).open("rb")
    most = sum(t.bytes for t in inputs.values()) + HEADERS
    content = sys.stdin.buffer.read(most + 1)
    if len(content) > most:
        raise ValueError("it is larger than the network's inputs")
    return io.BytesIO(content)


def _members(file: IO[bytes], path: str, inputs: Mapping[str, TensorType]) -> dict[str, Array]:
    magic = file.read(4)
    if magic == b"\x93NUM":
        if len(inputs) != 1:
            raise click.UsageError(f"the network has several inputs: say which, --input NAME={path} ({', '.join(inputs)})")
        ((name, type),) = inputs.items()
        return {name: _array(magic, file, name, type)}
    if magic[:2] != b"PK":
        raise ValueError("it is neither")
    with zipfile.ZipFile(file) as archive:
        held = {n.removesuffix(".npy"): n for n in archive.namelist()}
        found: dict[str, Array] = {}
        for name in inputs.keys() & held.keys():
            with archive.open(held[name]) as member:
                found[name] = _array(member.read(4), member, name, inputs[name])
    if not found:
        raise click.UsageError(f"`{path}` holds no input of the network ({', '.join(inputs)}): it has {', '.join(held) or 'nothing'}")
    return found


def _array(magic: bytes, file: IO[bytes], name: str, type: TensorType) -> Array:
    """One array after its first four bytes; never more is read than the network takes."""
    rest = file.read(4)
    if magic + rest[:2] != b"\x93NUMPY" or rest[2:] not in (b"\1\0", b"\2\0"):
        raise ValueError(f"`{name}` is no array")
    read = np.lib.format.read_array_header_1_0 if rest[2:] == b"\1\0" else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    raw = type.dtype == "bf16" and dtype.kind == "V" and dtype.itemsize == 2  # NumPy stores what it does not know as bytes
    if (not raw and dtype != type.numpy) or shape != type.shape:
        raise _refusal("C0602", f"input `{name}` is {dtype}{list(shape)}, the network takes {type}")
    content = file.read(type.bytes)
    if len(content) < type.bytes:
        raise ValueError(f"`{name}` ends too early")
    return np.frombuffer(content, type.numpy).reshape(shape, order="F" if fortran else "C")


def _refusal(code: str, message: str, help: str | None = None) -> CnnirError:
    return CnnirError(Diagnostic(code, message, help=help), exit_code=2)
